"""A finished alignment that is read from its folder."""

from pathlib import Path

import pandas as pd
import torch

import mixlogit as ml
from mixlogit.align import AlignSettings, refit
from mixlogit.align.refit import log_predictive
from mixlogit.align.results import judged_margins
from mixlogit.align.saved import Run
from mixlogit.data import Labels


def test_groups_have_the_labels_that_the_fit_had(tmp_path: Path) -> None:
    """The part that was trained on need not begin with the label that all data begin with."""
    made = ml.simulate(400, 20, groups=2, seed=3).comparisons()
    labels = made.groups["group"]
    known = ("unseen", *reversed(labels.labels))
    coded = Labels(2 - labels.codes, known)
    data = ml.Comparisons(
        outcome=made.outcome,
        margin=made.margin,
        respondent=made.respondent,
        groups={"group": coded},
    )
    settings = AlignSettings(beta=1.0, by=("group",))
    assert data.margin is not None
    posterior = refit(data, data.margin, settings, evidence=False)
    posterior.save(tmp_path / "run")
    frame: pd.DataFrame = judged_margins(data, data.margin.numpy())
    frame.to_parquet(tmp_path / "run" / "margins.parquet")
    read = Run(tmp_path / "run", settings, {"labels": {"group": list(known)}}).margins()
    assert read.groups["group"].labels == known
    assert torch.equal(read.groups["group"].codes, coded.codes)
    scores = log_predictive(read, settings, data, ml.open_run(tmp_path / "run"))
    torch.testing.assert_close(scores, torch.from_numpy(posterior.log_scores(data)))
