"""Margins from a table to a file: values, columns, restarts, refusals."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from peft import LoraConfig, get_peft_model
from tiny_models import make_model, plain_logp
from transformers import AutoModelForCausalLM

import mixlogit as ml
from mixlogit.data import texts
from mixlogit.errors import DataError, DataWarning, StorageError, UsageError
from mixlogit.lm import rows_of
from mixlogit.lm.ratios import COLUMNS

Make = Callable[[int], pa.Table]
Folders = dict[str, Path]


def run(data: Any, folders: Folders, output: Path, **more: Any) -> pa.Table:
    ml.margins(data, output=output, **{**folders, "shard_rows": 8, **more})
    return pq.read_table(output)


def test_values_against_plain_forwards(
    folders: Folders, comparisons: Make, tokenizer: Any, tmp_path: Path
) -> None:
    table = comparisons(20)
    found = run(table, folders, tmp_path / "m.parquet", dtype="float64").to_pandas()
    rows = rows_of(ml.encode(table, tokenizer)[0])
    logp = {}
    for name, folder in folders.items():
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64).eval()
        with torch.no_grad():
            logp[name] = plain_logp(model, rows).view(-1, 2).numpy()
    ratio = logp["policy"] - logp["reference"]
    np.testing.assert_allclose(found["margin"], ratio[:, 0] - ratio[:, 1], atol=1e-5)
    for side, name in enumerate(("chosen", "rejected")):
        length = [len(row.answers[side]) for row in rows]
        assert found[f"length_{name}"].tolist() == length
        for column, values in ((f"logp_{name}", "policy"), (f"ref_logp_{name}", "reference")):
            np.testing.assert_allclose(found[column], logp[values][:, side], atol=1e-5)
            mean = found[column.replace("logp", "mean_logp")]
            np.testing.assert_allclose(mean, found[column] / length, rtol=1e-12)


def test_other_columns_survive_in_order(
    folders: Folders, comparisons: Make, tmp_path: Path
) -> None:
    table = comparisons(20)
    found = run(table, folders, tmp_path / "m.parquet")
    assert found.column_names == [*table.column_names, *COLUMNS]
    assert found.select(table.column_names).equals(table)


def test_result_in_numbers(folders: Folders, comparisons: Make, tmp_path: Path) -> None:
    table = comparisons(20)
    found = ml.margins(table, output=tmp_path / "m.parquet", **folders)
    written = pq.read_table(found.output).to_pandas()
    longer = written["length_chosen"] - written["length_rejected"]
    assert found.pairs == 20
    assert found.positive == (written["margin"] > 0).mean()
    assert found.longer_chosen == (longer > 0).sum() / (longer != 0).sum()
    assert found.fallback is None
    assert found.cache_hits == 0
    again = ml.margins(table, output=tmp_path / "m.parquet", overwrite=True, **folders)
    assert again.cache_hits == 20
    said = again.to_dict()
    assert list(said)[:5] == ["output", "pairs", "pairs_per_second", "cache_hits", "fallback"]
    json.dumps(said)


def test_an_adapter_is_measured_against_its_base(
    folders: Folders, comparisons: Make, tokenizer: Any, tmp_path: Path
) -> None:
    base = AutoModelForCausalLM.from_pretrained(folders["policy"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        model = get_peft_model(base, LoraConfig(target_modules=["q_proj"]))
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if "lora_B" in name:
                    weight.fill_(0.1)
        model.save_pretrained(tmp_path / "adapter")
        table = comparisons(9)
        told = {"policy": tmp_path / "adapter", "reference": None}
        named = run(table, folders, tmp_path / "named.parquet", **told)
        told = {"policy": model, "reference": folders["policy"], "tokenizer": tokenizer}
        given = run(table, folders, tmp_path / "given.parquet", **told)
    assert named.equals(given)
    assert (np.abs(named["margin"].to_numpy()) > 1e-3).all()


def test_drops_are_counted_and_truncation_is_told(
    folders: Folders, comparisons: Make, tmp_path: Path
) -> None:
    table = comparisons(20)
    chosen = table["chosen"].to_pylist()
    chosen[3] = ""
    chosen[11] = " w5" * 200
    table = table.set_column(2, "chosen", pa.array(chosen))
    with pytest.warns(DataWarning) as told:
        found = ml.margins(
            table, output=tmp_path / "m.parquet", shard_rows=8, bad_rows="drop", **folders
        )
    assert [str(each.message) for each in told] == [
        "Table: In 1 of 20 comparisons tokens were cut off to fit the length allowed."
    ]
    assert found.pairs == 19
    assert [(each.row, each.reason) for each in found.counts.dropped] == [(4, '"chosen" is empty')]
    written = pq.read_table(found.output).to_pandas()
    assert written["id"].tolist() == [at for at in range(20) if at != 3]
    assert written["length_chosen"].max() <= 128


def test_no_comparison_left(folders: Folders, comparisons: Make, tmp_path: Path) -> None:
    table = comparisons(3).set_column(2, "chosen", pa.array([""] * 3))
    with pytest.raises(DataError) as error:
        run(table, folders, tmp_path / "m.parquet", bad_rows="drop")
    assert str(error.value) == ("Table: no comparison is left to score. 3 dropped, 0 left out.")
    assert not (tmp_path / "m.parquet").exists()


def test_memory_holds_one_shard(
    folders: Folders, comparisons: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches are asked for one at a time, and each is written before the next is read."""
    stream = texts(comparisons(40), batch_rows=8)
    batches = stream.batches
    seen = []

    def watched(start: int = 0) -> Any:
        for batch in batches(start):
            seen.append(len(list((tmp_path / ".m.parquet.partial").glob("0*.parquet"))))
            yield batch

    monkeypatch.setattr(stream, "batches", watched)
    run(stream, folders, tmp_path / "m.parquet")
    assert seen == [0, 1, 2, 3, 4]


def test_a_run_that_stopped_continues(folders: Folders, comparisons: Make, tmp_path: Path) -> None:
    table = comparisons(40)
    whole = run(table, folders, tmp_path / "whole.parquet")
    done = []

    def stop(stage: str, rows: int, total: int) -> None:
        done.append(rows)
        assert total == 40
        if rows == 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(table, folders, tmp_path / "m.parquet", progress=stop)
    again = run(table, folders, tmp_path / "m.parquet", progress=lambda _, n, t: done.append(n))
    assert done == [0, 8, 16, 16, 24, 32, 40]
    assert again.equals(whole)
    assert (tmp_path / "m.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


KILLED = """
import sys, mixlogit as ml
names = ("data", "policy", "reference", "output")
told = dict(zip(names, sys.argv[1:], strict=True))
ml.margins(**told, shard_rows=8, progress=lambda *done: print(*done, flush=True))
"""


def start_and_kill(command: list[str], after: float) -> None:
    """Start a run, and kill it some seconds after it has begun to score (if it still must)."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            process.communicate(timeout=after)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        _, said = process.communicate()
        assert process.returncode in (0, -signal.SIGKILL), said.decode()


def killed_runs(folders: Folders, table: pa.Table, folder: Path, moments: int) -> None:
    data, output = folder / "data.parquet", folder / "m.parquet"
    pq.write_table(table, data)
    models = [str(folders[name]) for name in ("policy", "reference")]
    command = [sys.executable, "-c", KILLED, str(data), *models, str(output)]
    begin = time.monotonic()
    ml.margins(data, output=output, shard_rows=8, **folders)
    whole, seconds = output.read_bytes(), time.monotonic() - begin
    output.unlink()
    chance, shards = random.Random(0), folder / ".m.parquet.partial"
    for _ in range(moments):
        start_and_kill(command, chance.uniform(0, seconds / 2))
        if output.exists() and not shards.exists():
            assert output.read_bytes() == whole
            output.unlink()
    if not output.exists() or shards.exists():  # killed before all was merged and removed
        start_and_kill(command, 600)
    assert output.read_bytes() == whole
    assert not shards.exists()


def test_killed_at_random_moments(folders: Folders, comparisons: Make, tmp_path: Path) -> None:
    killed_runs(folders, comparisons(400), tmp_path, moments=2)


@pytest.mark.slow
def test_killed_at_twenty_random_moments(
    folders: Folders, comparisons: Make, tmp_path: Path
) -> None:
    killed_runs(folders, comparisons(1000), tmp_path, moments=20)


def test_another_process_is_refused(folders: Folders, comparisons: Make, tmp_path: Path) -> None:
    table, output = comparisons(9), tmp_path / "m.parquet"

    def second(stage: str, rows: int, total: int) -> None:
        command = [sys.executable, "-c", KILLED, str(data), *models, str(output)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert f"{output} is in use by process {os.getpid()}" in done.stderr

    data, models = tmp_path / "data.parquet", [str(folder) for folder in folders.values()]
    pq.write_table(table, data)
    run(data, folders, output, shard_rows=100, progress=second)


REFUSED: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "no folder": (
        {"policy": "nowhere/at/all"},
        UsageError,
        "nowhere/at/all: no such folder of a model.",
    ),
    "dtype": (
        {"dtype": "float8"},
        UsageError,
        'Expected a dtype of auto, float32, bfloat16, float16, float64 but got "float8".',
    ),
    "no tokenizer": (
        {"policy": make_model()},
        UsageError,
        "Expected a tokenizer with a policy that is a model already.",
    ),
    "no reference": (
        {"reference": None},
        UsageError,
        "Without a reference model the policy needs an adapter to switch off. Name the reference.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(case: str, folders: Folders, comparisons: Make, tmp_path: Path) -> None:
    more, kind, message = REFUSED[case]
    with pytest.raises(kind) as error:
        run(comparisons(3), folders, tmp_path / "m.parquet", **more)
    assert str(error.value) == message
    assert list(tmp_path.iterdir()) == []


def test_margins_of_margins_are_refused(
    folders: Folders, comparisons: Make, tmp_path: Path
) -> None:
    run(comparisons(3), folders, tmp_path / "m.parquet")
    with pytest.raises(DataError) as error:
        run(tmp_path / "m.parquet", folders, tmp_path / "n.parquet")
    assert str(error.value) == (
        f'{tmp_path / "m.parquet"}: there is a column "margin" already. Rename it, or start from '
        f"the data without margins."
    )


def test_other_arguments_do_not_continue(
    folders: Folders, comparisons: Make, tmp_path: Path
) -> None:
    def stop(stage: str, rows: int, total: int) -> None:
        raise KeyboardInterrupt

    output = tmp_path / "m.parquet"
    with pytest.raises(KeyboardInterrupt):
        run(comparisons(9), folders, output, progress=stop)
    changes = {"max_length": 9, "truncation": "keep_end", "policy": folders["reference"]}
    with pytest.raises(StorageError) as error:
        run(comparisons(9), folders, output, **changes)
    assert str(error.value) == (
        f"{output} was begun with other max_length, policy, truncation. Give the same again to "
        f"continue, or add --overwrite to begin anew."
    )


def test_a_log_probability_that_is_not_finite_is_an_error(
    folders: Folders, comparisons: Make, tokenizer: Any, tmp_path: Path
) -> None:
    model = make_model(dtype=torch.float32)
    model.get_input_embeddings().weight.data[5] = float("nan")
    table = comparisons(3).set_column(2, "chosen", pa.array([" w6", " w5 w6", " w7"]))
    with pytest.raises(DataError) as error:
        run(table, folders, tmp_path / "m.parquet", policy=model, tokenizer=tokenizer)
    assert str(error.value) == (
        "Table, row 2: a log-probability is not finite. Try --dtype float32."
    )


def test_a_tokenizer_that_does_not_fit_is_refused(
    folders: Folders, comparisons: Make, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as error:
        run(comparisons(3), folders, tmp_path / "m.parquet", reference=make_model(vocab_size=7))
    assert str(error.value) == (
        "Token 93 is beyond the model's vocabulary of 7. Policy and reference need one tokenizer "
        "that fits both."
    )
