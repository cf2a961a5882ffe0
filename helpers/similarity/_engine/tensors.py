"""The compiled kernels' counterparts for tensors: on a GPU the representations never leave it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from helpers.similarity._engine.bounds import LOST, NEAREST, OBJECTS, ROWS, VECTORS, marks, slack_of
from helpers.similarity._engine.compiled import CANCELLED
from helpers.similarity._engine.exact import CLOSE, GRID, NOTHING, SPLIT
from helpers.similarity._engine.levels import rank_scale

Tensor = torch.Tensor
MENDED = 1 << 22  # entries of differences of rows at a time
CHUNK = 4096  # entries whose products are summed in single precision before double precision takes over
SEGMENT = 1 << 26  # entries at a time


class TorchKernels:
    """Same names and meanings as the compiled kernels; blocks follow one another on one device."""

    NAME = "torch"
    SCRATCH = 20
    CANCELLED = CANCELLED
    OBJECTS = OBJECTS
    VECTORS = VECTORS

    def __init__(self, device: Any):
        self.device = torch.device(device)
        self.FILL = {
            "gram": self.gram,
            "euclidean": self.euclidean,
            "sqeuclidean": self.sqeuclidean,
            "correlation": self.correlation,
            "cosine": self.cosine,
        }

    def blocks(self, n: int, dtype: str) -> tuple[int, ...]:
        return 8192, 4096, 2048, 1024, 512, 256, 128, 64, 32

    def tile(self, n: int, dtype: str) -> int:
        return 0

    def packed(self, x: Tensor) -> Tensor:
        return x

    def full(self, shape: tuple[int, ...], value: Any, dtype: str) -> Tensor:
        return torch.full(shape, value, dtype=getattr(torch, dtype), device=self.device)

    def to_numpy(self, x: Tensor) -> np.ndarray:
        return x.cpu().numpy() if isinstance(x, torch.Tensor) else x

    def from_numpy(self, x: np.ndarray) -> Tensor:
        return torch.as_tensor(x, device=self.device)

    def assign(self, out: Any, values: np.ndarray) -> None:
        if isinstance(out, torch.Tensor):
            out.copy_(torch.as_tensor(values))
        else:
            out[...] = values

    def isfinite(self, x: Tensor) -> Tensor:
        return torch.isfinite(x)

    def digest(self, x: Tensor) -> str:
        """Checksum of the bits and their places, taken on the device."""
        bits = x.contiguous().view(torch.int32 if x.dtype == torch.float32 else torch.int64).to(torch.int64).flatten()
        places = torch.arange(1, bits.numel() + 1, device=x.device)
        weights = (places * -7046029254386353131) ^ (places >> 3)
        return f"{int((bits * weights).sum()):x} {int(bits.sum()):x};"

    def load(self, source: Any, start: int, stop: int, dtype: str) -> Tensor:
        return source.tensor_rows(start, stop, dtype, self.device)

    def sample(self, source: Any, chosen: np.ndarray, dtype: str) -> Tensor:
        if source.kind == "torch":
            rows = source.data[torch.as_tensor(chosen, device=source.data.device)].detach()
            return rows.to(device=self.device, dtype=getattr(torch, dtype)) * source.factor
        return torch.cat([self.load(source, i, i + 1, dtype) for i in chosen.tolist()])

    def column_statistics(self, x: Tensor, total, low, high, least) -> None:
        wide = x.double()
        total += self.to_numpy(wide.sum(0))
        np.minimum(low, self.to_numpy(wide.amin(0)), out=low)
        np.maximum(high, self.to_numpy(wide.amax(0)), out=high)
        whole = (wide * wide).sum(1)
        centred = (wide - wide.mean(1, keepdim=True)).square().sum(1)
        for place, norms in ((0, centred[centred > 1e-28 * whole]), (1, whole[whole > 0])):
            if norms.numel():
                least[place] = min(least[place], float(norms.min().sqrt()))

    def prepare(self, x: Tensor, mean: np.ndarray, middle: float, scale: float, out: Tensor, vectors: Tensor) -> None:
        mean = self.from_numpy(mean)
        x = x.double()
        p = x.shape[1]
        flat = x.amin(1) == x.amax(1)
        m = torch.where(flat, x[:, 0], x.mean(1))
        c = x - mean
        t = torch.where(flat, m - middle, c.mean(1))
        e = c - t[:, None]
        out.copy_(e * scale)
        norm = out.double().square().sum(1)
        profile = mean - middle
        length = torch.where(flat, 0.0, (x - m[:, None]).square().sum(1).sqrt())
        whole = x.square().sum(1).sqrt()
        shift = t * (scale * p**0.5)
        square = scale * scale
        lost_rows = ~flat & ~((length > 1e-6 * whole) & (length > 1e-140))
        lost_objects = (x != 0).any(1) & ~(whole > 1e-140)
        length, whole = length * scale, whole * scale
        away = torch.where(length > 0, (norm + shift * shift).sqrt() / length, 0.0)
        doubt = LOST * lost_rows + (64 * 2.0**-53 * (away + away * away)).clamp(max=LOST)
        rows = (
            shift,
            norm,
            (e @ profile + profile @ profile / 2) * square,
            length,
            torch.where(length > 0, 1 / length, 0.0),
            norm + shift * shift,
            (c @ mean + mean @ mean / 2) * square,
            whole,
            torch.where(whole > 0, 1 / whole, 0.0),
            doubt,
            LOST * lost_objects,
        )
        for number, row in enumerate(rows):
            vectors[number].copy_(row)

    def centre(self, x: Tensor, mean: np.ndarray, scale: float, out: Tensor) -> None:
        out.copy_((x.double() - self.from_numpy(mean)) * scale)

    def multiply(self, rows: Tensor, columns: Tensor, out: Tensor) -> None:
        torch.mm(rows, columns.T, out=out)

    def add_product(self, out: Tensor, left: Tensor, right: Tensor, scratch: Tensor) -> None:
        product = scratch[: out.numel()].view(out.shape)
        torch.mm(left.T, right, out=product)
        out += product

    def square_norms(self, rows: Tensor) -> np.ndarray:
        return self.to_numpy(rows.double().square().sum(1))

    def square_norm(self, x: Tensor) -> float:
        return float(x.square().sum())

    def squares(self, products: Tensor, left, right, rows, columns, cancelled: float, diagonal: bool) -> None:
        total = left[1][:, None] + right[1][None, :]
        products.mul_(-2).add_(total)
        lost = products <= cancelled * total
        if diagonal:
            lost.triu_(1)
            products.triu_(1)
        i, j = torch.nonzero(lost, as_tuple=True)
        step = max(1, MENDED // rows.shape[1])
        for start in range(0, i.numel(), step):
            a, b = i[start : start + step], j[start : start + step]
            products[a, b] = (rows[a] - columns[b]).square().sum(1)

    def gram(self, squares: Tensor, left, right, out: Tensor, diagonal: bool) -> None:
        torch.sub(left[0][:, None], right[0][None, :], out=out)
        out.square_().add_(squares).neg_().add_(left[5][:, None]).add_(right[5][None, :]).mul_(0.5)
        if diagonal:
            out.triu_(1)

    def euclidean(self, squares: Tensor, left, right, out: Tensor, diagonal: bool) -> None:
        self.sqeuclidean(squares, left, right, out, diagonal)
        out.sqrt_()

    def sqeuclidean(self, squares: Tensor, left, right, out: Tensor, diagonal: bool) -> None:
        torch.addcmul(squares, left[0][:, None] - right[0][None, :], left[0][:, None] - right[0][None, :], out=out)
        if diagonal:
            out.triu_(1)

    def _angular(self, squares: Tensor, left, right, out: Tensor, base: int, shifted: bool, diagonal: bool) -> None:
        both = left[base + 3][:, None] * right[base + 3][None, :]
        total = left[base][:, None] + right[base][None, :]
        gap = left[base + 2][:, None] - right[base + 2][None, :]
        d = squares + (left[0][:, None] - right[0][None, :]).square() if shifted else squares
        near = 0.5 * (d - gap * gap) * both
        far = 1 - (0.5 * (total - d) + (left[base + 1][:, None] + right[base + 1][None, :])) * both
        out.copy_(torch.where((both > 0) & (total * both <= 4), near, far).clamp_(min=0))
        if diagonal:
            out.triu_(1)

    def correlation(self, squares: Tensor, left, right, out: Tensor, diagonal: bool) -> None:
        self._angular(squares, left, right, out, ROWS, False, diagonal)

    def cosine(self, squares: Tensor, left, right, out: Tensor, diagonal: bool) -> None:
        self._angular(squares, left, right, out, OBJECTS, True, diagonal)

    def side_sums(self, values: Tensor, rows: np.ndarray, columns: np.ndarray) -> None:
        rows += self.to_numpy(values.sum(1, dtype=torch.float64))
        columns += self.to_numpy(values.sum(0, dtype=torch.float64))

    def shifted_sum(self, values: Tensor, middle: float, diagonal: bool) -> float:
        values -= middle
        if diagonal:
            values.triu_(1)
        return float(values.sum(dtype=torch.float64))

    def _counting(self, values: Tensor, diagonal: bool) -> Tensor:
        """The entries that count, flat."""
        if not diagonal:
            return values.reshape(-1)
        i, j = torch.triu_indices(*values.shape, offset=1, device=values.device)
        return values[i, j]

    def _bins(self, values: Tensor, low: float, step: float, bins: int) -> Tensor:
        return ((values - low) * step).clamp_(0, bins - 1).to(torch.int32)

    def count(self, values: Tensor, low: float, step: float, histogram: Tensor, diagonal: bool) -> None:
        bins = self._bins(self._counting(values, diagonal), low, step, len(histogram))
        histogram += torch.bincount(bins, minlength=len(histogram))

    def look_up(self, values: Tensor, low: float, step: float, table: Tensor, diagonal: bool) -> None:
        values.copy_(table[self._bins(values, low, step, len(table))])
        if diagonal:
            values.triu_(1)

    def pack(self, values: Tensor, out: Tensor, first_i: int, first_j: int, n: int, diagonal: bool) -> None:
        i, j = (torch.arange(size, device=values.device) for size in values.shape)
        row = first_i + i[:, None]
        at = row * (2 * n - row - 3) // 2 - 1 + first_j + j[None, :]
        out[self._counting(at, diagonal)] = self._counting(values, diagonal)

    def nearest(
        self, metric, squares, keys, left, right, width, best_i, index_i, best_j, index_j, first_i, first_j, diagonal
    ) -> None:
        self._below(metric, squares, keys, left, right, width)
        if diagonal:
            keys.triu_(1)
            keys = keys + keys.T
            keys.fill_diagonal_(torch.inf)
            self._keep(keys, best_i, index_i, first_j)
            return
        self._keep(keys, best_i, index_i, first_j)
        self._keep(keys.T, best_j, index_j, first_i)

    def marks(self, metric: str, vectors: Tensor) -> np.ndarray:
        return marks(metric, self.to_numpy(vectors))

    def _below(self, metric: str, squares: Tensor, out: Tensor, left: Tensor, right: Tensor, width: int) -> None:
        """Lower bounds of the exact distances, as the compiled kernels have them."""
        base, doubts, shifted = NEAREST[metric]
        name = str(squares.dtype).removeprefix("torch.")
        slack = slack_of(name, width)
        gap = (left[0][:, None] - right[0][None, :]).mul_(shifted)
        d = squares + gap * gap
        total = left[base][:, None] + right[base][None, :]
        root = total.sqrt()
        off = slack.entry * root * (squares.clamp(min=0).sqrt() + gap.abs_() + 2 * slack.entry * root)
        off += slack.mended * squares + 2.0**-38 * d + slack.least
        mended = squares <= 0.99 * CANCELLED[name] * (left[1][:, None] + right[1][None, :])
        if not doubts:
            below = d * (1 - 2.0**-38) - slack.product * total - slack.least
            out.copy_(torch.where(mended, torch.maximum(below, d - off), below).clamp_(min=0))
            return
        both = left[base + 3][:, None] * right[base + 3][None, :]
        lengths = left[base + 2][:, None] + right[base + 2][None, :]
        gap = left[base + 2][:, None] - right[base + 2][None, :]
        near = 0.5 * (d - gap * gap) * both
        far = 1 - (0.5 * (total - d) + (left[base + 1][:, None] + right[base + 1][None, :])) * both
        unequal = gap.abs_() * lengths * (1.25 * slack.length)
        relative, fixed = 8 * slack.length + 2.0**-38, 16 * slack.length**2
        equal = total * both <= 4
        share = torch.where(equal, slack.near, slack.far)
        plain = torch.where(equal, near, far) - (share * total + unequal + slack.least) * both
        plain -= 16 * slack.length + 2.0**-37 + slack.cosine
        off = (0.6 * off + unequal) * both + relative * near.abs() + fixed
        off += torch.where(near > 5e-7, slack.cosine, 2.0**-48 * (near.abs() + off).sqrt() + 2e-30)
        known = torch.where(mended & equal, torch.maximum(plain, near - off), plain)
        known = torch.where(both > 0, known, 1.0) - left[doubts][:, None] - right[doubts][None, :]
        out.copy_(known.nan_to_num_(0.0).clamp_(min=0))

    def _keep(self, values: Tensor, best: Tensor, index: Tensor, first: int) -> None:
        """Merge the smallest entries of the rows into ``best``; ties by index."""
        k = best.shape[1]
        names = torch.arange(first, first + values.shape[1], device=values.device, dtype=index.dtype)
        if values.dtype == torch.float32:
            # The bits of non-negative floats sort as the floats do; the index in the low half decides ties.
            new = (values.contiguous().view(torch.int32).long() << 32) | names.long()
            new = new.topk(min(k, new.shape[1]), dim=1, largest=False).values
            keys = torch.cat([(best.view(torch.int32).long() << 32) | (index.long() & 0xFFFFFFFF), new], dim=1)
            keys = keys.topk(k, dim=1, largest=False).values.sort(dim=1).values
            best.copy_((keys >> 32).to(torch.int32).view(torch.float32))
            index.copy_((keys & 0xFFFFFFFF).to(index.dtype))
            return
        # Blocks come in the order of their objects, so a stable sort keeps the lower index first.
        order = values.sort(dim=1, stable=True)
        short = order.values[:, :k], names[order.indices[:, :k]]
        both, named = torch.cat([best, short[0]], dim=1), torch.cat([index, short[1]], dim=1)
        order = both.sort(dim=1, stable=True)
        best.copy_(order.values[:, :k])
        index.copy_(named.gather(1, order.indices)[:, :k])

    def exact(self, source: Any, rows: np.ndarray | None, metric: str) -> TorchExact:
        """Exact distances between chosen rows of a source, or between all."""
        if rows is None:
            x = self.load(source, 0, source.shape[0], source.dtype)
        else:
            x = source.take_tensor(rows, source.dtype, self.device)
        return TorchExact(x, metric)

    def words(self, size: int) -> None:
        return None

    def rank(self, values: Tensor, words: None) -> None:
        n = values.numel()
        order = (values * rank_scale(float(values.max())) + 0.5).long().sort()
        group = (order.values.diff() > 1).long().cumsum(0)
        group = torch.cat([group.new_zeros(1), group])
        counts = torch.bincount(group)
        ends = counts.cumsum(0).double()
        means = (ends - counts / 2 - n / 2) / n
        values[order.indices] = means[group].to(values.dtype)

    def cross(self, stack: Tensor) -> np.ndarray:
        flat = stack.reshape(len(stack), -1)
        whole = flat.shape[1] // CHUNK * CHUNK
        tail = flat[:, whole:]
        out = (tail @ tail.T).double()
        for start in range(0, whole, SEGMENT):
            chunks = flat[:, start : min(start + SEGMENT, whole)].reshape(len(flat), -1, CHUNK).transpose(0, 1)
            out += (chunks @ chunks.transpose(1, 2)).sum(0, dtype=torch.float64)
        return self.to_numpy(out)


class TorchExact:
    """The distances of :class:`~helpers.similarity._engine.exact.Exact` by the same operations in the same order."""

    def __init__(self, x: Tensor, metric: str):
        self.x, self.angular = x, metric != "euclidean"
        n = x.shape[0]
        self.scale, self.square = (torch.ones(n, dtype=torch.float64, device=x.device) for _ in range(2))
        self.mean = torch.zeros(n, dtype=torch.float64, device=x.device)
        if not self.angular:
            return
        size = x.abs().amax(1).double().cpu().numpy()
        scale = np.where(size > 0, np.ldexp(1.0, np.minimum(1000, -np.frexp(size)[1])), 1.0)
        void = torch.as_tensor(size == 0, device=x.device)
        if metric == "correlation":
            void |= x.amax(1) == x.amin(1)
        self.scale = torch.where(void, 1.0, torch.as_tensor(scale, device=x.device))
        step = max(1, MENDED // x.shape[1])
        for start in range(0, n, step):
            rows = slice(start, start + step)
            part = x[rows].double() * self.scale[rows, None]
            if metric == "correlation":
                self.mean[rows] = torch.where(void[rows], part[:, 0], _fold(part.clone()) / x.shape[1])
                part -= self.mean[rows, None]
            self.square[rows] = torch.where(void[rows], 0.0, _fold(part * part))

    def void(self, rows: np.ndarray) -> np.ndarray:
        """Which of the rows have no direction."""
        return (self.square == 0).cpu().numpy()[rows]

    def distances(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Distances of pairs of rows, float64, on the host."""
        out = np.empty(len(i))
        step = max(1, MENDED // self.x.shape[1])
        for start in range(0, len(i), step):
            pairs = (torch.as_tensor(k[start : start + step], device=self.x.device) for k in (i, j))
            out[start : start + step] = self._distances(*pairs).cpu().numpy()
        return out

    def settle(
        self, at: np.ndarray, others: np.ndarray, keys: np.ndarray, names: np.ndarray, unit: float, k: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The k nearest of the rows ``at`` among ``others``, and whether they are complete."""
        pairs = np.repeat(at, others.shape[1]), np.maximum(others, 0).ravel()
        found = np.where(names < 0, np.inf, self.distances(*pairs).reshape(others.shape))
        order = np.lexsort((names, found), axis=1)[:, :k]
        best, index = (np.take_along_axis(z, order, axis=1) for z in (found, names))
        complete = (names[:, -1] < 0) | (keys[:, -1].astype(np.float64) * unit > best[:, -1])
        return best, index.astype(np.int64), complete

    def within(self, i: np.ndarray, j: np.ndarray, limits: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Places in ``i`` and in ``j`` of all pairs not further than ``limits[i]``, and their distances."""
        at, of = (torch.as_tensor(k, device=self.x.device) for k in (i, j))
        most = torch.as_tensor(limits, device=self.x.device) * (1 + 2.0**-38)
        a, b = self._plain(at), self._plain(of)
        if not self.angular:
            middle = b.mean(0)
            a, b = a - middle, b - middle
        lengths = a.square().sum(1)[:, None] + b.square().sum(1)[None, :]
        squares = lengths - 2 * (a @ b.T) - (4 * a.shape[1] + 64) * 2.0**-53 * lengths
        if self.angular:
            squares[:, self.square[of] == 0] = 2.0
            most = 2 * most + 2.0**-41
        left, right = (z.cpu().numpy() for z in torch.nonzero(squares <= most[:, None], as_tuple=True))
        found = self.distances(i[left], j[right])
        near = found <= limits[left]
        return left[near], right[near], found[near]

    def _scaled(self, rows: Tensor) -> Tensor:
        return self.x[rows].double() * self.scale[rows, None] - self.mean[rows, None]

    def _plain(self, rows: Tensor) -> Tensor:
        """Rows in float64, of unit length where only the direction counts."""
        out = self._scaled(rows)
        if self.angular:
            square = self.square[rows]
            out /= torch.where(square > 0, square, 1.0).sqrt()[:, None]
        return out

    def _distances(self, i: Tensor, j: Tensor) -> Tensor:
        u, v = self._scaled(i), self._scaled(j)
        if not self.angular:
            gap = u - v
            return _rounded(_fold(gap * gap))
        uu, vv = self.square[i], self.square[j]
        void = (uu == 0) | (vv == 0)
        d = 1 - _fold(u * v) / torch.where(void, 1.0, uu * vv).sqrt()
        out = (d + GRID) - GRID
        close = torch.nonzero(~(d >= CLOSE) & ~void)[:, 0]
        gap = u[close] / uu[close].sqrt()[:, None] - v[close] / vv[close].sqrt()[:, None]
        half = _fold(gap * gap) * 0.5
        out[close] = torch.where(half < NOTHING, 0.0, _rounded(half))
        return torch.where(i == j, 0.0, torch.where(void, 1.0, out))


def _fold(terms: Tensor) -> Tensor:
    """Sums of the rows: the second half is added to the first until one column is left; overwrites them."""
    n = terms.shape[1]
    while n > 1:
        rest = (n + 1) // 2
        terms[:, : n - rest] += terms[:, rest:n]
        n = rest
    return terms[:, 0]


def _rounded(values: Tensor) -> Tensor:
    """To 40 bits."""
    far = values * SPLIT
    return far - (far - values)
