"""`mixlogit align`: what it writes and says, how it stops and goes on, what it refuses."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from alignable import comparisons, policy, tokenizer
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

import mixlogit as ml
from mixlogit.cli import main
from mixlogit.cli.aligning import training_line
from mixlogit.lm.load import load_model
from mixlogit.models.verdict import Check

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # transformers' own
]

DONE = (0, 4)  # six respondents are few: a check of the strength may say so
Command = Callable[..., list[str]]
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy, its tokenizer, and 120 votes of six respondents, with a group column."""
    made = tmp_path_factory.mktemp("align")
    policy().save_pretrained(made / "model")
    tokenizer().save_pretrained(made / "model")
    table = comparisons(120, 6)
    side = [
        "left" if who in ("r0", "r1", "r2") else "right" for who in table["respondent"].to_pylist()
    ]
    pq.write_table(table.append_column("side", [side]), made / "votes.parquet")
    return made


@pytest.fixture
def command(folder: Path, tmp_path: Path) -> Command:
    """A command line that trains six steps, DPO unless another family is named."""

    def make(*more: object, output: str = "run") -> list[str]:
        return [
            *("align", str(folder / "votes.parquet"), "--model", str(folder / "model")),
            *("--beta", "0.3", "--max-steps", "6", "--learning_rate=1e-3", "--use-cpu"),
            *([] if "--recipe" in more else ["--family", "fixed"]),
            *("--per-device-train-batch-size", "16", "--output", str(tmp_path / output)),
            "--no-report",
            *map(str, more),
        ]

    return make


@pytest.fixture(scope="module")
def done(folder: Path) -> Path:
    """A run of six steps with held-out prompts."""
    path = folder / "run"
    model, data = str(folder / "model"), str(folder / "votes.parquet")
    options = ["--max-steps", "6", "--learning-rate", "1e-3", "--test-fraction", "0.2"]
    options += ["--per-device-train-batch-size", "16", "--use-cpu", "--beta", "0.3"]
    options += ["--eval-strategy", "steps", "--eval-steps", "2"]
    line = ["align", data, "--model", model, "--output", str(path), "--quiet", *options]
    assert main(line) in DONE
    return path


def weights(path: Path) -> dict[str, torch.Tensor]:
    return load_file(path / "policy" / "model.safetensors")


def test_the_run_folder_is_that_of_a_fit_with_a_policy(done: Path) -> None:
    names = {file.name for file in done.iterdir()}
    fit = {"posterior.nc", "strengths.parquet", "strength.png", "strength.json", "config.yaml"}
    fit |= {"summary.txt", "summary.json", "checks.json", "data.json", "metrics.jsonl", "run.json"}
    assert fit | {"policy", "margins.parquet", "checkpoint-6", "report.html"} <= names
    assert ml.open_run(done).family == "lognormal"
    trained = AutoModelForCausalLM.from_pretrained(done / "policy").state_dict()
    moved = [
        not torch.equal(value, trained[name]) for name, value in policy().state_dict().items()
    ]
    assert any(moved)
    assert AutoTokenizer.from_pretrained(done / "policy")("t3")["input_ids"] == [5]
    assert not list((done / "policy").glob("*.bin"))
    logged = [json.loads(line) for line in (done / "metrics.jsonl").read_text().splitlines()]
    assert {"loss", "elbo", "strength/cv"} <= logged[0].keys()


def test_the_card_holds_counts_and_no_texts(done: Path) -> None:
    card = (done / "policy" / "README.md").read_text()
    n = json.loads((done / "summary.json").read_text())["n"]["comparisons"]
    assert f"model` trained on {n:,} comparisons of 6 respondents through" in card
    assert "| steps | 6 |" in card
    votes = pq.read_table(done.parent / "votes.parquet").to_pandas()
    for name in ("prompt", "chosen", "rejected", "respondent"):
        assert not [text for text in set(votes[name]) if text.strip() in card]


def test_the_margins_can_be_fitted_again(done: Path) -> None:
    data = ml.load(done / "margins.parquet")
    saved = ml.open_run(done).to_datatree()["constant_data"]["margin"].to_numpy()
    assert data.respondent is not None
    assert len(data.respondent) == 6
    assert data.margin is not None
    assert data.margin.tolist() == saved.tolist()


def test_one_object_for_programs_and_a_finished_run_does_no_step(
    done: Path, capsys: Capture
) -> None:
    before = weights(done)
    config = str(done / "config.yaml")
    assert main(["align", "--config", config, "--json"]) in DONE
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert {"run", "policy", "family", "parameters", "checks", "steps", "train", "eval"} <= set(
        found
    )
    assert found["policy"] == str(done / "policy")
    assert found["steps"] == 6
    assert found["eval"].keys() == {"log_score", "accuracy", "margins"}
    assert found["held_out"]["n"] > 5
    assert f"{done} was finished before; no step was added." in said.err
    assert all(torch.equal(value, before[name]) for name, value in weights(done).items())
    assert json.loads((done / "run.json").read_text())["state"] in ("done", "check failed")


def test_held_out_prompts_are_not_trained_on(done: Path) -> None:
    trained = json.loads((done / "data.json").read_text())["n"]["comparisons"]
    held_out = json.loads((done / "summary.json").read_text())["held_out"]["n"]
    assert trained + held_out == 120
    assert len(pd.read_parquet(done / "margins.parquet")) == trained


def test_interrupted_and_continued_is_uninterrupted(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def stop(self: Any, args: Any, state: Any, control: Any, **others: Any) -> None:
        if state.global_step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    assert main(command(output="whole")) in (0, 4)
    with monkeypatch.context() as patch:
        patch.setattr("mixlogit.align.prepare.Telling.on_step_end", stop)
        assert main(command(output="cut")) == 130
    saved = tmp_path / "cut" / "checkpoint-4"
    message = f"Interrupted; {saved} is saved, and the same command goes on from it."
    assert message in capsys.readouterr().err
    assert not (tmp_path / "cut" / "run.json").exists()
    assert main(command(output="cut")) in (0, 4)
    whole, cut = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert [name for name in whole if not torch.equal(whole[name], cut[name])] == []


def test_interrupted_without_a_checkpoint(
    command: Command, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def stop(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mixlogit.align.job.PreferenceData.read", stop)
    assert main(command()) == 130
    assert capsys.readouterr().err.endswith(
        "Interrupted before a checkpoint was saved; the same command begins anew.\n"
    )


def test_another_configuration_is_refused(done: Path, capsys: Capture) -> None:
    config = str(done / "config.yaml")
    assert main(["align", "--config", config, "--beta", "0.2", "--family", "gamma"]) == 2
    assert capsys.readouterr().err == (
        f"{done} was begun otherwise: beta (was 0.3, is 0.2), family (was not given, is gamma). "
        "Restore this, choose another --output, or add --overwrite to begin anew.\n"
    )


def test_other_data_are_refused(
    command: Command, folder: Path, tmp_path: Path, capsys: Capture
) -> None:
    votes = tmp_path / "votes.parquet"
    pq.write_table(comparisons(40, 4), votes)
    line = [str(votes) if word == str(folder / "votes.parquet") else word for word in command()]
    (tmp_path / "run").mkdir()
    assert main(line) in DONE
    (tmp_path / "run" / "run.json").unlink()
    pq.write_table(comparisons(40, 5), votes)
    capsys.readouterr()
    assert main(line) == 2
    assert capsys.readouterr().err == (
        f"{votes} has changed since {tmp_path / 'run'} was begun. Restore it, choose another "
        "--output, or add --overwrite to begin anew.\n"
    )


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("--max-stepz", "--max-steps"),
        ("--learning_rat", "--learning-rate"),
        ("--max-ste", "--max-steps"),
        ("--famly", "--family"),
        ("--output-dir", "--output"),
    ],
)
def test_an_unknown_option(word: str, meant: str, command: Command, capsys: Capture) -> None:
    assert main(command(word, "3")) == 2
    assert capsys.readouterr().err == f"No such option {word}. Did you mean {meant}?\n"


def test_options_of_the_trainer_that_switch_off(command: Command, tmp_path: Path) -> None:
    line = command("--max-steps", "1", "--no-dataloader-pin-memory", "--bf16", "false")
    assert main(line) in (0, 4)
    config = (tmp_path / "run" / "config.yaml").read_text()
    assert "dataloader_pin_memory: false\n" in config
    assert "bf16: false\n" in config


def test_an_option_of_the_trainer_with_a_wrong_value(command: Command, capsys: Capture) -> None:
    assert main(command("--warmup-steps", "few")) == 2
    expected = "--warmup_steps/--warmup-steps: invalid float value: 'few'.\n"
    assert capsys.readouterr().err == expected


def test_an_unknown_key(command: Command, tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "align.yaml"
    file.write_text("learning-rat: 1e-4\n")
    assert main(command("--config", file)) == 2
    said = capsys.readouterr().err
    assert said == f'{file}: unknown key "learning-rat". Did you mean "learning_rate"?\n'


def test_a_configuration_gives_options_and_the_command_line_goes_first(
    folder: Path, tmp_path: Path, capsys: Capture
) -> None:
    file = tmp_path / "align.yaml"
    file.write_text(
        "family: fixed\nmax-steps: 9\nlearning_rate: 1e-3\nlr_scheduler_kwargs: {}\nbf16: false\n"
        f"use_cpu: true\nmodel: {folder / 'model'}\nlabel_names: [a, b]\n"
    )
    line = ["align", str(folder / "votes.parquet"), "--config", str(file), "--max_steps", "2"]
    assert main([*line, "--output", str(tmp_path / "run"), "--json"]) in DONE
    assert json.loads(capsys.readouterr().out)["steps"] == 2


def test_a_spread_that_grows_with_overfitting_is_told(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    failed = Check("spread behind the best evaluation", 1.4, 1.05, False, "The policy overfits.")
    monkeypatch.setattr("mixlogit.align.job.spread_check", lambda history: failed)
    assert main(command()) == 4
    said = capsys.readouterr().out
    assert "spread behind the best evaluation 1.40 FAILED" in said
    assert "         The policy overfits.\n" in said
    assert json.loads((tmp_path / "run" / "checks.json").read_text())[-1]["ok"] is False
    assert "The policy overfits." in (tmp_path / "run" / "summary.txt").read_text()
    assert json.loads((tmp_path / "run" / "run.json").read_text())["state"] == "check failed"


def test_an_adapter_is_trained_and_loads(command: Command, tmp_path: Path) -> None:
    assert main(command("--lora", "2", "--learning-rate", "2e-2")) in (0, 4)
    adapter = tmp_path / "run" / "policy"
    assert (adapter / "adapter_model.safetensors").is_file()
    assert load_model(adapter).peft_config["default"].r == 2


def test_the_recipe_of_the_paper(command: Command, capsys: Capture) -> None:
    more = ("--learning-rate", "1e-2", "--json")
    assert main(command("--recipe", "mixdpo-gamma", *more)) in (0, 4)
    found = json.loads(capsys.readouterr().out)
    assert found["panel"] is False
    assert found["family"] == "gamma"
    assert main(command("--recipe", "mixdpo", "--family", "gamma", "--overwrite")) == 2
    expected = "Recipe 'mixdpo' has family='lognormal', not 'gamma'.\n"
    assert capsys.readouterr().err.endswith(expected)


def test_groups_and_lapse(command: Command, capsys: Capture) -> None:
    more = ("--by", "side", "--lapse", "learned", "--anchor", "none", "--max-steps", "2")
    assert main(command(*more, "--json")) in (0, 4)
    found = json.loads(capsys.readouterr().out)
    assert found["groups"]["side"].keys() == {"left", "right"}
    assert "lapse" in found["parameters"]
    assert {"mean/side=left", "lapse"} <= found["train"]["strength"].keys()


def test_a_folder_of_something_else(command: Command, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine").touch()
    assert main(command()) == 5
    expected = f"{tmp_path / 'run'} is not a run (no config.yaml). Choose another --output.\n"
    assert capsys.readouterr().err == expected


def test_a_lapse_that_is_no_number(command: Command, capsys: Capture) -> None:
    assert main(command("--lapse", "some")) == 2
    expected = 'Expected lapse to be a number or "learned", but got "some".\n'
    assert capsys.readouterr().err == expected


def test_a_training_that_led_nowhere_says_what_to_do() -> None:
    train = {"loss": 0.6925, "accuracy": 0.85}
    result = {"steps": 84, "train": train, "seconds": {"train": 31.6}, "eval": {"accuracy": 0.56}}
    assert training_line(result) == (
        "train    84 steps in 31.6 s, loss 0.6925, 85% of margins agree with the choice, held "
        "out: accuracy 0.56\n"
        "         The policy has hardly learned: a loss of 0.6931 is a coin's. Raise "
        "--learning-rate, or train longer."
    )
