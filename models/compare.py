"""`mixlogit.compare`: which of several fits of the same votes do the data want?"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from mixlogit.data import ChoiceSets, Comparisons
from mixlogit.data.fingerprint import judgements_sha256
from mixlogit.errors import UsageError
from mixlogit.models.folds import fold_scores
from mixlogit.models.infer import K_LIMIT, Progress
from mixlogit.models.loo import LeftOut, left_out
from mixlogit.models.posterior import Posterior, open_run
from mixlogit.models.verdict import Verdict
from mixlogit.models.weighing import Fitted, weigh
from mixlogit.run.notebook import html_table

__all__ = ["ModelComparison", "compare", "stacking_weights"]

Unit = Literal["respondent", "comparison"]
_SHOWN = ["kind", "elpd", "se", "difference", "difference_se", "weight"]


@dataclass(frozen=True, eq=False)
class ModelComparison:
    """Several fits of the same votes, the best first.

    Attributes:
        table: One row a fit, indexed by name: `kind` of heterogeneity it allows; `elpd` and `se`
            (leave-one-out, nats), `difference` to the best and `difference_se` (paired),
            `weight` (stacking), `high_k` (how many have Pareto k above 0.7), `log_evidence`;
            with folds also `votes`, `votes_difference` and `votes_difference_se`.
        verdict: Which heterogeneity the data want, and why.
        high_k: Names of those left out whose density is not to be relied on, by fit.
        by: Who was left out: "respondent" or "comparison".
        folds: Number of folds of votes; 0 for none.
    """

    table: pd.DataFrame
    verdict: Verdict
    high_k: dict[str, tuple[str, ...]]
    by: Unit
    folds: int

    def __repr__(self) -> str:
        """The fits, the best first, and the verdict."""
        shown = self.table[_SHOWN].to_string(float_format="{:.2f}".format)
        return "\n".join([f"Leave one {self.by} out", shown, *self.verdict.sentences])

    def _repr_html_(self) -> str:
        """In notebooks: the same."""
        rows = [(name, *row[_SHOWN]) for name, row in self.table.iterrows()]
        title = f"Leave one {self.by} out"
        return html_table(title, ["", *_SHOWN], rows, self.verdict.sentences)

    def to_dict(self) -> dict[str, Any]:
        """The object that `mixlogit compare --json` prints."""
        rows = self.table.reset_index(names="run").to_dict("records")
        for row in rows:
            row["high_k"] = list(self.high_k[str(row["run"])])
        return {
            "models": rows,
            "by": self.by,
            "folds": self.folds,
            "verdict": self.verdict.to_dict(),
        }


def compare(
    runs: Mapping[str, Posterior | str | Path],
    by: Unit = "respondent",
    *,
    folds: int = 0,
    data: Comparisons | ChoiceSets | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> ModelComparison:
    """Compare fits of the same votes, and say which heterogeneity the data want.

    Leave-one-respondent-out predicts all votes of a judge who was never seen; it comes from the
    stored marginal likelihoods by Pareto-smoothed importance sampling (Vehtari et al. 2017) and
    has little power to tell one strength from many. `folds` predicts votes of judges whose other
    votes are known, and fits every model again so many times. The verdict weighs both, and the
    log marginal likelihoods (Bayes factors), and says on which it rests.

    Args:
        runs: Posteriors or run folders by name.
        by: Who is left out: "respondent", or "comparison" for fits without a panel.
        folds: Folds of votes within respondents; 0: none.
        data: The votes, for `folds`.
        seed: Seed of the folds.
        progress: Called with the model, fits done and fits in all.

    Raises:
        UsageError: Fewer than two runs, runs of different data, units or treatment of ties.
        StorageError: For a folder that is no run.

    Example:
        >>> import mixlogit as ml
        >>> data = ml.simulate(600, 30, "lognormal", cv=1.5, seed=1).comparisons()
        >>> compared = compare(ml.fit_grid(data, evidence=False, draws=400))
        >>> list(compared.table.index), compared.verdict.heterogeneity
        (['lognormal', 'fixed'], 'strength')
    """
    opened = _opened(runs)
    densities = _densities(opened, by)
    _same_data({name: run.to_dict() for name, run in opened.items()})
    total = {name: float(found.log_density.sum()) for name, found in densities.items()}
    order = sorted(total, key=lambda name: -total[name])
    each = pd.DataFrame({name: densities[name].log_density.numpy() for name in order})
    votes = _votes(opened, data, folds, seed, progress) if folds else None
    fits = [_fitted(opened[name].to_dict(), each[name], votes, name) for name in order]
    frame = {
        "kind": [one.kind for one in fits],
        **_differences(each, "elpd"),
        "weight": stacking_weights(each.to_numpy()),
        "high_k": [int((densities[name].k_hat > K_LIMIT).sum()) for name in order],
        "log_evidence": [one.log_evidence for one in fits],
    }
    if votes is not None:
        frame |= _differences(votes[order], "votes")
    high = {
        name: tuple(np.asarray(found.labels)[found.k_hat.numpy() > K_LIMIT].tolist())
        for name, found in densities.items()
    }
    table = pd.DataFrame(frame, index=pd.Index(order, name="run"))
    return ModelComparison(table, weigh(fits, by), high, by, folds)


def stacking_weights(log_density: np.ndarray) -> np.ndarray:
    """Weights of the mixture of models that predicts best (stacking; Yao et al. 2018).

    Args:
        log_density: `unit x model`, leave-one-out, nats.

    Returns:
        A `model`-vector that sums to 1: the maximum of a concave function, found by EM.

    Example:
        >>> stacking_weights(np.log([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8]])).round(2).tolist()
        [0.85, 0.15]
    """
    p = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    weight = np.full(p.shape[1], 1.0 / p.shape[1])
    for _ in range(20_000):
        share = p * weight
        new = (share / share.sum(axis=1, keepdims=True)).mean(axis=0)
        change, weight = np.abs(new - weight).max(), new
        if change < 1e-9:
            break
    return weight


def _opened(runs: Mapping[str, Posterior | str | Path]) -> dict[str, Posterior]:
    if len(runs) < 2:
        raise UsageError(f"Expected at least two runs to compare but got {len(runs)}.")
    return {
        str(name): run if isinstance(run, Posterior) else open_run(run)
        for name, run in runs.items()
    }


def _densities(runs: Mapping[str, Posterior], by: Unit) -> dict[str, LeftOut]:
    """Leave-one-out densities of every run, of the same units in the same order."""
    if by not in ("respondent", "comparison"):
        raise UsageError(f'Expected by "respondent" or "comparison" but got "{by}".')
    out: dict[str, LeftOut] = {}
    for name, run in runs.items():
        if run.panel != (by == "respondent"):
            how = "a panel of respondents" if run.panel else "single comparisons"
            raise UsageError(
                f"{name} was fitted to {how}, so it cannot be compared by {by}. Fit all runs with "
                "respondents, or all without (--no-panel) and compare by comparison."
            )
        found = left_out(run.to_datatree())
        if found is None:
            raise UsageError(
                f"{name} keeps no log-likelihood by comparison (there are more than 40,000): fit "
                "with respondents to compare it."
            )
        out[name] = found
    return out


def _same_data(records: Mapping[str, dict[str, Any]]) -> None:
    """Refuse runs of different judgements."""
    (first, known), *others = records.items()
    for name, record in others:
        if record["data_sha256"] != known["data_sha256"]:
            n, m = (one["n"]["comparisons"] for one in (known, record))
            raise UsageError(
                f"{first} and {name} were fitted to different data ({n:,} and {m:,} comparisons; "
                "their checksums differ). Fit both to the same votes."
            )
        ties = [one["arguments"]["ties"] for one in (known, record)]
        if known["n"]["ties"] and ("half" in ties) and ties[0] != ties[1]:
            raise UsageError(
                f"{first} has ties {ties[0]} and {name} ties {ties[1]}: half votes give a tie no "
                "probability. Fit both with modelled ties, or both without."
            )


def _votes(
    runs: Mapping[str, Posterior],
    data: Comparisons | ChoiceSets | None,
    folds: int,
    seed: int,
    progress: Progress | None,
) -> pd.DataFrame:
    """Held-out log scores summed over each respondent's votes: `respondent x run`."""
    records = {name: run.to_dict() for name, run in runs.items()}
    if data is None:
        raise UsageError("Folds fit every model again: give the votes as data=.")
    if judgements_sha256(data) != next(iter(records.values()))["data_sha256"]:
        raise UsageError(
            f"{data.source} is not what the runs were fitted to (its checksum differs)."
        )
    arguments = {name: record["arguments"] for name, record in records.items()}
    scores = pd.DataFrame(fold_scores(arguments, data, folds, seed=seed, progress=progress))
    codes = range(len(scores)) if data.respondent is None else data.respondent.codes.numpy()
    return scores.groupby(np.asarray(codes)).sum()


def _differences(each: pd.DataFrame, what: str) -> dict[str, Any]:
    """Totals and paired differences to the best, with standard errors, by column of `each`."""
    n = len(each)
    gap = each.sub(each[each.sum().idxmax()], axis=0)
    prefix = "" if what == "elpd" else f"{what}_"
    out = {what: each.sum().tolist()}
    if what == "elpd":
        out["se"] = (each.std(ddof=0) * n**0.5).tolist()
    return out | {
        f"{prefix}difference": gap.sum().tolist(),
        f"{prefix}difference_se": (gap.std(ddof=0) * n**0.5).tolist(),
    }


def _fitted(
    record: dict[str, Any], each: pd.Series, votes: pd.DataFrame | None, name: str
) -> Fitted:
    evidence, asked = record["log_evidence"], record["arguments"]
    tastes = asked["tastes"], asked["random"]
    # with tastes of either kind groups and covariates act on those
    by = tastes == (1, None) and (bool(asked["by"]) or asked["covariates"] is not None)
    return Fitted(
        name,
        strength=record["family"] != "fixed" or by,
        tastes=tastes,
        record=record,
        log_evidence=None if evidence is None else evidence["estimate"],
        left_out=each.to_numpy(),
        votes=None if votes is None else votes[name].to_numpy(),
    )
