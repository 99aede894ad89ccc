"""The reference cache: hit where nothing that matters changed, miss where something did."""

import copy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from tiny_models import make_model, random_rows

from mixlogit.lm import Reference, Row, ScoreCache, Scorer
from mixlogit.lm.cache import model_key, rows_key

# peft uses a name that transformers has given up
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")
ROWS = random_rows(4)


def adapted(model: Any, **more: Any) -> Any:
    found = get_peft_model(copy.deepcopy(model), LoraConfig(target_modules=["q_proj"], **more))
    with torch.no_grad():
        for name, weight in found.named_parameters():
            if "lora_B" in name:
                weight.fill_(0.1)
    return found


def truncated(rows: list[Row]) -> list[Row]:
    return [Row(row.prompt, [answer[:2] for answer in row.answers]) for row in rows]


def moved(rows: list[Row]) -> list[Row]:
    """The same tokens read, but the first one of every answer not scored."""
    return [
        Row(row.prompt + answer[:1], [answer[1:]])
        for row in rows
        for answer in row.answers
        if len(answer) > 1
    ]


def misses(folder: Path, model: Any, rows: list[Row], policy: Any | None = None) -> int:
    cache = ScoreCache(folder)
    reference = Reference(Scorer(policy if policy is not None else model), model, cache=cache)
    fresh = Reference(Scorer(policy if policy is not None else model), model)
    scores, wanted = reference.score(rows), fresh.score(rows)
    assert torch.equal(scores.logp, wanted.logp)
    assert torch.equal(scores.length, wanted.length)
    return cache.misses


def changed_weight(model: Any) -> Any:
    found = copy.deepcopy(model)
    with torch.no_grad():
        found.model.layers[1].mlp.down_proj.weight[3, 4] += 1e-6
    return found


CHANGES: dict[str, Callable[[Any], tuple[Any, list[Row]]]] = {
    "truncation": lambda model: (model, truncated(ROWS)),
    "what is scored": lambda model: (model, moved(ROWS)),
    "weights": lambda model: (changed_weight(model), ROWS),
    "dtype": lambda model: (copy.deepcopy(model).bfloat16(), ROWS),
    "adapter": lambda model: (adapted(model), ROWS),
    "other rows": lambda model: (model, random_rows(4, seed=1)),
}


def test_a_second_run_hits(tmp_path: Path) -> None:
    model = make_model(dtype=torch.float32)
    assert misses(tmp_path, model, ROWS) == 8
    again = make_model(dtype=torch.float32)  # a run with another learning rate or strength
    assert misses(tmp_path, again, ROWS) == 0


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_matters_misses(change: str, tmp_path: Path) -> None:
    model = make_model(dtype=torch.float32)
    assert misses(tmp_path, model, ROWS) == 8
    other, rows = CHANGES[change](model)
    assert misses(tmp_path, other, rows) == sum(len(row.answers) for row in rows)


def test_the_policys_adapter_does_not_matter_to_the_reference(tmp_path: Path) -> None:
    model = make_model(dtype=torch.float32)
    assert misses(tmp_path, model, ROWS) == 8
    for rank in (2, 4):
        cache = ScoreCache(tmp_path)
        reference = Reference(Scorer(adapted(model, r=rank)), cache=cache)
        assert torch.equal(reference.score(ROWS).logp, Scorer(model).score(ROWS).logp)
        assert cache.misses == 0


def test_adapters_differ_by_weights_and_by_settings() -> None:
    model = make_model(dtype=torch.float32)
    one = adapted(model, lora_alpha=8)
    keys = {model_key(model), model_key(one), model_key(adapted(model, lora_alpha=16))}
    assert len(keys) == 3
    assert model_key(one, adapter=False) == model_key(model)
    with torch.no_grad():
        next(w for name, w in one.named_parameters() if "lora_B" in name).add_(1)
    assert model_key(one) not in keys


def test_key_of_rows_tells_boundaries_apart() -> None:
    rows = [
        [Row([1, 2], [[3]])],
        [Row([1], [[2, 3]])],
        [Row([1, 2], [[3], [4]])],
        [Row([1, 2], [[3, 4]])],
        [Row([1, 2], [[3]]), Row([1, 2], [[4]])],
    ]
    assert len({rows_key("m", each) for each in rows}) == len(rows)
    assert rows_key("m", rows[0]) != rows_key("n", rows[0])


def test_autocast_has_a_key_of_its_own() -> None:
    model = make_model(dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        half = model_key(model)
    assert half != model_key(model)


@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_a_damaged_file_is_a_miss_and_heals(damage: bytes | None, tmp_path: Path) -> None:
    model = make_model(dtype=torch.float32)
    misses(tmp_path, model, ROWS)
    (file,) = tmp_path.glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-3] if damage is None else damage)
    assert misses(tmp_path, model, ROWS) == 8
    assert misses(tmp_path, model, ROWS) == 0


STORM = """
import sys, torch
from mixlogit.lm import ScoreCache
cache = ScoreCache(sys.argv[1])
for at in range(300):
    key, wanted = f"key{at % 5}", torch.full((1000,), float(at % 5))
    found = cache.load(key, 1000)
    assert found is None or torch.equal(found, wanted), at
    cache.store(key, wanted)
"""


def test_two_processes_share_a_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STORM, str(tmp_path / "cache")]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]
    for process in running:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said.decode()
    assert len(list((tmp_path / "cache").iterdir())) == 5
