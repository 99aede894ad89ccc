"""The strength's step of a trainer, and what is told of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from accelerate import Accelerator
from alignable import comparisons, trainer
from transformers import TrainerCallback

from mixlogit.align import AlignSettings, make_objective
from mixlogit.align.stepping import Means, StrengthStep
from mixlogit.data import Comparisons, Labels

N = 40


def judged(**others: Any) -> Comparisons:
    generator = torch.Generator().manual_seed(3)
    outcome = torch.tensor([1.0, 0.0, 0.5])[torch.randint(3, (N,), generator=generator)]
    stance = Labels(torch.randint(2, (N,), generator=generator), ("pro", "con"))
    return Comparisons(outcome=outcome, margin=torch.zeros(N), groups={"stance": stance}, **others)


@pytest.mark.parametrize("panel", [True, False])
def test_means_are_those_of_all_comparisons_with_a_preference(panel: bool) -> None:
    data = judged(respondent=Labels(torch.arange(N) % 7, tuple("abcdefg")))
    objective = make_objective(data, AlignSettings(by=("stance",), panel=panel))
    means, margin = Means(objective, beta=0.5), torch.randn(N)
    order = torch.randperm(N)
    for elbo, index in ((-0.6, order[:25]), (-0.8, order[25:])):  # of unequal size
        means.add(elbo, margin[index], index)
    told = means.take()
    assert told.pop("elbo") == pytest.approx(-0.7)
    sign = np.sign(data.outcome.numpy() - 0.5)
    signed, label = sign * margin.numpy(), data.groups["stance"].codes.numpy()
    for name, which in (("", sign != 0), ("pro", label == 0), ("con", label == 1)):
        own = signed[which & (sign != 0)]
        ending = name and f"/stance={name}"
        assert told.pop(f"margins{ending}") == pytest.approx(own.mean(), abs=1e-6)
        assert told.pop(f"accuracy{ending}") == pytest.approx((own > 0).mean())
        wanted = 1 / (1 + np.exp(-0.5 * own))
        assert told.pop(f"p_chosen{ending}") == pytest.approx(wanted.mean(), abs=1e-6)
    assert told == {}
    assert means.take() == {}


def test_a_step_takes_all_margins_since_the_last() -> None:
    """Two batches of one optimiser step are one batch to the strength."""
    data, margin = judged(), torch.randn(N)
    one, other = (make_objective(data, AlignSettings()) for _ in range(2))
    step = StrengthStep(one, Accelerator(cpu=True), beta=0.1)
    for index in torch.arange(N).split(25):
        step.loss(margin[index], index)
    step.on_step_end()
    other.step(margin, torch.arange(N))
    assert one.describe() == other.describe()
    assert step.told()["strength/cv"] == other.describe()["cv"]


@pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning")
def test_every_reporter_gets_strength_and_groups(tmp_path: Path) -> None:
    """What `report_to` names are callbacks; they are given what this one is given."""
    told: list[dict[str, float]] = []

    class Reporter(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            told.append(others["logs"])

    table = comparisons()
    people = table["respondent"].to_pylist()
    stances = pa.array(["pro" if who < sorted(people)[80] else "con" for who in people])
    trained = trainer(
        tmp_path,
        train=table.append_column("stance", stances),
        by=["stance"],
        max_steps=10,
        save_strategy="no",
        callbacks=[Reporter()],
    )
    trained.train()
    wanted = {"loss", "elbo", "margins", "accuracy", "p_chosen", "grad_norm", "learning_rate"}
    wanted |= {"strength/mean", "strength/cv"}
    for label in ("pro", "con"):
        wanted |= {f"{name}/stance={label}" for name in ("margins", "accuracy", "p_chosen")}
        wanted |= {f"strength/{name}/stance={label}" for name in ("mean", "cv")}
    assert [wanted - logs.keys() for logs in told[:2]] == [set(), set()]
    assert 0.2 < told[0]["accuracy"] < 0.8
    assert told[1]["strength/cv"] != told[0]["strength/cv"]
