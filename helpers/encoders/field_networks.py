"""The network of :class:`helpers.encoders.fields.CrossedFields`: tables, crossings, and what they are trained by."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import nn
from torch.nn import functional as F

from helpers.encoders.view_losses import align_uniform_loss, decorrelation_penalty, nearest_neighbour_entropy

__all__ = ["FieldNetwork"]


class FieldNetwork(nn.Module):
    """Tables of embeddings and the crossings of all pairs of fields.

    Parameters
    ----------
    sizes
        Number of values of each field.
    width, n_tables, crossing, n_experts, scale
        Shape of tables and crossings, as of :class:`helpers.encoders.fields.CrossedFields`.
    """

    def __init__(self, sizes: Sequence[int], width: int, n_tables: int, crossing: str, n_experts: int, scale: float):
        super().__init__()
        self.n_tables, self.part, self.crossing = n_tables, width // n_tables, crossing
        self.tables = nn.ModuleList(nn.Embedding(size, width) for size in sizes)
        self.single = nn.ModuleList(nn.Embedding(size, 1) for size in sizes)
        for table in self.tables:
            nn.init.normal_(table.weight, std=scale)
        for table in self.single:
            nn.init.zeros_(table.weight)
        self.bias = nn.Parameter(torch.zeros(()))
        first, second = zip(*combinations(range(len(sizes)), 2), strict=True)
        self.register_buffer("first", torch.tensor(first))
        self.register_buffer("second", torch.tensor(second))
        self.matrices, self.gate = None, None
        if crossing != "product":
            experts = n_experts if crossing == "experts" else 1
            start = torch.eye(self.part).expand(experts, len(first), n_tables, self.part, self.part)
            self.matrices = nn.Parameter(start + 0.1 * torch.randn(start.shape) / self.part**0.5)
        if crossing == "experts":
            self.gate = nn.Parameter(0.1 * torch.randn(n_experts, len(first), 2 * width))
        self.by_cosine = False
        self.line = nn.Parameter(torch.tensor([1.0, 0.0]), requires_grad=False)

    def embedded(self, x: torch.Tensor) -> torch.Tensor:
        """Embeddings (n, fields, width) of values (n, fields)."""
        return torch.stack([table(x[:, f]) for f, table in enumerate(self.tables)], dim=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (n,) of values (n, fields)."""
        e = self.embedded(x)
        if self.by_cosine:
            return self.line[0] * F.cosine_similarity(e[:, 0], e[:, 1]) + self.line[1]
        alone = sum(table(x[:, f])[:, 0] for f, table in enumerate(self.single))
        return self.bias + alone + self.crossed(e)

    def crossed(self, e: torch.Tensor) -> torch.Tensor:
        """Sum (n,) of the crossings of embeddings (n, fields, width)."""
        parts = e.reshape(*e.shape[:2], self.n_tables, self.part)
        a, b = parts[:, self.first], parts[:, self.second]
        if self.matrices is None:
            return (a * b).sum(dim=(1, 2, 3))
        each = torch.einsum("nctp,ectpq,nctq->nec", a, self.matrices, b)
        if self.gate is None:
            return each.sum(dim=(1, 2))
        both = torch.cat([e[:, self.first], e[:, self.second]], dim=2)
        shares = torch.softmax(torch.einsum("ncw,ecw->nec", both, self.gate), dim=1)
        return (shares * each).sum(dim=(1, 2))

    def click_loss(
        self, x: torch.Tensor, y: torch.Tensor, regularise: float, decorrelate: float, entropy: float
    ) -> torch.Tensor:
        """Cross-entropy of clicks (n,), and what is asked of crossings and tables besides."""
        loss = F.binary_cross_entropy_with_logits(self(x), y)
        if regularise and self.matrices is not None:
            grams = self.matrices.transpose(-1, -2) @ self.matrices
            off = grams - torch.eye(self.part, device=grams.device)
            loss = loss + regularise * off.square().sum(dim=(-1, -2)).mean() / self.part
        # Fields of few values cannot fill the directions.
        large = [table.weight for table in self.tables if len(table.weight) > self.n_tables * self.part]
        if decorrelate:
            loss = loss + decorrelate * sum(decorrelation_penalty(table) for table in large)
        if entropy:
            loss = loss - entropy * sum(nearest_neighbour_entropy(table) for table in large)
        return loss

    def pair_loss(self, x: torch.Tensor, weight: float) -> torch.Tensor:
        """Alignment and uniformity of the first two fields, of rows with a click."""
        return align_uniform_loss(self.tables[0](x[:, 0]), self.tables[1](x[:, 1]), weight=weight)

    @torch.no_grad()
    def judge_by_cosine(self, x: torch.Tensor, y: torch.Tensor) -> None:
        """Fit the chance of a click to the cosine of the first two fields."""
        from sklearn.linear_model import LogisticRegression

        cosine = F.cosine_similarity(self.tables[0](x[:, 0]), self.tables[1](x[:, 1]))
        found = LogisticRegression().fit(cosine.numpy()[:, None], y.numpy())
        self.line.copy_(torch.tensor([float(found.coef_[0, 0]), float(found.intercept_[0])]))
        self.by_cosine = True
