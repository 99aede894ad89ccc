"""`mixlogit.align` from Python, and what it is made of."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from alignable import comparisons, policy, tokenizer
from transformers import AutoModelForCausalLM, GPTNeoXForCausalLM

import mixlogit as ml
from mixlogit.align.dataset import PreferenceData
from mixlogit.align.prepare import open_policy
from mixlogit.align.results import model_card, spread_check
from mixlogit.align.run import align
from mixlogit.errors import UsageError

# transformers' own, about names that it has given up and devices that are not there
pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning"),
]
QUICK: dict[str, Any] = {
    "family": "fixed",
    "learning_rate": 1e-3,
    "max_steps": 2,
    "per_device_train_batch_size": 16,
    "use_cpu": True,
}


def test_the_package_is_the_function(tmp_path: Path) -> None:
    train, test = comparisons(80, 4).slice(0, 60), comparisons(80, 4).slice(60)
    called: Any = ml.align
    steps: list[tuple[str, int, int]] = []
    done = called(
        train,
        model=policy(),
        tokenizer=tokenizer(),
        output=tmp_path / "x",
        test=test,
        reference=policy(seed=1),
        progress=lambda *said: steps.append(said),
        **QUICK,
    )
    assert ("training", 2, 2) in steps
    assert steps[-1][0] != "training"  # the fit behind it is told of too
    assert done.steps == 2
    assert done.posterior.family == "fixed"
    assert repr(done).startswith(f"Aligned({tmp_path}/x/policy, 2 steps, Posterior(fixed, 60 comp")
    assert done.result["held_out"]["n"] == 20
    AutoModelForCausalLM.from_pretrained(done.policy)
    assert ml.align.PanelObjective is not None
    assert "\nA model trained on 60 comparisons of 4" in (done.policy / "README.md").read_text()
    with pytest.raises(UsageError) as error:  # its reference was made in memory
        ml.evaluate(tmp_path / "x", test)
    assert str(error.value) == f"{tmp_path / 'x'} does not name its reference: add --reference."
    found = ml.evaluate(tmp_path / "x", test, reference=policy(seed=1), cache=None, replicates=20)
    assert found.figures["accuracy"]["micro"]["estimate"] == done.result["eval"]["accuracy"]
    record = json.loads((tmp_path / "x" / "run.json").read_text())
    chosen = {"data", "test", "model", "reference", "tokenizer", "output", *QUICK}
    assert set(record["chosen"]) == chosen  # and not the defaults, such as dtype


def test_what_is_odd_in_the_data_is_told_of_the_texts_and_of_no_margins() -> None:
    table = comparisons(40, 4)
    twice = pa.concat_tables([table.slice(0, 30), table.slice(3, 1)])
    twice = twice.append_column("margin", [[0.5] * 31]).append_column("item_a", [["x"] * 31])
    blank = pa.array(
        ["" if k == 1 else text for k, text in enumerate(twice["chosen"].to_pylist())]
    )
    place = twice.column_names.index("chosen")
    broken = twice.set_column(place, "chosen", blank)
    data = PreferenceData.read(broken, tokenizer(), bad_rows="drop").comparisons
    assert [found.name for found in data.warnings] == ["duplicates"]
    assert data.warnings[0].message.startswith("1 row repeats an earlier row")
    assert data.kind == "texts"
    assert data.row is not None
    assert data.row.tolist() == [1, *range(3, 32)]  # the second was dropped
    assert "length" in ml.data_card(data)


def test_a_reference_of_its_own_is_what_margins_are_against(tmp_path: Path) -> None:
    """With a rate of nearly nothing the margins are those of the policy as it was."""
    same: dict[str, Any] = {"tokenizer": tokenizer(), **QUICK}
    same |= {"learning_rate": 1e-6, "max_steps": 1}
    for reference, moved in ((None, False), (policy(seed=1), True)):
        name = f"moved-{moved}"
        done = align(
            comparisons(40, 4), output=tmp_path / name, model=policy(), reference=reference, **same
        )
        margin = done.posterior.to_datatree()["constant_data"]["margin"].to_numpy()
        assert (abs(margin) > 1e-3).any() == moved


def test_a_policy_that_did_not_move(tmp_path: Path) -> None:
    how: dict[str, Any] = {**QUICK, "learning_rate": 0.0, "max_steps": 1}
    with pytest.raises(UsageError) as error:
        align(
            comparisons(40, 4), model=policy(), tokenizer=tokenizer(), output=tmp_path / "x", **how
        )
    assert str(error.value) == (
        "The policy equals its reference: all margins are 0, and no strength can be fitted. Raise "
        "--learning-rate or --max-steps."
    )


def test_options_that_do_not_fit(tmp_path: Path) -> None:
    def refused(**options: Any) -> str:
        with pytest.raises(UsageError) as error:
            align("no.csv", output=tmp_path / "x", **{"model": "no", **options})
        return str(error.value)

    assert refused(max_step=3) == 'Unknown option "max_step". Did you mean "max_steps"?'
    both = "--test and --test-fraction are both given. Name one of them."
    assert refused(test="no.csv", test_fraction=0.1) == both
    assert refused(beta=-1.0) == "Expected beta > 0 but got -1.0."
    unnamed = "Expected a tokenizer with a policy that is a model already."
    assert refused(model=policy()) == unnamed
    assert "is not a valid" in refused(lr_scheduler_type="straight")
    rank = "Expected a LoRA rank of at least 1 but got 0."
    assert refused(model=policy(), tokenizer=tokenizer(), lora=0) == rank


def test_held_out_labels_that_nobody_trained_on_are_refused_at_once(tmp_path: Path) -> None:
    def of(label: str) -> pa.Table:
        return comparisons(40, 4).append_column("side", [[label] * 40])

    with pytest.raises(UsageError) as error:
        align(
            of("left"),
            model=policy(),
            tokenizer=tokenizer(),
            output=tmp_path / "x",
            test=of("right"),
            by=["side"],
            **QUICK,
        )
    assert str(error.value) == (
        'The held-out comparisons have a label "right" in "side" that no comparison to train on '
        "has."
    )


def test_held_out_ties_are_refused_at_once(tmp_path: Path) -> None:
    table = comparisons(40, 4)
    tied = table.append_column("outcome", [["tie"] * 40])
    with pytest.raises(UsageError) as error:
        align(
            table.append_column("outcome", [["a"] * 40]),
            model=policy(),
            tokenizer=tokenizer(),
            output=tmp_path / "x",
            test=tied,
            **QUICK,
        )
    assert str(error.value) == "All held-out comparisons are ties, so none can be scored."


def test_an_adapter_is_not_trained_further(tmp_path: Path) -> None:
    policy().save_pretrained(tmp_path / "base")
    tokenizer().save_pretrained(tmp_path / "base")
    base = GPTNeoXForCausalLM.from_pretrained(tmp_path / "base")
    adapted, own = open_policy(base, tokenizer(), dtype="float32", lora=2, seed=0)
    folder = tmp_path / "adapter"
    adapted.save_pretrained(folder)
    own.save_pretrained(folder)
    with pytest.raises(UsageError) as error:
        open_policy(folder, None, dtype="float32", lora=None, seed=0)
    assert str(error.value) == (
        f"{folder} is an adapter. Merge it into its model first, or train that model."
    )


def test_lora_without_peft(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(UsageError) as error:
        open_policy(policy(), tokenizer(), dtype="float32", lora=2, seed=0)
    assert str(error.value) == "LoRA needs the package peft: pip install peft."


def test_an_adapter_begins_at_the_policy_and_is_seeded() -> None:
    def adapter(seed: int) -> dict[str, torch.Tensor]:
        how: dict[str, Any] = {"dtype": "float32", "lora": 2, "seed": seed}
        base = policy()
        state = torch.get_rng_state()
        model, _ = open_policy(base, tokenizer(), **how)
        assert torch.equal(torch.get_rng_state(), state)
        return {name: value for name, value in model.state_dict().items() if "lora_A" in name}

    one, same, other = adapter(0), adapter(0), adapter(1)
    assert all(torch.equal(value, same[name]) for name, value in one.items())
    assert not any(torch.equal(value, other[name]) for name, value in one.items())


def test_a_split_by_prompt_shares_no_prompt() -> None:
    table = comparisons(60, 4)
    twice = pa.concat_tables([table, table])
    data = PreferenceData.read(twice, tokenizer())
    train, held_out = data.split(0.25, seed=3)
    prompts = [{tuple(row.prompt) for row in part.rows} for part in (train, held_out)]
    assert not prompts[0] & prompts[1]
    assert len(prompts[1]) == round(0.25 * len(prompts[0] | prompts[1]))
    assert len(train) + len(held_out) == 120
    assert len(held_out.comparisons) == len(held_out)
    with pytest.raises(UsageError) as error:
        data.split(1.0)
    assert str(error.value) == (
        f"A test fraction of 1.0 of {len(prompts[0] | prompts[1]):,} prompts leaves one part "
        "empty. Choose one between 0 and 1."
    )


def test_the_spread_is_watched_from_the_best_evaluation() -> None:
    def history(*entries: tuple[float, float]) -> list[dict[str, Any]]:
        said: list[dict[str, Any]] = [{"loss": 0.6}]
        return said + [{"eval_log_score": s, "eval_strength_cv": c} for s, c in entries]

    assert spread_check(history((-0.6, 0.5))) is None
    fine = spread_check(history((-0.6, 0.5), (-0.5, 0.9)))
    assert fine is not None
    assert fine.ok
    bad = spread_check(history((-0.6, 0.5), (-0.5, 0.6), (-0.58, 0.9)))
    assert bad is not None
    assert not bad.ok
    assert bad.value == pytest.approx(1.5)
    assert bad.advice.startswith("The spread of strength rose from 0.60 to 0.90 while the")


def test_the_card_names_what_it_was_made_from_as_it_was_given(tmp_path: Path) -> None:
    figures = {"mean": 0.2, "q05": 0.1, "q95": 0.3}
    result: dict[str, Any] = {
        "n": {"comparisons": 1200, "respondents": 0},
        "parameters": {"mean": figures},
        "panel": False,
        "steps": 3,
    }
    settings = {"family": "gamma", "beta": 0.1, "anchor": None}
    card = model_card("owner/model", result, settings)
    assert "\nbase_model: owner/model\n" in card
    assert "\n`owner/model` trained on 1,200 comparisons through" in card
    assert "| mean strength | 0.2 (90 % interval 0.1 to 0.3) |" in card
    assert "coefficient of variation" not in card
    local = model_card(str(tmp_path), result, settings)
    assert "base_model" not in local  # the hub refuses all but ids of its own
    assert f"\n`{tmp_path}` trained on" in local
    assert 'AutoModelForCausalLM.from_pretrained("policy")' in card
    with_adapter = model_card("owner/model", result, settings, adapter=True)
    assert "\nlibrary_name: peft\nbase_model: owner/model\n" in with_adapter
    assert 'AutoPeftModelForCausalLM.from_pretrained("policy")' in with_adapter


@pytest.mark.slow
def test_two_processes_write_one_folder(tmp_path: Path) -> None:
    """By torchrun on the CPU; the first process writes, the other waits and says nothing."""
    policy().save_pretrained(tmp_path / "model")
    tokenizer().save_pretrained(tmp_path / "model")
    pq.write_table(comparisons(40, 4), tmp_path / "votes.parquet")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "-m", "mixlogit", "align", "votes.parquet", "--use-cpu"]
    command += ["--model", "model", "--family", "fixed", "--max-steps", "2", "--output", "run"]
    command += ["--learning-rate", "1e-3", "--per-device-train-batch-size", "8", "--json"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1"}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert json.loads(done.stdout)["steps"] == 2, done.stderr
    assert (tmp_path / "run" / "run.json").is_file()
    AutoModelForCausalLM.from_pretrained(tmp_path / "run" / "policy")
