"""What the data of a run cannot tell, in sentences that follow from its numbers."""

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["RELIABLE", "limits", "models_ties"]

RELIABLE = 0.5  # reliability from which individual strengths may be ranked
_OF_TIES = ("tie_odds", "threshold")  # parameters of models of ties and grades


def limits(
    summary: Mapping[str, Any], card: Mapping[str, Any] | None, reliability: float | None
) -> list[str]:
    """Sentences on what a run cannot tell, each by a rule on a number.

    Args:
        summary: The object of `summary.json`.
        card: The object of `data.json`; None if there is none.
        reliability: Posterior mean of the reliability of individual strengths; None without.

    Example:
        >>> summary = {"panel": False, "family": "gamma", "n": {"items": 3}, "parameters": {}}
        >>> print(limits(summary, None, None)[0])
        Without respondents the spread of strength is a tail shape of the link: nothing here \
measures people.
    """
    return list(_people(summary, reliability)) + list(_model(summary, card))


def _people(summary: Mapping[str, Any], reliability: float | None) -> Iterator[str]:
    if not summary["panel"]:
        yield (
            "Without respondents the spread of strength is a tail shape of the link: nothing here "
            "measures people."
        )
        return
    if reliability is not None and reliability < RELIABLE:
        what = "tastes" if _examined_taste(summary) else "strengths"
        yield (
            f"Individual {what} have a reliability of {reliability:.2f}: too few votes each to "
            "rank or to name anybody."
        )
    yield (
        "A weak respondent may be careless, undecided, or of another taste: strength alone does "
        "not say which."
    )


def _model(summary: Mapping[str, Any], card: Mapping[str, Any] | None) -> Iterator[str]:
    n = summary["n"]
    if not _examined_taste(summary):
        yield (
            "Taste was not examined: a positive strength cannot change which answer is preferred, "
            "so disagreement about direction looks like weak strength or noise."
        )
    if n.get("ties") and not models_ties(summary):
        yield (
            f"{n['ties']:,} ties count as half a vote each way, which pulls strength towards 0; "
            "--ties models them."
        )
    if not (n.get("items") or n.get("features")):
        yield (
            "Strength is per unit of the margin: compare it between data sets only by measures "
            "free of that scale, such as relative disagreement."
        )
    elif summary.get("groups"):
        yield "The utilities carry the scale: mean strengths compare groups with each other only."
    else:
        yield "The mean strength is 1 by convention: the utilities carry the scale."
    if n.get("components", 1) > 1:
        yield (
            f"The items form {n['components']:,} groups that were never compared with each other: "
            "utilities compare within a group only."
        )
    if card is not None and n.get("dropped"):
        yield f"{n['dropped']:,} rows were dropped; if they are not like the rest, it shows here."


def models_ties(summary: Mapping[str, Any]) -> bool:
    """Whether a run has a model of ties or grades.

    Args:
        summary: The object of `summary.json`.

    Example:
        >>> models_ties({"parameters": {"tie_odds": {}}})
        True
    """
    return any(name.startswith(_OF_TIES) for name in summary["parameters"])


def _examined_taste(summary: Mapping[str, Any]) -> bool:
    return bool(summary.get("tastes") or summary.get("random"))
