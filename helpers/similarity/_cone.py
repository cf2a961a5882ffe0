"""Compiled kernels of the topological measures (first homology of the R-cross-barcode, spanning trees, distances).

First homology. Let K(t) and L(t) be the Vietoris-Rips complexes of min(r1, r2) and of r1 at scale t. The
R-cross-barcode is the barcode of the mapping cone of L(t) in K(t); as both have all the vertices from the start, its
first homology is that of the pair,

    H1(K(t), L(t)) = edges of K(t) / (edges of L(t), boundaries of the triangles of K(t)),

a persistence module given by generators (edges) and relations (triangles, edges of L). Nearly all of them cancel, and
which do can be told from the neighbourhoods alone, kept as bit sets while the edges enter one by one:

* an edge ab of K whose ends have a common neighbour k is no generator: ab = ak + kb from its first moment;
* of the triangles over ab only one for each further connected component of the common neighbours is a relation of its
  own, since two adjacent common neighbours k, l give the tetrahedron abkl, whose other faces are older;
* an edge ab of L whose ends have a common neighbour in L is no relation: ak, kb and the triangle are older;
* once a vertex is joined to all the others in K, K is a cone, and only the merging of the components of L counts.

What is left is a matrix of a few thousand columns, reduced over Z/2. The bars of positive length are those of the full
complex, ties and duplicates included: each step keeps the module at every real t.
"""

import numba as nb
import numpy as np
from numba.cpython.unsafe.numbers import leading_zeros, trailing_zeros

ONE = np.uint64(1)
SHIFT = 15  # an edge i < j has the code i << SHIFT | j
MASK = (1 << SHIFT) - 1


@nb.njit(inline="always")
def _bit(i):
    return ONE << np.uint64(i & 63)


@nb.njit(nogil=True, cache=True)
def _lowest(bits):
    """The least element of a bit set, -1 if it is empty."""
    for w in range(len(bits)):
        if bits[w]:
            return (w << 6) | np.int64(trailing_zeros(bits[w]))
    return np.int64(-1)


@nb.njit(nogil=True, cache=True)
def _meet(adjacent, a, b):
    """Whether two vertices have a common neighbour."""
    for w in range(adjacent.shape[1]):
        if adjacent[a, w] & adjacent[b, w]:
            return True
    return False


@nb.njit(nogil=True, cache=True)
def _flood(adjacent, front, rest):
    """Take out of ``rest`` all that is reached from ``front`` within it; ``front`` is used up."""
    k = _lowest(front)
    while k >= 0:
        front[k >> 6] ^= _bit(k)
        left = np.uint64(0)
        for w in range(len(rest)):
            reached = rest[w] & adjacent[k, w]
            front[w] |= reached
            rest[w] ^= reached
            left |= rest[w]
        if left == 0:
            return
        k = _lowest(front)


@nb.njit(nogil=True, cache=True)
def _find(root, i):
    while root[i] != i:
        root[i] = root[root[i]]
        i = root[i]
    return i


@nb.njit(nogil=True, cache=True)
def _presentation(order1, value1, order2, value2, n):
    """Generators and relations of H1(K, L).

    Returns the births of the generators; for the e-th edge of K its code and its kind (0: zero, k + 1: the sum of its
    two sides to k, -g: the g-th generator, from 1); the number of each edge by its ends; times of the relations; the
    edges (at most four, else -1) whose sum each of them makes zero.
    """
    count = len(order1)
    words = (n + 63) >> 6
    in_k = np.zeros((n, words), np.uint64)
    in_l = np.zeros((n, words), np.uint64)
    degree = np.zeros(n, np.int32)
    root = np.arange(n)
    number = np.full((n, n), -1, np.int32)
    codes = np.empty(count, np.int32)
    kinds = np.empty(count, np.int32)
    births = np.empty(count)
    none = np.int32(-1)
    relations = [(0.0, none, none, none, none)]
    relations.clear()
    front = np.empty(words, np.uint64)
    rest = np.empty(words, np.uint64)
    next1 = next2 = edges = generators = 0
    parts, centre = n, -1
    while centre < 0:
        of_l = next2 == count or value1[next1] <= value2[next2]
        if of_l:
            code, t = order1[next1], value1[next1]
            next1 += 1
        else:
            code, t = order2[next2], value2[next2]
            next2 += 1
        a, b = code >> SHIFT, code & MASK
        if in_k[a, b >> 6] & _bit(b):
            if not of_l:
                continue
            if not _meet(in_l, a, b):
                relations.append((t, number[a, b], none, none, none))
        else:
            linked = shared = np.uint64(0)
            for w in range(words):
                link, front[w] = in_k[a, w] & in_k[b, w], in_l[a, w] & in_l[b, w]
                rest[w] = link ^ front[w]
                linked |= link
                shared |= front[w]
            base = np.int64(-1)
            if of_l or shared:
                kinds[edges] = 0
            elif linked:
                base = _lowest(rest)
                kinds[edges] = base + 1
                front[base >> 6] = _bit(base)
                rest[base >> 6] ^= _bit(base)
            else:
                births[generators] = t
                generators += 1
                kinds[edges] = -generators
            if linked:
                _flood(in_k, front, rest)
                k = _lowest(rest)
                while k >= 0:
                    if base < 0:
                        relations.append((t, number[a, k], number[b, k], none, none))
                    else:
                        relations.append((t, number[a, k], number[b, k], number[a, base], number[b, base]))
                    front[:] = 0
                    front[k >> 6] = _bit(k)
                    rest[k >> 6] ^= _bit(k)
                    _flood(in_k, front, rest)
                    k = _lowest(rest)
            number[a, b] = number[b, a] = edges
            codes[edges] = code
            edges += 1
            in_k[a, b >> 6] |= _bit(b)
            in_k[b, a >> 6] |= _bit(a)
            degree[a] += 1
            degree[b] += 1
            if degree[a] == n - 1:
                centre = a
            elif degree[b] == n - 1:
                centre = b
        if of_l:
            in_l[a, b >> 6] |= _bit(b)
            in_l[b, a >> 6] |= _bit(a)
            ra, rb = _find(root, a), _find(root, b)
            if ra != rb:
                root[ra] = rb
                parts -= 1
    while parts > 1:
        code, t = order1[next1], value1[next1]
        next1 += 1
        a, b = code >> SHIFT, code & MASK
        ra, rb = _find(root, a), _find(root, b)
        if ra != rb:
            root[ra] = rb
            parts -= 1
            relations.append((t, number[a, centre], number[b, centre], none, none))
    times = np.empty(len(relations))
    sides = np.empty((len(relations), 4), np.int32)
    for r in range(len(relations)):
        times[r], sides[r, 0], sides[r, 1], sides[r, 2], sides[r, 3] = relations[r]
    return births[:generators], codes[:edges], kinds[:edges], number, times, sides


@nb.njit(inline="always")
def _toggle(bits, summary, i):
    """Add i modulo 2; bit w of ``summary`` tells whether ``bits[w]`` has any."""
    w = i >> 6
    bits[w] ^= _bit(i)
    if bits[w]:
        summary[w >> 6] |= _bit(w)
    else:
        summary[w >> 6] &= ~_bit(w)


@nb.njit(nogil=True, cache=True)
def _reduce(births, codes, kinds, number, times, sides):
    """Bars of the presentation: each relation in turn ends the youngest generator that it involves."""
    generators = len(births)
    bits = np.zeros((len(kinds) >> 6) + 1, np.uint64)
    summary = np.zeros((len(kinds) >> 12) + 1, np.uint64)
    column = np.zeros((generators >> 6) + 1, np.uint64)
    start = np.full(generators, -1, np.int64)
    stop = np.zeros(generators, np.int64)
    store = np.empty(4096, np.int32)
    used = bars = 0
    out = np.empty((generators, 2))
    for r in range(len(times)):
        for s in range(4):
            if sides[r, s] >= 0:
                _toggle(bits, summary, sides[r, s])
        # Write the edges, from the youngest, as sums of generators.
        top = len(summary) - 1
        while top >= 0:
            if summary[top] == 0:
                top -= 1
                continue
            w = (top << 6) | (63 - np.int64(leading_zeros(summary[top])))
            e = (w << 6) | (63 - np.int64(leading_zeros(bits[w])))
            _toggle(bits, summary, e)
            kind = kinds[e]
            if kind > 0:
                a, b = codes[e] >> SHIFT, codes[e] & MASK
                _toggle(bits, summary, number[a, kind - 1])
                _toggle(bits, summary, number[b, kind - 1])
            elif kind < 0:
                column[(-kind - 1) >> 6] ^= _bit(-kind - 1)
        youngest = np.int64(-1)
        w = len(column) - 1
        while w >= 0:
            if column[w] == 0:
                w -= 1
                continue
            g = (w << 6) | (63 - np.int64(leading_zeros(column[w])))
            if start[g] < 0:
                youngest = g
                break
            for z in range(start[g], stop[g]):
                column[store[z] >> 6] ^= _bit(store[z])
        if youngest < 0:
            continue
        if used + youngest >= len(store):
            larger = np.empty(2 * len(store) + youngest, np.int32)
            larger[:used] = store[:used]
            store = larger
        start[youngest] = used
        for v in range(w + 1):
            word = column[v]
            column[v] = 0
            while word:
                store[used] = (v << 6) | np.int64(trailing_zeros(word))
                used += 1
                word &= word - ONE
        stop[youngest] = used
        if times[r] > births[youngest]:
            out[bars, 0] = births[youngest]
            out[bars, 1] = times[r]
            bars += 1
    return out[:bars]


@nb.njit(nogil=True, cache=True)
def first_homology(order1, value1, order2, value2, n):
    """Bars (birth, death) of H1 of the R-cross-barcode of r1, r2, those of positive length.

    ``order`` holds the codes of the edges from the shortest (int32), ``value`` their lengths (float64).
    """
    births, codes, kinds, number, times, sides = _presentation(order1, value1, order2, value2, n)
    return _reduce(births, codes, kinds, number, times, sides)


@nb.njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def squared_distances(x):
    """Squared Euclidean distances between the rows i < j, row by row, summed from the differences themselves."""
    n, p = x.shape
    out = np.empty(n * (n - 1) // 2, x.dtype)
    tile = 16
    for i0 in range(0, n, tile):
        for j0 in range(i0, n, tile):
            for i in range(i0, min(i0 + tile, n)):
                row = x[i]
                at = i * (2 * n - i - 1) // 2 - i - 1
                for j in range(max(i + 1, j0), min(j0 + tile, n)):
                    other = x[j]
                    total = x.dtype.type(0)
                    for c in range(p):
                        step = row[c] - other[c]
                        total += step * step
                    out[at + j] = total
    return out


@nb.njit(nogil=True, cache=True)
def candidates(a, b, scale_a, scale_b, start, reach):
    """Edges of a block of rows that a minimum spanning tree of min(a * scale_a, b * scale_b) may need.

    Row r of the block is vertex ``start + r``, joined to the vertices before it. ``reach[i]`` is the longest edge
    between i and the root in the tree so far; a new vertex hangs on its nearest one. An edge that is not shorter than
    the longest edge on the path between its ends is never needed, and that is at most the larger of their reaches.
    """
    rows, columns = a.shape
    lengths = np.empty(columns, a.dtype)
    ends = np.empty((4 * columns, 2), np.int32)
    weights = np.empty(4 * columns, a.dtype)
    used = 0
    for r in range(rows):
        i = start + r
        if i == 0:
            reach[0] = 0
            continue
        for j in range(i):
            lengths[j] = min(a[r, j] * scale_a, b[r, j] * scale_b)
        near = np.argmin(lengths[:i])
        top = max(lengths[near], reach[near])
        reach[i] = top
        if used + i > len(weights):
            more = 2 * len(weights) + i
            larger = np.empty((more, 2), np.int32)
            larger[:used] = ends[:used]
            ends = larger
            heavier = np.empty(more, a.dtype)
            heavier[:used] = weights[:used]
            weights = heavier
        for j in range(i):
            if lengths[j] < max(top, reach[j]) or j == near:
                ends[used, 0] = i
                ends[used, 1] = j
                weights[used] = lengths[j]
                used += 1
    return ends[:used], weights[:used]


@nb.njit(nogil=True, cache=True)
def spanning_tree(ends, order, n):
    """Which edges, taken in this order, join two components of n vertices (Kruskal)."""
    root = np.arange(n)
    chosen = np.empty(n - 1, np.int64)
    used = 0
    for e in order:
        a, b = _find(root, ends[e, 0]), _find(root, ends[e, 1])
        if a != b:
            root[a] = b
            chosen[used] = e
            used += 1
            if used == n - 1:
                break
    return chosen[:used]


@nb.njit(nogil=True, cache=True)
def longest_to_root(ends, weights, reach):
    """Fill ``reach`` with the longest edge between every vertex of the tree and the vertex of highest degree."""
    n = len(ends) + 1
    first = np.zeros(n + 1, np.int64)
    for e in range(n - 1):
        first[ends[e, 0] + 1] += 1
        first[ends[e, 1] + 1] += 1
    root = np.argmax(first[1:])
    first = np.cumsum(first)
    at = first[:-1].copy()
    edges = np.empty(2 * (n - 1), np.int64)
    for e in range(n - 1):
        for side in range(2):
            edges[at[ends[e, side]]] = e
            at[ends[e, side]] += 1
    reach[:n] = -1
    reach[root] = 0
    stack = np.empty(n, np.int64)
    stack[0], top = root, 1
    while top:
        top -= 1
        i = stack[top]
        for e in edges[first[i] : first[i + 1]]:
            j = ends[e, 0] + ends[e, 1] - i
            if reach[j] < 0:
                reach[j] = max(reach[i], weights[e])
                stack[top] = j
                top += 1


@nb.njit(nogil=True, cache=True)
def _make_root(parent, edge, i):
    """Turn the parent pointers between i and its root around."""
    above, via = np.int64(-1), np.int64(-1)
    while i >= 0:
        following, following_via = parent[i], edge[i]
        parent[i], edge[i] = above, via
        above, via, i = i, following_via, following


@nb.njit(nogil=True, cache=True)
def merge_scales(union, first):
    """For every edge of the tree ``union`` the edge of the tree ``first`` that ends its bar; both from the shortest.

    Each edge of ``first`` closes a cycle with what is left of ``union`` and the edges of ``first`` before it; there it
    replaces the longest edge of ``union``.
    """
    n = len(union) + 1
    parent = np.full(n, -1, np.int64)
    edge = np.full(n, -1, np.int64)  # of the union, on the way to the parent; -1 if replaced
    for e in range(n - 1):
        _make_root(parent, edge, union[e, 0])
        parent[union[e, 0]], edge[union[e, 0]] = union[e, 1], e
    ended = np.empty(n - 1, np.int64)
    for e in range(n - 1):
        a, b = first[e, 0], first[e, 1]
        _make_root(parent, edge, a)
        longest, i = b, b
        while i != a:
            if edge[i] > edge[longest]:
                longest = i
            i = parent[i]
        ended[edge[longest]] = e
        parent[longest] = edge[longest] = -1
        _make_root(parent, edge, b)
        parent[b], edge[b] = a, -1
    return ended


@nb.njit(nogil=True, cache=True)
def join_components(ends, lengths, n):
    """Parent of every object and the scale at which it got it, smaller components under larger ones."""
    parent, scale, size = np.arange(n), np.full(n, np.inf), np.ones(n, np.int64)
    for e in range(len(ends)):
        a, b = ends[e, 0], ends[e, 1]
        while parent[a] != a:
            a = parent[a]
        while parent[b] != b:
            b = parent[b]
        if size[a] > size[b]:
            a, b = b, a
        parent[a], scale[a] = b, lengths[e]
        size[b] += size[a]
    return parent, scale


@nb.njit(nogil=True, cache=True)
def joined_at(parent, scale, pairs):
    """Scale at which the two objects of every pair are in one component: scales grow on the way up."""
    out = np.empty(len(pairs))
    for m in range(len(pairs)):
        i, j, at = pairs[m, 0], pairs[m, 1], 0.0
        while i != j:
            if scale[i] <= scale[j]:
                at, i = scale[i], parent[i]
            else:
                at, j = scale[j], parent[j]
        out[m] = at
    return out


@nb.njit(nogil=True, cache=True)
def sum_before(block, start):
    """Sum of the entries left of the diagonal; row r of the block is vertex ``start + r``."""
    total = 0.0
    for r in range(block.shape[0]):
        for j in range(start + r):
            total += block[r, j]
    return total


@nb.njit(nogil=True, cache=True)
def count_cells(block, start, edges, counts):
    """Add to ``counts`` how many entries left of the diagonal lie in each cell [edges[c], edges[c + 1])."""
    cells = len(counts)
    left, right = edges[0], edges[cells]
    per_unit = cells / (right - left)
    for r in range(block.shape[0]):
        for j in range(start + r):
            value = np.float64(block[r, j])
            if left <= value < right:
                c = min(np.int64((value - left) * per_unit), cells - 1)
                while value < edges[c]:
                    c -= 1
                while value >= edges[c + 1]:
                    c += 1
                counts[c] += 1


@nb.njit(nogil=True, cache=True)
def collect_between(block, start, left, right, out, used):
    """Append the entries left of the diagonal in [left, right) to ``out``; how many it then holds, and the next one."""
    following = np.inf
    for r in range(block.shape[0]):
        for j in range(start + r):
            value = np.float64(block[r, j])
            if left <= value < right:
                out[used] = value
                used += 1
            elif right <= value < following:
                following = value
    return used, following
