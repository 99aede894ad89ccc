"""Checks of predictions, prior, identification and influence: values, limits, advice."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixlogit.data import ChoiceSets
from mixlogit.models.calibration import Reliability
from mixlogit.models.identify import Identified
from mixlogit.models.loo import UnitsLeftOut
from mixlogit.models.replicated import Replicated
from mixlogit.models.sensitivity import power_sensitivity
from mixlogit.models.thin import thinned
from mixlogit.models.verdict import Check
from mixlogit.models.votes_left_out import VotesLeftOut

__all__ = [
    "identification_checks",
    "prediction_checks",
    "respondent_checks",
    "row_numbers",
    "sensitivity_checks",
    "vote_checks",
]

Array = NDArray[np.float64]
_P = 0.005  # a clean fit with five such checks fails one of them in a fortieth of all cases
_SENSITIVE, _NOTABLE = 0.15, 0.05  # sensitivity to a power of the prior, of the likelihood
_HIGH, _NAMED = 0.05, 3  # share of respondents with a high k, and how many of them are named
_WORDS = {
    "agreeing": "The share that agrees with the margin is not what the fit expects at every size "
    "of margin: try --lapse, another --family, or margins on another scale.",
    "respondent_sd": "Respondents differ more or less in how often they agree with the margins "
    "than the fit expects: try another --family (normal or classes allow reversed respondents).",
    "taste": "Votes of one respondent deviate together in some direction: people differ in taste, "
    "and strength alone misleads; compare with --tastes 2,3 or, with features, --random.",
    "more taste": "People differ in taste in another way than the fit lets them: try another "
    "number of --tastes or, with features, random ones (--random).",
    "tied": "Ties are not as frequent as the fit expects at every size of margin: try the other "
    "--ties model, or --width.",
    "mean_grade": "Grades do not rise with the margin as the fit expects: try --width, or leave "
    "them out.",
}
_NAMES = {
    "agreeing": "agreement by margin",
    "respondent_sd": "spread between respondents",
    "taste": "taste in residuals",
    "tied": "ties by margin",
    "mean_grade": "grades by margin",
}


def sensitivity_checks(
    values: Mapping[str, Array], log_prior: Array, log_likelihood: NDArray[np.float32] | None
) -> list[Check]:
    """Whether the prior moves mean or spread."""
    if not values:
        return []
    found = {
        name: power_sensitivity(value.reshape(-1), log_prior.reshape(-1))
        for name, value in values.items()
    }
    name = max(found, key=lambda key: found[key])
    advice = f"Prior and data disagree about {name}: set its prior with care (--prior-...)."
    if log_likelihood is not None:
        total = log_likelihood.sum(-1, dtype=np.float64)
        kept = thinned(values[name].shape[1], total.shape[1])
        data = power_sensitivity(values[name][:, kept].reshape(-1), total.reshape(-1))
        if data < _NOTABLE:
            advice = f"The prior decides about {name}, not the data: collect more votes."
    ok = found[name] <= _SENSITIVE
    return [Check("prior sensitivity", found[name], _SENSITIVE, ok, advice)]


def identification_checks(found: Identified) -> list[Check]:
    """Whether the data weigh more than the prior in every direction, at any scale of margins."""
    checks = []
    if found.information is not None:
        least = found.information.eigenvalues[0]
        parts = zip(found.information.parameters, found.information.weakest, strict=True)
        names = " and ".join(name for name, share in parts if abs(share) > 0.5)
        advice = f"The data cannot tell {names} apart from the prior; fix one, or collect more."
        checks.append(Check("information in the data", least, 1.0, least >= 1.0, advice))
    if found.rescaled is not None:
        advice = "Report this data set: the answer depends on the unit of the margins."
        ok = found.rescaled <= 0.01
        checks.append(Check("rescaled margins", found.rescaled, 0.01, ok, advice))
    return checks


def prediction_checks(
    found: Replicated, calibration: Reliability | None, *, tastes: bool
) -> list[Check]:
    """Whether the fit replicates its data, and its probabilities are right."""
    words = {**_WORDS, "taste": _WORDS["more taste"]} if tastes else _WORDS
    checks = [
        Check(_NAMES[name], p, _P, p >= _P, words[name]) for name, p in found.p_value.items()
    ]
    if calibration is not None:
        p = calibration.p_value
        advice = "Predicted probabilities are not right: see the calibration curve; try --lapse."
        checks.append(Check("calibration", p, _P, p >= _P, advice))
    return checks


def respondent_checks(problem: Any, found: UnitsLeftOut | None) -> list[Check]:
    """Whether single respondents weigh so much that leaving them out cannot be computed.

    Without a panel there is no such check: one comparison weighs next to nothing, and the tail of
    weights that are all alike has no meaning.
    """
    if found is None or not problem.panel:
        return []
    high = np.flatnonzero(found.k_hat > found.limit)
    share = len(high) / len(found.k_hat)
    labels = problem.unit_labels()
    worst = high[np.argsort(-found.k_hat[high])][:_NAMED]
    names = ", ".join(labels[unit] for unit in worst)
    more = f" and {len(high) - _NAMED} more" if len(high) > _NAMED else ""
    advice = (
        f"Respondents {names}{more} weigh so much that the elpd is not to be trusted: look at "
        "them, or fit without."
    )
    return [Check("share of high leave-one-out k", share, _HIGH, share <= _HIGH, advice)]


def vote_checks(problem: Any, found: VotesLeftOut | None) -> list[Check]:
    """Whether single votes weigh so much that leaving them out cannot be computed."""
    if found is None:
        return []
    high = np.flatnonzero(found.k_hat > found.limit)
    share = len(high) / len(found.k_hat)
    worst = high[np.argsort(-found.k_hat[high])][:_NAMED]
    names = ", ".join(str(number) for number in row_numbers(problem.data)[found.rows[worst]])
    more = f" and {len(high) - _NAMED} more" if len(high) > _NAMED else ""
    what = "Choice sets" if isinstance(problem.data, ChoiceSets) else "Votes of rows"
    advice = (
        f"{what} {names}{more} weigh so much that predictions of votes are not to be trusted: "
        "look at them, or fit without."
    )
    return [Check("share of high k by vote", share, _HIGH, share <= _HIGH, advice)]


def row_numbers(data: Any) -> NDArray[np.int64]:
    """Number of each judgement: of its row in the file, or its place in the data, from 1.

    Args:
        data: The data.

    Example:
        >>> import torch
        >>> from mixlogit.data import Comparisons
        >>> row_numbers(Comparisons(torch.ones(2), margin=torch.ones(2))).tolist()
        [1, 2]
    """
    row = getattr(data, "row", None)
    return np.arange(1, len(data) + 1) if row is None else np.asarray(row.numpy())
