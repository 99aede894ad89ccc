"""K-fold over votes: each scored by a fit of the other folds, other votes of its judge in it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mixlogit.data import ChoiceSets, Comparisons
from mixlogit.errors import UsageError
from mixlogit.models.covariates import Covariates
from mixlogit.models.infer import Progress
from mixlogit.models.posterior import Posterior
from mixlogit.models.priors import Priors
from mixlogit.models.taste_problem import RandomTastes

__all__ = ["assign_folds", "fit_again", "fold_scores"]

_DRAWS = 400


def assign_folds(data: Comparisons | ChoiceSets, folds: int, seed: int = 0) -> Tensor:
    """The fold of each vote: every respondent's votes spread evenly; a ranking stays whole.

    Args:
        data: The votes.
        folds: Number of folds, at least 2.
        seed: Seed of the random order.

    Returns:
        A vector of folds from 0, one for each vote (choice set).

    Raises:
        UsageError: For fewer than 2 folds, or more folds than votes.

    Example:
        >>> import mixlogit as ml
        >>> fold = assign_folds(ml.simulate(40, 4, seed=1).comparisons(), 5)
        >>> torch.bincount(fold).tolist()
        [8, 8, 8, 8, 8]
    """
    occasion = getattr(data, "occasion", None)
    one = torch.arange(len(data)) if occasion is None else occasion
    n = int(one[-1]) + 1
    if not 2 <= folds <= n:
        raise UsageError(f"Expected 2 to {n:,} folds but got {folds}.")
    who = torch.zeros(n, dtype=torch.long)
    if data.respondent is not None:
        who[one] = data.respondent.codes
    shuffled = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    order = shuffled[torch.argsort(who[shuffled], stable=True)]
    fold = torch.empty(n, dtype=torch.long)
    fold[order] = torch.arange(n) % folds  # neighbours are one respondent's: at most one apart
    return fold[one]


def fit_again(
    arguments: Mapping[str, Any], data: Comparisons | ChoiceSets, seed: int = 0
) -> Posterior:
    """The same model on other votes, without weighing evidence.

    Args:
        arguments: Those in the record of a fit, perhaps read from JSON.
        data: The votes.
        seed: Seed.
    """
    from mixlogit.models.fit import fit

    again = dict(arguments)
    if again["priors"] is not None:
        again["priors"] = Priors(**again["priors"])
    for name in ("covariates", "strength_covariates"):
        if again.get(name) is not None:
            again[name] = Covariates(**again[name])
    if again["random"]:
        again["random"] = RandomTastes(**again["random"])
    return fit(data, **again, evidence=False, draws=_DRAWS, seed=seed)


def fold_scores(
    arguments: Mapping[str, Mapping[str, Any]],
    data: Comparisons | ChoiceSets,
    folds: int,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, np.ndarray]:
    """Log probability of each vote by fits of each model to the other folds.

    Args:
        arguments: Arguments of `mixlogit.fit` by name of the model.
        data: The votes.
        folds: Number of folds.
        seed: Seed of folds and fits.
        progress: Called with the model, fits done and fits in all.

    Returns:
        By model a vector with one value for each vote, nats; NaN for a tie that is not modelled.
    """
    fold = assign_folds(data, folds, seed)
    out = {}
    for k, (name, asked) in enumerate(arguments.items()):
        score = np.full(len(data), np.nan)
        for f in range(folds):
            test = data.take(fold == f)
            values = fit_again(asked, data.take(fold != f), seed).log_scores(test)
            rows = torch.nonzero(fold == f).squeeze(-1)
            if len(values) < len(rows):
                rows = rows[test.outcome != 0.5]  # type: ignore[union-attr]  # no ties in sets
            score[rows.numpy()] = values
            if progress is not None:
                progress(name, k * folds + f + 1, len(arguments) * folds)
        out[name] = score
    return out
