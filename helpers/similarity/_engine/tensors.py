"""The compiled kernels' counterparts for tensors: on a GPU the representations never leave it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from helpers.similarity._engine.compiled import CANCELLED, CHUNK, OBJECTS, ROWS, VECTORS

Tensor = torch.Tensor
MENDED = 1 << 22  # entries of differences of rows at a time


class TorchKernels:
    """Same names and meanings as the compiled kernels; blocks follow one another on one device."""

    NAME = "torch"
    BLOCKS = (8192, 4096, 2048, 1024, 512, 256, 128, 64)
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
        t = m - middle
        c = x - mean
        e = c - t[:, None]
        out.copy_(e * scale)
        norm = out.double().square().sum(1)
        profile = mean - middle
        length = torch.where(flat, 0.0, (x - m[:, None]).square().sum(1).sqrt() * scale)
        whole = x.square().sum(1).sqrt() * scale
        shift = t * (scale * p**0.5)
        square = scale * scale
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

    def pack(self, values: Tensor, out: Tensor, diagonal: bool) -> None:
        out.copy_(self._counting(values, diagonal))

    def nearest(self, values, best_i, index_i, best_j, index_j, first_i: int, first_j: int, diagonal: bool) -> None:
        if diagonal:
            values = values + values.T
            values.fill_diagonal_(torch.inf)
            self._keep(values, best_i, index_i, first_j)
            return
        self._keep(values, best_i, index_i, first_j)
        self._keep(values.T, best_j, index_j, first_i)

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

    def rank(self, values: Tensor) -> None:
        n = values.numel()
        order = values.sort()
        _, group, counts = order.values.unique_consecutive(return_inverse=True, return_counts=True)
        ends = counts.cumsum(0).double()
        means = (ends - counts / 2 - n / 2) / n
        values[order.indices] = means[group].to(values.dtype)

    def cross(self, stack: Tensor) -> np.ndarray:
        flat = stack.reshape(len(stack), -1)
        whole = flat.shape[1] // CHUNK * CHUNK
        tail = flat[:, whole:]
        out = (tail @ tail.T).double()
        if whole:
            chunks = flat[:, :whole].reshape(len(flat), -1, CHUNK).transpose(0, 1)
            out += (chunks @ chunks.transpose(1, 2)).sum(0, dtype=torch.float64)
        return self.to_numpy(out)
