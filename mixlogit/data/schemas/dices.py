"""DICES: many people say of a conversation whether it is unsafe (Aroyo et al., 2023).

The set holds no pairs. One comparison is made of two conversations that one person judged
differently: the safest with the most unsafe, the next with the next, each used once. The
conversations have no prompt in common, so whole conversations are compared.
"""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from mixlogit.data.schemas.base import Made, Malformed, Row, Schema, comparison, label

__all__ = ["DICES"]

_SAFE = {"No": 1.0, "Unsure": 0.5, "Yes": 0.0}
_GROUPS = ("gender", "race", "age", "education", "locale")


def _comparisons(rows: list[Row], file: str) -> Iterator[tuple[int, Made]]:
    """Comparisons in the order of the rows of their chosen conversations."""
    panels: dict[Any, dict[Any, tuple[float, int]]] = {}
    made: list[tuple[int, Made]] = []
    for i, row in enumerate(rows):
        try:
            safe = label(row, "Q_overall", _SAFE)
        except Malformed as error:
            made.append((i, error))
            continue
        # who judged a conversation twice is taken at the first word
        panels.setdefault(row["rater_id"], {}).setdefault(row["item_id"], (safe, i))
    for panel in panels.values():
        ranked = sorted(panel.values(), key=lambda judged: judged[0])
        for (low, worse), (high, better) in zip(ranked, reversed(ranked), strict=True):
            if low >= high:
                break
            made.append((better, _comparison(rows[better], rows[worse], high - low)))
    yield from sorted(made, key=lambda each: each[0])


def _comparison(better: Row, worse: Row, grade: float) -> Made:
    made = comparison(
        "",
        (_said(better), _said(worse)),
        "a",
        {"item": (str(better["item_id"]), str(worse["item_id"]))},
        respondent=str(better["rater_id"]),
        grade=grade,
        **{name: better.get(f"rater_{name}") for name in _GROUPS},
    )
    if isinstance(made, dict):
        del made["prompt"]
    return made


def _said(row: Row) -> str:
    return "\n".join(part for part in (row["context"], row["response"]) if part)


DICES = Schema(
    name="dices",
    title="DICES",
    hub=None,
    needs=("rater_id", "item_id", "context", "response", "Q_overall"),
    uses=tuple(f"rater_{name}" for name in _GROUPS),
    columns=pa.schema(
        [
            *((name, pa.string()) for name in ("chosen", "rejected", "outcome", "respondent")),
            ("grade", pa.float64()),
            *((name, pa.string()) for name in ("item_chosen", "item_rejected", *_GROUPS)),
        ]
    ),
    comparisons=_comparisons,
    files=("*.csv",),
    respondent="rater_id",
    whole=True,
)
