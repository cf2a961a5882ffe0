"""Compiled first Betti numbers of relaxed witness complexes; imported only where the geometry score is asked for."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, parallel=True)
def living_times(values, columns, cuts, max_holes, squared):
    """How long each relaxed witness complex has 0, 1, … holes, as shares of the range of the relaxation.

    ``values`` (witnesses, m) are distances or squared distances to candidate landmarks; row c of ``columns`` holds the
    landmarks of complex c, ``cuts[c]`` its largest relaxation in the same units. With ``squared``, lengths are measured
    in the square root of the relaxation. Returns (complexes, max_holes) float64.
    """
    out = np.zeros((columns.shape[0], max_holes))
    for c in numba.prange(columns.shape[0]):
        edges, corners, born = _births(values, columns[c], cuts[c])
        _count_holes(edges, corners, born, cuts[c], squared, out[c])
    return out


@numba.njit(cache=True)
def _births(values, landmarks, cut):
    """Least relaxation that admits each edge (inf beyond ``cut``), and the corners and least relaxations of triangles.

    A witness at sorted values v0 ≤ v1 ≤ … to the landmarks admits a simplex at relaxation (its largest value) - (the
    least value outside it), or 0 if that is negative.
    """
    size = landmarks.shape[0]
    edges = np.full((size, size), np.inf)
    total = size * (size - 1) * (size - 2) // 6
    triangles, corners, found = np.full(total, np.inf), np.empty((total, 3), np.int64), 0
    place = np.empty(total, np.int64)
    near, which = np.empty(size), np.empty(size, np.int64)
    for w in range(values.shape[0]):
        v0 = v1 = v2 = np.inf
        for i in range(size):
            v = values[w, landmarks[i]]
            if v < v2:
                if v < v1:
                    v2 = v1
                    if v < v0:
                        v0, v1 = v, v0
                    else:
                        v1 = v
                else:
                    v2 = v
        count = 0
        for i in range(size):
            v = values[w, landmarks[i]]
            if v <= v2 + cut:
                p = count
                while p > 0 and near[p - 1] > v:
                    near[p], which[p] = near[p - 1], which[p - 1]
                    p -= 1
                near[p], which[p] = v, i
                count += 1
        for b in range(1, count):
            for a in range(b):
                # The nearest landmark outside the edge is the first of positions 0, 1, 2 that it does not hold.
                outside = v0 if a > 0 else (v1 if b > 1 else v2)
                born = max(near[b] - outside, 0.0)
                if born <= cut:
                    i, j = min(which[a], which[b]), max(which[a], which[b])
                    edges[i, j] = min(edges[i, j], born)
        for k in range(2, count):
            if near[k] - v2 > cut and k > 2:
                break
            for b in range(1, k):
                for a in range(b):
                    if a > 0:
                        born = near[k] - v0
                    elif b > 1:
                        born = near[k] - v1
                    else:
                        born = near[k] - v2 if k > 2 else 0.0
                    if born <= cut:
                        i, j = min(which[a], which[b]), max(which[a], which[b])
                        first, last = min(i, which[k]), max(j, which[k])
                        middle = i + j + which[k] - first - last
                        t = last * (last - 1) * (last - 2) // 6 + middle * (middle - 1) // 2 + first
                        if triangles[t] == np.inf:
                            corners[found, 0], corners[found, 1], corners[found, 2] = first, middle, last
                            place[found] = t
                            found += 1
                        triangles[t] = min(triangles[t], max(born, 0.0))
    return edges, corners[:found], triangles[place[:found]]


@numba.njit(cache=True)
def _count_holes(edges, corners, born, cut, squared, out):
    """Add to ``out[b]`` the share of [0, cut] during which the complex has b independent cycles, over Z/2."""
    size = edges.shape[0]
    ends = np.empty((size * (size - 1) // 2, 2), np.int64)
    births = np.empty(ends.shape[0])
    count = 0
    for i in range(size):
        for j in range(i + 1, size):
            if edges[i, j] <= cut:
                ends[count, 0], ends[count, 1], births[count] = i, j, edges[i, j]
                count += 1
    order = np.argsort(births[:count])
    rank_of = np.empty((size, size), np.int64)
    for position in range(count):
        e = order[position]
        rank_of[ends[e, 0], ends[e, 1]] = position

    # A triangle is there once its edges are too.
    faces, filled, total = np.empty((born.shape[0], 3), np.int64), np.empty(born.shape[0]), 0
    for t in range(born.shape[0]):
        i, j, k = corners[t]
        birth = max(born[t], edges[i, j], edges[i, k], edges[j, k])
        if birth <= cut:
            faces[total, 0], faces[total, 1], faces[total, 2] = rank_of[i, j], rank_of[i, k], rank_of[j, k]
            filled[total] = birth
            total += 1
    filled = filled[:total]
    later = np.argsort(filled)

    words = (count + 63) // 64
    basis = np.zeros((count, words), np.uint64)  # basis[p]: a boundary whose last edge is p
    taken = np.zeros(count, np.bool_)
    column = np.empty(words, np.uint64)
    parent = np.arange(size)
    holes, before = 0, 0.0
    whole = np.sqrt(cut) if squared else cut
    e = t = 0
    while e < count or t < total:
        edge_next = e < count and (t == total or births[order[e]] <= filled[later[t]])
        now = births[order[e]] if edge_next else filled[later[t]]
        if squared:
            now = np.sqrt(now)
        if now > before:
            if holes < out.shape[0]:
                out[holes] += (now - before) / whole
            before = now
        if edge_next:
            a, b = _root(parent, ends[order[e], 0]), _root(parent, ends[order[e], 1])
            if a == b:
                holes += 1
            parent[a] = b
            e += 1
        else:
            # Without a hole every cycle is a boundary already, and the triangle changes nothing.
            if holes and _reduce(faces[later[t]], basis, taken, column):
                holes -= 1
            t += 1
    if whole > before and holes < out.shape[0]:
        out[holes] += (whole - before) / whole


@numba.njit(cache=True)
def _root(parent, i):
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@numba.njit(cache=True)
def _reduce(face, basis, taken, column):
    """Whether the boundary of a triangle is new; if so it joins the basis."""
    column[:] = 0
    for p in face:
        column[p >> 6] ^= np.uint64(1) << np.uint64(p & 63)
    word = column.shape[0] - 1
    while word >= 0:
        if column[word] == 0:
            word -= 1
            continue
        bits, high = column[word], 0
        for shift in (32, 16, 8, 4, 2, 1):
            if bits >> np.uint64(shift):
                bits >>= np.uint64(shift)
                high += shift
        last = 64 * word + high
        if not taken[last]:
            taken[last] = True
            basis[last, :] = column
            return True
        for i in range(word + 1):
            column[i] ^= basis[last, i]
    return False
