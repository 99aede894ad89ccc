"""The verdict over several fits: homogeneous, strength, taste, both, or not to be told."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from mixlogit.models.verdict import NO_PANEL, STRONG, Verdict, judge_strength

__all__ = ["Fitted", "weigh"]

Question = Literal["strength", "taste"]
_KINDS = {
    (False, False): "homogeneous",
    (True, False): "strength",
    (False, True): "taste",
    (True, True): "both",
}
_HEADLINES = {
    "homogeneous": "Homogeneous: no sign that respondents differ.",
    "strength": "Strength: respondents differ in how strongly they prefer what all prefer.",
    "taste": "Taste: respondents differ in what they prefer.",
    "both": "Both: respondents differ in what they prefer and in how strongly.",
    "unknown": "Cannot be told: the evidence is too weak, or it disagrees.",
}
_WHICH = (
    "Cannot be told: respondents differ, but these data do not say whether in strength or taste."
)
_NOTHING = "Cannot be told: no two of these runs can be weighed against each other."
_UNASKED = {
    (True,): "every run lets it differ, add one that does not",
    (False,): "no run lets it differ",
    (False, True): "no two runs differ in that alone",
}
_SUBJECTS = {"strength": "strength differs", "taste": "tastes differ"}


@dataclass(frozen=True, eq=False)
class Fitted:
    """One of the fits that are compared.

    Attributes:
        name: Its name.
        strength: Whether it lets strength differ between respondents.
        tastes: Number of latent tastes, and the random ones as they were asked for or None.
        record: What it says of itself.
        log_evidence: Log marginal likelihood, nats, if known.
        left_out: Leave-one-out log density of each respondent, nats.
        votes: Held-out log scores summed over each respondent's votes, if there were folds.
    """

    name: str
    strength: bool
    tastes: tuple[int, Any]
    record: dict[str, Any]
    log_evidence: float | None
    left_out: np.ndarray
    votes: np.ndarray | None

    @property
    def taste(self) -> bool:
        """Whether it lets tastes differ."""
        return self.tastes != (1, None)

    @property
    def kind(self) -> str:
        """The heterogeneity it allows."""
        return _KINDS[self.strength, self.taste]


class _Answer(NamedTuple):
    """What one kind of heterogeneity is worth: yes, no, noise or unknown; and in words."""

    says: str
    sentence: str


def weigh(fits: Sequence[Fitted], by: str) -> Verdict:
    """Which heterogeneity the data want.

    Each kind is asked for given the other, where a fit has both: strength beyond taste and taste
    beyond strength. If neither is needed beyond the other, each is asked for alone; if either
    alone would do, they are compared directly.

    A question is answered by all there is: a log Bayes factor above 3 (with random labels allowed
    for, where that was weighed) or a gain in held-out density of more than 3 nats and 2 standard
    errors speaks for, a log Bayes factor below -1 or such a loss against. Where one speaks for
    and another against, it cannot be told.

    Args:
        fits: The fits, best first.
        by: Who was left out, "respondent" or "comparison".
    """
    if by == "comparison":
        return Verdict("unknown", (NO_PANEL,))
    best: dict[str, Fitted] = {}
    for one in fits:
        best.setdefault(one.kind, one)
    beyond = {
        "strength": _ask("strength", best.get("both"), best.get("taste")),
        "taste": _ask("taste", best.get("both"), best.get("strength")),
    }
    alone = {
        "strength": _ask("strength", best.get("strength"), best.get("homogeneous")),
        "taste": _ask("taste", best.get("taste"), best.get("homogeneous")),
    }
    kind, headline, used = _decide(beyond, alone, best)
    sentences = [headline, *(answer.sentence for answer in used)]
    for what in ("strength", "taste"):
        if beyond[what] is None and alone[what] is None:
            lets = tuple(sorted({getattr(one, what) for one in fits}))
            sentences.append(f"{what.capitalize()} was not examined: {_UNASKED[lets]}.")
    return Verdict(kind, tuple(sentences))


def _decide(
    beyond: dict[str, _Answer | None],
    alone: dict[str, _Answer | None],
    best: dict[str, Fitted],
) -> tuple[str, str, list[_Answer]]:
    """Kind, headline, and the answers that it rests on."""
    needed = [what for what, answer in beyond.items() if answer and answer.says == "yes"]
    given = [answer for answer in beyond.values() if answer]
    if needed:
        kind = "both" if len(needed) == 2 else needed[0]
        return kind, _HEADLINES[kind], given
    simple = [answer for answer in alone.values() if answer]
    would = [what for what, answer in alone.items() if answer and answer.says == "yes"]
    used = [*given, *simple]
    if len(would) == 2:
        winner = _direct(best["strength"], best["taste"])
        return winner or "unknown", _HEADLINES[winner] if winner else _WHICH, used
    if would:
        return would[0], _HEADLINES[would[0]], used
    if simple and all(answer.says in ("no", "noise") for answer in simple):
        return "homogeneous", _HEADLINES["homogeneous"], used
    return "unknown", _HEADLINES["unknown"] if used else _NOTHING, used


def _ask(question: Question, wide: Fitted | None, narrow: Fitted | None) -> _Answer | None:
    """Whether the data want what `wide` allows and `narrow` does not; None if nothing says."""
    if wide is None:
        return None
    speaks: dict[str, str] = {}  # source of evidence -> yes, no, noise or unknown
    figures = []
    bayes = _bayes(question, wide, narrow)
    if bayes is not None:
        speaks["the log Bayes factor"], words = bayes
        figures.append(words)
    if narrow is not None:
        sources = {"respondents left out": (wide.left_out, narrow.left_out)}
        if wide.votes is not None and narrow.votes is not None:
            sources["votes held out"] = (wide.votes, narrow.votes)
        for name, (more, less) in sources.items():
            speaks[name], words = _density(more - less)
            figures.append(f"{name} {words}")
    if not figures:
        return None
    says = _combined(list(speaks.values()))
    against = "" if narrow is None else f"{wide.name} against {narrow.name}: "
    sentence = f"{_words(question, says)} ({against}{'; '.join(figures)})."
    if says == "yes":
        strong = [name for name, value in speaks.items() if value == "yes"]
        listed = ", ".join(strong[:-1]) + " and " * (len(strong) > 1) + strong[-1]
        sentence += f" This rests on {listed}."
    elif says == "unknown" and {"yes", "no"} <= set(speaks.values()):
        sentence += " The evidence disagrees."
    return _Answer(says, sentence)


def _combined(values: list[str]) -> str:
    if "noise" in values:
        return "noise"  # more strong votes for a spread do not speak against random labels
    if "yes" in values:
        return "unknown" if "no" in values else "yes"
    return "no" if "no" in values else "unknown"


def _words(question: Question, says: str) -> str:
    subject = _SUBJECTS[question]
    return {
        "yes": f"{subject.capitalize()} between respondents",
        "no": f"No sign that {subject} between respondents",
        "noise": f"Noise: random labels explain what looks as if {subject}",
        "unknown": f"These data cannot tell whether {subject} between respondents",
    }[says]


def _bayes(question: Question, wide: Fitted, narrow: Fitted | None) -> tuple[str, str] | None:
    """What the log Bayes factor says, and its words."""
    own = wide.record["evidence"] or {}
    if question == "strength" and "log_bayes_factor_lapse" in own:
        plain, lapsed = own["log_bayes_factor"], own["log_bayes_factor_lapse"]
        says = judge_strength(plain, lapsed, own["log_bayes_factor_noise"])
        words = f"{plain:+.1f}, {lapsed:+.1f} with random labels allowed for"
        return says, f"log Bayes factor {words}"
    if f"log_bayes_factor_{question}" in own:
        plain = own[f"log_bayes_factor_{question}"]
    elif narrow is None or wide.tastes != narrow.tastes:
        return None  # programs with other priors of the coefficients
    elif wide.log_evidence is None or narrow.log_evidence is None:
        return None
    else:
        plain = wide.log_evidence - narrow.log_evidence
    says = "yes" if plain > STRONG else "no" if plain < -1.0 else "unknown"
    return says, f"log Bayes factor {plain:+.1f}"


def _density(gain: np.ndarray) -> tuple[str, str]:
    """What a gain in held-out density by respondent says, and its words."""
    total, se = float(gain.sum()), float(gain.std()) * len(gain) ** 0.5
    clear = abs(total) > max(STRONG, 2 * se)
    says = "unknown" if not clear else "yes" if total > 0 else "no"
    return says, f"{total:+.1f} +- {se:.1f}"


def _direct(strength: Fitted, taste: Fitted) -> str | None:
    """Which of two kinds that would both do is clearly better by held-out density."""
    gains = [strength.left_out - taste.left_out]
    if strength.votes is not None and taste.votes is not None:
        gains.append(strength.votes - taste.votes)
    says = _combined([_density(gain)[0] for gain in gains])
    return {"yes": "strength", "no": "taste"}.get(says)
