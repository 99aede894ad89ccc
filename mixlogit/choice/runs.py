"""Sums of log sigmoid over runs of one respondent's comparisons, at strengths in octaves.

`log sigmoid(x) = min(x, 0) - log(1 + exp(-|x|))`. Over a run the first part is one number times
strength, and the second the logarithm of a product; with five strengths to an octave,
exp(-2 b |d|) is the square of exp(-b |d|). A comparison then costs a square and a product at each
strength, and an exponential at five.
"""

import numpy as np
import torch
from torch import Tensor

__all__ = ["OCTAVE", "add_runs", "are_long"]

OCTAVE = 5  # nodes: from one to the fifth next strength doubles
_SHORT = 3.0  # shorter runs on average and their logarithms cost what the products save
_MOST = 512  # comparisons in a product: each factor is at most 2
_BLOCK = 1 << 18  # elements of comparisons x nodes worked on at once


def are_long(respondent: Tensor) -> bool:
    """Whether comparisons of one respondent mostly follow each other.

    Args:
        respondent: Code of the respondent of each comparison, a `comparison`-vector.
    """
    runs = 1 + int((respondent[1:] != respondent[:-1]).sum())
    return len(respondent) > _SHORT * runs


def add_runs(total: Tensor, margin: Tensor, respondent: Tensor, nodes: Tensor) -> None:
    """Add every respondent's sum of log sigmoid(strength x margin), in place.

    Args:
        total: `respondent x node`.
        margin: Signed margins, a `comparison`-vector.
        respondent: Code of the respondent of each comparison, a `comparison`-vector.
        nodes: Strengths, rising, each half of the fifth next: a `node`-vector.

    Example:
        >>> margin = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)
        >>> who = torch.tensor([0, 0, 1])
        >>> total = torch.zeros(2, 7, dtype=torch.float64)
        >>> nodes = 2.0 ** (torch.arange(7, dtype=torch.float64) / OCTAVE)
        >>> add_runs(total, margin, who, nodes)
        >>> want = torch.nn.functional.logsigmoid(margin.unsqueeze(-1) * nodes)
        >>> torch.allclose(total, torch.stack([want[:2].sum(0), want[2]]))
        True
    """
    against = torch.zeros(len(total), dtype=torch.float64)
    against.index_add_(0, respondent, margin.clamp(max=0.0).to(torch.float64))
    total.addcmul_(against.unsqueeze(-1), nodes)
    rows = max(1, _BLOCK // max(1, len(nodes)))
    for start in range(0, len(margin), rows):
        part = slice(start, start + rows)
        who, product = _products(margin[part].to(torch.float64).abs(), respondent[part], nodes)
        total.index_add_(0, who, product.log_().T, alpha=-1.0)


def _products(size: Tensor, respondent: Tensor, nodes: Tensor) -> tuple[Tensor, Tensor]:
    """Respondent of each run, and products of 1 + exp(-strength x size) over it: `node x run`."""
    factors = torch.empty(len(nodes), len(size), dtype=torch.float64)
    torch.exp(-nodes[:OCTAVE].unsqueeze(-1) * size, out=factors[:OCTAVE])
    for k in range(OCTAVE, len(nodes), OCTAVE):
        width = min(OCTAVE, len(nodes) - k)
        torch.square(factors[k - OCTAVE : k - OCTAVE + width], out=factors[k : k + width])
    factors.add_(1.0)
    block = torch.arange(len(size)) // _MOST
    first = torch.ones(len(size), dtype=torch.bool)
    first[1:] = (respondent[1:] != respondent[:-1]) | (block[1:] != block[:-1])
    starts = torch.nonzero(first).squeeze(-1)
    product = np.multiply.reduceat(factors.numpy(), starts.numpy(), axis=1)
    return respondent[starts], torch.from_numpy(product)
