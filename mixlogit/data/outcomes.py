"""Outcomes: how the words of a data set say first, second or tie."""

from collections.abc import Mapping

from mixlogit.data.values import kind_of
from mixlogit.errors import UsageError

__all__ = ["VALUE", "OutcomeLabels", "outcome_labels"]

VALUE = {"a": 1.0, "b": 0.0, "tie": 0.5}
OutcomeLabels = str | Mapping[str, object] | None


def outcome_labels(labels: OutcomeLabels) -> dict[str, str]:
    """The outcome (`a`, `b` or `tie`) that each word of the data means.

    Args:
        labels: None for the words a, b and tie themselves; a text such as
            `a=1,b=2,tie=equal`; or the same as a dictionary, whose values may be lists.

    Returns:
        Word to outcome.

    Raises:
        UsageError: If a key is none of a, b and tie; a or b is missing; a word is used twice.

    Example:
        >>> outcome_labels("a=1,b=2,tie=equal")
        {'1': 'a', '2': 'b', 'equal': 'tie'}
        >>> outcome_labels({"a": "model_a", "b": "model_b", "tie": ["tie", "both bad"]})
        {'model_a': 'a', 'model_b': 'b', 'tie': 'tie', 'both bad': 'tie'}
    """
    if labels is None:
        return {outcome: outcome for outcome in VALUE}
    words: dict[str, str] = {}
    for outcome, word in _pairs(labels):
        if outcome not in VALUE:
            raise UsageError(f'Labels map a, b and tie, not "{outcome}". Write a=1,b=2,tie=equal.')
        if words.setdefault(word, outcome) != outcome:
            raise UsageError(f'Labels use "{word}" for both {words[word]} and {outcome}.')
    lacking = [outcome for outcome in ("a", "b") if outcome not in words.values()]
    if lacking:
        raise UsageError(f"Labels lack {' and '.join(lacking)}. Write a=1,b=2,tie=equal.")
    return words


def _pairs(labels: str | Mapping[str, object]) -> list[tuple[str, str]]:
    if isinstance(labels, str):
        parts = [part.partition("=") for part in labels.split(",") if part.strip()]
        if not all(equals for _, equals, _ in parts):
            raise UsageError(f'Expected labels as a=1,b=2,tie=equal but got "{labels}".')
        return [(outcome.strip(), word.strip()) for outcome, _, word in parts]
    return [
        (outcome, _word(word))
        for outcome, words in labels.items()
        for word in (words if isinstance(words, list | tuple) else [words])
    ]


def _word(value: object) -> str:
    """A value as names are written: true for True, 1 for 1.0."""
    if kind_of(value) == "true/false":
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
