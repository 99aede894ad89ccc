"""`mixlogit doctor` says what a bug report needs, and no secret."""

import json
import socket
from pathlib import Path

import pytest
import torch

import mixlogit as ml
from mixlogit.cli import main


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("doctor must not use the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_doctor(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("HF_ENDPOINT", "mirror")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert f"torch {torch.__version__}" in out
    assert "a token is set, endpoint mirror, offline;" in out
    assert "hf_secret" not in out


def test_doctor_as_json_is_the_python_call(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert main(["doctor", "--json", "--quiet", "--output", str(tmp_path / "x")]) == 0
    found = json.loads(capsys.readouterr().out)
    expected = ml.doctor()
    assert found["versions"] == expected["versions"]
    assert found["torch"] == expected["torch"]
    assert found["hub"]["token"] is False
    assert json.loads((tmp_path / "x" / "doctor.json").read_text()) == found
