"""A checksum of judgements: fits are comparable only on the same ones."""

import hashlib
from typing import Any

from torch import Tensor

from mixlogit.data.choice_sets import ChoiceSets
from mixlogit.data.comparisons import Comparisons, Labels

__all__ = ["judgements_sha256"]


def judgements_sha256(data: Comparisons | ChoiceSets) -> str:
    """Checksum of who judged what, and how it came out.

    Of data from a file it covers the file and the judgements kept of it, so that fits of the
    same rows with other margins, items or features are comparable. Of data held in memory it
    covers margins, items and features too, for they are what tells one set from another.

    Args:
        data: The comparisons or choice sets.

    Example:
        >>> import torch
        >>> one = Comparisons(outcome=torch.ones(2), margin=torch.tensor([0.4, 0.1]))
        >>> two = Comparisons(outcome=torch.ones(2), margin=torch.tensor([0.4, 0.2]))
        >>> judgements_sha256(one) == judgements_sha256(two)
        False
    """
    parts: list[Any] = [type(data).__name__, data.respondent, data.weight]
    if isinstance(data, ChoiceSets):
        parts += [data.choice, data.chosen, data.alternative, data.occasion]
        seen: list[Any] = [data.features]
    else:
        parts += [data.outcome, data.grade]
        seen = [data.margin, data.features]
        if data.item_a is not None and data.item_b is not None:
            seen += [Labels(data.item_a, data.items), Labels(data.item_b, data.items)]
    parts += [data.source_sha256] if data.source_sha256 else seen
    digest = hashlib.sha256()
    for part in parts:
        _add(digest, part)
    return digest.hexdigest()


def _add(digest: Any, part: Any) -> None:
    if isinstance(part, Labels):
        digest.update("\n".join(part.labels).encode())
        part = part.codes
    if isinstance(part, Tensor):
        digest.update(f"{part.dtype}{tuple(part.shape)}".encode())
        digest.update(part.contiguous().numpy().tobytes())
    else:
        digest.update(f"{part}".encode())
    digest.update(b";")
