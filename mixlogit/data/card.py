"""The data card: what the data hold, and what they can and cannot tell."""

from typing import Any

from mixlogit.data.choice_sets import ChoiceSets
from mixlogit.data.comparisons import Comparisons
from mixlogit.data.streamed import Streamed

__all__ = ["data_card", "data_record"]


def data_card(data: Comparisons | ChoiceSets | Streamed) -> dict[str, Any]:
    """Counts, columns, findings and what is identified: the object of `mixlogit check --json`.

    Args:
        data: The comparisons or choice sets.

    Returns:
        `n`: comparisons, respondents, groups (column to number of labels), ties, dropped,
        items, components, features. `columns`: role to column. `length`, where there are texts:
        `correlation` of the difference in characters with the choice, and the share
        `longer_chosen` of the longer one. `warnings`: name, count and message of each finding.
        `identified`: whether the spread of `strength` over respondents and their `taste` can be
        estimated, and `why`, in sentences.

    Example:
        >>> import torch
        >>> card = data_card(Comparisons(outcome=torch.ones(2), margin=torch.tensor([0.4, 0.1])))
        >>> card["n"]["comparisons"], card["identified"]["strength"]
        (2, False)
    """
    several = _panels(data)
    if isinstance(data, ChoiceSets):
        n = {
            "comparisons": data.n_occasions,
            "choice_sets": data.n_sets,
            "alternatives": len(data.alternative),
        }
        strength = taste = several >= 2
        tells = "identify the spread of strength and of tastes" if taste else "are too few"
        why = [f"{several:,} respondents with two choices or more {tells}."]
    else:
        n = {"comparisons": data.n_comparisons}
        strength, why_strength = _strength(data, several)
        taste, why_taste = _taste(data, several)
        why = [why_strength, why_taste]
    card: dict[str, Any] = {
        "n": {
            **n,
            "respondents": data.n_respondents,
            "groups": {name: len(group) for name, group in data.groups.items()},
            "ties": 0 if isinstance(data, ChoiceSets) else data.n_ties,
            "dropped": len(data.dropped),
            "items": len(data.items),
            "components": data.n_components,
            "features": len(data.feature_names),
        },
        "columns": dict(data.columns),
        "warnings": [
            {"name": found.name, "count": found.count, "message": found.message}
            for found in data.warnings
        ],
        "identified": {"strength": strength, "taste": taste, "why": why},
    }
    if isinstance(data, ChoiceSets) or data.length is None:
        return card
    return card | {"length": _length(data)}


def data_record(data: Comparisons | ChoiceSets | Streamed) -> dict[str, Any]:
    """What `data.json` holds: the data card, the input's checksum, and every dropped row."""
    return {
        "source": data.source,
        "sha256": data.source_sha256,
        **data_card(data),
        "dropped": data.dropped,
    }


def _length(data: Comparisons) -> dict[str, float | None]:
    """Whether the longer text is chosen: length is not what people were asked about.

    `correlation` of the difference in characters with the choice, over both orders of each pair
    (so it does not matter which one is called first); `longer_chosen`, a share of the comparisons
    that are neither ties nor of equal lengths. None where nothing differs.
    """
    assert data.length is not None
    length, choice = data.length.double(), 2 * data.outcome - 1
    scale = float((length.square().sum() * choice.square().sum()).sqrt())
    sign = (length.sign() * choice)[length.sign() * choice != 0]
    return {
        "correlation": float((length * choice).sum()) / scale if scale else None,
        "longer_chosen": float((sign > 0).double().mean()) if sign.numel() else None,
    }


def _panels(data: Comparisons | ChoiceSets | Streamed) -> int:
    """Respondents with two comparisons or more."""
    return 0 if data.respondent is None else int((data.respondent.counts() >= 2).sum())


def _strength(data: Comparisons | Streamed, several: int) -> tuple[bool, str]:
    if data.kind == "texts":
        return False, (
            'Texts alone: "mixlogit align" learns it with a policy; "mixlogit margins" makes '
            "margins of two language models, which can be fitted."
        )
    if data.respondent is None:
        return False, (
            "No respondent column: a spread of strength is a tail shape of the link, "
            "not a measure of people."
        )
    if data.n_respondents == 1:
        return False, "One respondent: a spread of strength over respondents is not identified."
    have = f"{several:,} of {data.n_respondents:,} respondents have two comparisons or more"
    if several < 2:
        return False, f"{have}: a spread of strength over respondents is not identified."
    return True, f"{have}: they identify the spread of strength."


def _taste(data: Comparisons | Streamed, several: int) -> tuple[bool, str]:
    if data.kind in ("margin", "texts"):
        return False, "Given margins fix one direction for all: taste needs items or features."
    if several < 2:
        return False, "Taste needs respondents with two comparisons or more."
    return True, f"Taste can be examined: {data.kind} and panels are there."
