"""The verdict in words: from numbers, by rules."""

from dataclasses import asdict, dataclass

from mixlogit.models.evidence import Evidence

__all__ = ["NO_PANEL", "STRONG", "Check", "Verdict", "give_verdict", "judge_strength"]

STRONG = 3.0  # log Bayes factor, nats
NO_PANEL = (
    "Without respondents the spread of strength is a tail shape of the link and not a measure of "
    "people; no verdict on heterogeneity is given."
)
_TASTE = (
    "Taste was not examined: these models cannot tell whether people disagree about direction."
)
_TASTE_OF_UTILITIES = (
    "Taste was not examined; run with --tastes 2,3 to see whether disagreement is about direction."
)


@dataclass(frozen=True)
class Check:
    """One check of a fit.

    Attributes:
        name: What was checked.
        value: The figure.
        threshold: The figure it must not pass.
        ok: Whether it holds.
        advice: What to do where it does not.
    """

    name: str
    value: float
    threshold: float
    ok: bool
    advice: str

    def to_dict(self) -> dict[str, object]:
        """As a JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class Verdict:
    """What was learnt.

    Attributes:
        heterogeneity: "homogeneous", "strength" or "unknown".
        sentences: In words: what was learnt, and what these data could not tell.
    """

    heterogeneity: str
    sentences: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """As a JSON object."""
        return asdict(self)


def give_verdict(
    evidence: Evidence | None, *, panel: bool, family: str, utilities: bool = False
) -> Verdict:
    """The verdict on heterogeneity of strength.

    Rules: without respondents none is given. With them, the spread counts as strength when the
    log Bayes factor of mixed against fixed exceeds 3, and still does when both may lapse. It is
    noise when it exceeds 3 only without a lapse rate, or when fixed strength with a lapse rate
    beats fixed strength by more than 3 and mixing adds nothing. Below -1 judges are homogeneous.

    Args:
        evidence: From `weigh_evidence`; None if it was not weighed.
        panel: Whether respondents were modelled.
        family: Name of the family.
        utilities: Whether there are items or features, so that tastes can be fitted.
    """
    taste = _TASTE_OF_UTILITIES if utilities else _TASTE
    if not panel:
        return Verdict(
            "unknown",
            (
                NO_PANEL,
                "Name the column of respondents with --respondent to measure how judges differ.",
            ),
        )
    if family == "fixed":
        return Verdict("unknown", ("One strength for all was assumed, not examined.", taste))
    if evidence is None:
        sentence = "Whether strength differs was not weighed; leave --evidence on to find out."
        return Verdict("unknown", (sentence, taste))
    kind, sentence = _judge(evidence)
    return Verdict(kind, (sentence, taste))


def judge_strength(plain: float, lapsed: float, noise: float) -> str:
    """What log Bayes factors say of strength: "yes", "noise", "no" or "unknown".

    Args:
        plain: Mixed against fixed strength, nats.
        lapsed: The same, both with a lapse rate.
        noise: Fixed strength with a lapse rate against without.

    Example:
        >>> judge_strength(12.0, 5.0, 0.0), judge_strength(12.0, 1.0, 0.0)
        ('yes', 'noise')
    """
    if plain > STRONG and lapsed > STRONG:
        return "yes"
    if plain > STRONG or (noise > STRONG and lapsed <= STRONG):
        return "noise"
    return "no" if plain < -1.0 and lapsed < 0.0 else "unknown"


def _judge(evidence: Evidence) -> tuple[str, str]:
    plain, lapsed = evidence.log_bayes_factor, evidence.log_bayes_factor_lapse
    figures = f"log Bayes factor {plain:+.1f}, {lapsed:+.1f} with random labels allowed for"
    says = judge_strength(plain, lapsed, evidence.log_bayes_factor_noise)
    if says == "yes":
        return "strength", f"Strength differs between respondents ({figures})."
    if says == "noise":
        return "homogeneous", (
            f"Noise, not strength: a share of {evidence.lapse:.0%} random labels explains what "
            f"looks like differing strength ({figures}); with it the spread falls to "
            f"{evidence.log_sd_lapse:.2f}."
        )
    if says == "no":
        return "homogeneous", f"No sign that strength differs between respondents ({figures})."
    return "unknown", (
        f"These data cannot tell whether strength differs between respondents ({figures}); more "
        "votes for each respondent would."
    )
