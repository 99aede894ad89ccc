"""A checksum of judgements: fits are comparable only on the same ones."""

import hashlib
from typing import Any

from torch import Tensor

from mixlogit.data.choice_sets import ChoiceSets
from mixlogit.data.comparisons import Comparisons, Labels
from mixlogit.data.streamed import Streamed

__all__ = ["judgements_sha256"]


def judgements_sha256(data: Comparisons | ChoiceSets | Streamed) -> str:
    """Checksum of who judged what, and how it came out.

    Of data from a file it covers the file and the judgements kept of it, so that fits of the
    same rows with other margins, items or features are comparable. Of data held in memory it
    covers margins, items and features too, for they are what tells one set from another.
    Of streamed votes it covers the file, the columns that say who judged and how it came out,
    and the rows dropped, so that streamed fits are comparable with each other.

    Args:
        data: The comparisons, choice sets or streamed votes.

    Example:
        >>> import torch
        >>> one = Comparisons(outcome=torch.ones(2), margin=torch.tensor([0.4, 0.1]))
        >>> two = Comparisons(outcome=torch.ones(2), margin=torch.tensor([0.4, 0.2]))
        >>> judgements_sha256(one) == judgements_sha256(two)
        False
    """
    if isinstance(data, Streamed):
        return _of_streamed(data)
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
    return _digest(parts)


def _of_streamed(data: Streamed) -> str:
    columns = [data.columns.get(role) for role in ("respondent", "outcome", "weight")]
    dropped = [(row.file, row.row) for row in data.dropped]
    told = data.source_sha256 or f"{data.rms} {data.largest}"
    return _digest(
        ["Streamed", told, columns, data.words, data.n_comparisons, data.n_ties, dropped]
    )


def _digest(parts: list[Any]) -> str:
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
