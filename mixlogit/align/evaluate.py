"""`mixlogit.evaluate`: how an aligned policy does on comparisons that it was not trained on."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mixlogit.align.dataset import PreferenceData
from mixlogit.align.evaluation import Judged, evaluate_judged
from mixlogit.align.prepare import READING, sorted_out
from mixlogit.align.refit import log_predictive
from mixlogit.align.results import judged_margins
from mixlogit.align.saved import Run
from mixlogit.align.win_rate import Contest
from mixlogit.data import Comparisons
from mixlogit.errors import DataWarning, UsageError
from mixlogit.lm.cache import user_cache
from mixlogit.lm.load import quiet_transformers
from mixlogit.lm.pairing import Pairing
from mixlogit.models import open_run
from mixlogit.run import Progress, silent
from mixlogit.run.notebook import html_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Evaluation", "evaluate"]

_CHANCE = 0.1  # share of comparisons whose margin and respondent occur twice by chance, at most


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What `evaluate` found.

    Attributes:
        figures: The object of `mixlogit evaluate --json`.
        comparisons: One row a decided comparison: margin (first minus second), outcome,
            respondent, groups, log_score, and lengths in tokens; no texts.
    """

    figures: Mapping[str, Any]
    comparisons: "pd.DataFrame"

    def with_win_rate(self, found: Mapping[str, Any]) -> "Evaluation":
        """The same with a win rate."""
        return replace(self, figures={**self.figures, "win_rate": found})

    def to_dict(self) -> dict[str, Any]:
        """The object of `mixlogit evaluate --json`."""
        return dict(self.figures)

    def summary(self) -> "pd.DataFrame":
        """Every figure with its 90 % interval, one a row."""
        import pandas as pd

        rows = dict(_rows(self.figures))
        return pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "q05", "q95"])

    def __repr__(self) -> str:
        """The table."""
        return self.summary().to_string(float_format="{:.4f}".format)

    def _repr_html_(self) -> str:
        """In notebooks: the same table."""
        rows = self.summary().itertuples(name=None)
        return html_table("Evaluation", ["", "estimate", "5 %", "95 %"], rows)


def _rows(figures: Mapping[str, Any], name: str = "") -> list[tuple[str, Mapping[str, Any]]]:
    """Figures with intervals, however deep, by their path."""
    out: list[tuple[str, Mapping[str, Any]]] = []
    if "estimate" in figures and "q05" in figures:
        label = f" ({figures['label']})" if "label" in figures else ""
        out.append((f"{name}{label}", figures))
    for key, value in figures.items():
        if isinstance(value, Mapping):
            out += _rows(value, f"{name} {key}".strip())
    return out


def evaluate(
    run: str | Path,
    data: Any,
    *,
    by: Sequence[str] = (),
    reference: Any = None,
    tokenizer: Any = None,
    dtype: str = "auto",
    device: str | None = None,
    batch_tokens: int | None = None,
    cache: str | Path | None = "auto",
    seed: int = 0,
    replicates: int = 1000,
    progress: Progress | None = None,
    **options: Any,
) -> Evaluation:
    """Evaluate an aligned policy on held-out comparisons.

    Args:
        run: The run folder of an alignment.
        data: Comparisons of texts, as `mixlogit.texts` takes them.
        by: Group columns to tell apart, besides those of the run.
        reference: The reference; default: that of the run.
        tokenizer: The tokenizer, if not the policy's.
        dtype: Of the models.
        device: Of the models.
        batch_tokens: Most tokens that go through a model at a time.
        cache: Folder of reference scores, as for `mixlogit.margins`.
        seed: Seed of the bootstrap.
        replicates: Replicates of the bootstrap.
        progress: Called with a stage, steps done and steps in all.
        **options: `schema`, `split`, `labels`, `bad_rows` and column names as for
            `mixlogit.texts`; those of the run where they are not named. And for a win rate
            `judge`, with the other arguments of `Contest`.

    Raises:
        DataError: A row is malformed.
        StorageError: The folder is not that of a finished alignment.
        UsageError: Something cannot be used or loaded.

    Example:
        >>> evaluate("no/such/run", "votes.parquet")
        Traceback (most recent call last):
        mixlogit.errors.StorageError: no/such/run is not a finished run of "mixlogit align": \
alignment.json is missing.
    """
    tell = progress or silent
    opened = Run.open(run)
    contest, columns = _contest(options, seed)
    how: Any = {"dtype": dtype, "device": device}
    scoring: Any = {**how, "batch_tokens": batch_tokens, "cache": user_cache(cache)}
    with quiet_transformers():
        pairing = opened.pairing(reference, tokenizer, **scoring)
        read = opened.read(data, pairing.tokenizer, by, **columns)
        found = _figures(opened, *_scored(pairing, read, tell), seed, replicates)
        if contest is None:
            return found
        tell("win rate", 0, 0)
        return found.with_win_rate(contest(pairing, read, **how))


def _contest(options: Mapping[str, Any], seed: int) -> tuple[Contest | None, dict[str, Any]]:
    """The contest, if there is a judge, and the columns that are named."""
    names = {one.name for one in fields(Contest)} - {"seed"}
    asked = {name: options[name] for name in names if options.get(name) is not None}
    if asked and "judge" not in asked:
        raise UsageError("A win rate needs a judge: name it by --judge.")
    contest = Contest(**asked, seed=seed) if asked else None
    return contest, _named({k: v for k, v in options.items() if k not in names})


def _named(columns: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that are named; refuses what is no column."""
    reading = {name: columns[name] for name in columns if name in READING}
    own, others = sorted_out({k: v for k, v in columns.items() if k not in READING})
    if others:
        raise UsageError(f'Unknown option "{next(iter(others))}".')
    return {name: value for name, value in {**reading, **own}.items() if value is not None}


def _scored(
    pairing: Pairing, data: PreferenceData, tell: Progress
) -> tuple[Comparisons, torch.Tensor]:
    """The comparisons with their margins, and tokens of the first less those of the second."""
    tell("scoring", 0, 0)
    tokens = pairing.batch_tokens
    ours = pairing.policy.score(data.rows, tokens=tokens)
    theirs = pairing.reference.score(data.rows, tokens=tokens)
    ratio = (ours.logp - theirs.logp).view(-1, 2)
    length = ours.length.view(-1, 2)
    scored = replace(data.comparisons, margin=ratio[:, 0] - ratio[:, 1])
    tell("strengths of the training's respondents", 0, 0)
    return scored, length[:, 0] - length[:, 1]


def _warn_if_trained_on(train: Comparisons, test: Comparisons) -> None:
    """Texts are not kept, but margins are: the same respondent and margin, to four figures."""

    def keys(data: Comparisons) -> list[tuple[str, str]]:
        assert data.margin is not None
        who = [""] * len(data)
        if data.respondent is not None:
            who = [data.respondent.labels[code] for code in data.respondent.codes.tolist()]
        margins = data.margin.abs().tolist()
        return [(a, f"{margin:.4g}") for a, margin in zip(who, margins, strict=True) if margin]

    known = set(keys(train))
    seen = sum(key in known for key in keys(test))
    if seen > _CHANCE * len(test):
        warnings.warn(
            f"{seen:,} of {len(test):,} comparisons look like ones that were trained on: "
            "respondent and margin are the same. Figures of held-out comparisons need others.",
            DataWarning,
            stacklevel=2,
        )


def _figures(
    run: Run, data: Comparisons, longer: torch.Tensor, seed: int, replicates: int
) -> Evaluation:
    train = run.margins()
    _warn_if_trained_on(train, data)
    log_score = log_predictive(train, run.settings, data, open_run(run.path))
    decided = torch.nonzero(data.outcome != 0.5).squeeze(-1)
    sign = (2 * data.outcome - 1)[decided]
    part = data.take(decided)
    assert part.margin is not None
    known = np.zeros(len(decided), dtype=bool)
    codes = None
    if part.respondent is not None:
        codes = part.respondent.codes.numpy()
        people = set() if train.respondent is None else set(train.respondent.labels)
        known = np.array([label in people for label in part.respondent.labels])[codes]
    judged = Judged(
        margin=(sign * part.margin).numpy(),
        log_score=log_score.numpy(),
        longer=(sign * longer[decided]).numpy(),
        respondent=codes,
        known=known,
        groups={
            name: (labels.codes.numpy(), labels.labels) for name, labels in part.groups.items()
        },
        weight=None if part.weight is None else part.weight.numpy(),
    )
    n = {"comparisons": len(data), "ties": data.n_ties, "respondents": data.n_respondents}
    figures = {"run": str(run.path), "n": n}
    figures |= evaluate_judged(judged, seed=seed, replicates=replicates)
    frame = judged_margins(part, part.margin.numpy())
    frame["log_score"], frame["longer"] = judged.log_score, longer[decided].numpy()
    return Evaluation({**figures, "win_rate": None}, frame)
