"""Models and tokenizers: from a folder, in the dtype asked for, without the hub."""

import json
import shutil
import socket
import sys
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers.utils import logging

from mixlogit.errors import UsageError
from mixlogit.lm.load import load_model, load_tokenizer, quiet_transformers


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*address: object) -> None:
        raise AssertionError(f"a connection to {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_dtype(dtype: str, folders: dict[str, Path]) -> None:
    model = load_model(folders["policy"], dtype=dtype)
    assert model.dtype == getattr(torch, dtype)
    assert not model.training


def test_auto_is_single_precision_on_the_cpu(folders: dict[str, Path]) -> None:
    assert load_model(folders["policy"], device="cpu").dtype == torch.float32


def test_auto_is_bfloat16_on_a_gpu_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from mixlogit.lm import load

    for has, wanted in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda has=has: has)
        assert load._dtype("auto", "cuda:0") == wanted


def test_an_adapter_without_peft(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.warns(FutureWarning):
        adapted = get_peft_model(
            load_model(folders["policy"]), LoraConfig(target_modules=["q_proj"])
        )
    adapted.save_pretrained(tmp_path / "adapter")
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(UsageError) as error:
        load_model(tmp_path / "adapter")
    assert str(error.value) == (
        f"{tmp_path / 'adapter'} is an adapter, which needs the package peft: pip install peft."
    )


def test_a_folder_that_is_not_there_is_not_asked_for_on_the_hub(tmp_path: Path) -> None:
    for name in (tmp_path / "x", f"{tmp_path}/x", "./x", "a/b/c"):
        for load in (load_model, load_tokenizer):
            with pytest.raises(UsageError) as error:
                load(name)
            assert str(error.value) == f"{name}: no such folder of a model."


def test_a_folder_without_a_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        load_tokenizer(tmp_path)
    assert str(error.value).startswith(f"{tmp_path}: its tokenizer cannot be loaded (")


def test_quiet_puts_everything_back() -> None:
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    with quiet_transformers():
        assert logging.get_verbosity() == logging.ERROR
        assert not logging.is_progress_bar_enabled()
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


@pytest.mark.parametrize("name", ["../x.safetensors", "/etc/passwd", "a/../../x.bin"])
def test_parts_outside_of_the_folder(name: str, tmp_path: Path) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"head": "part-1.safetensors", "tail": name}}))
    with pytest.raises(UsageError) as error:
        load_model(tmp_path)
    assert str(error.value) == (
        f'{index} names "{name}", a file outside of its folder. Restore the model.'
    )


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"weight_map": 1}'])
def test_a_list_of_parts_that_cannot_be_read(
    text: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    shutil.copytree(folders["policy"], tmp_path / "policy")
    (tmp_path / "policy" / "model.safetensors.index.json").write_text(text)
    assert load_model(tmp_path / "policy").dtype == torch.float32  # its one file is all it needs
