"""`mixlogit quickstart`: offline, and the truth beside the estimates."""

import json
import re
import socket
from pathlib import Path

import pytest

from mixlogit.align import tiny


def test_quickstart(say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("quickstart must not use the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(tiny, "_RESPONDENTS", 60)
    monkeypatch.setitem(tiny._TRAINING, "num_train_epochs", 1)
    monkeypatch.chdir(tmp_path)
    code, out, err = say("quickstart")
    assert code == 0, err
    assert out.startswith("data     6,000 comparisons, 200 respondents (median ")
    row = r"^  coefficient of variation +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+)$"
    found = re.search(row, out, re.MULTILINE)
    assert found is not None
    _, _, low, high, truth = map(float, found.groups())
    assert low - 0.1 < truth < high + 0.1
    assert out.splitlines()[-1] == "Wrote runs/quickstart/report.html"
    run = tmp_path / "runs" / "quickstart"
    assert (run / "report.html").stat().st_size < 2_000_000
    assert (run / "strength.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((run / "judges.truth.json").read_text())["arguments"]["cv"] == truth
    assert (run / "judges.parquet").exists()
    learned = {line.split()[0]: line.split() for line in out.splitlines()[-3:-1]}
    assert float(learned["DPO"][1]) > 0.6
    assert float(learned["panel"][1]) > 0.6
    assert learned["panel"][-1] == "1.50"
    assert (run / "alignment" / "panel" / "policy" / "model.safetensors").exists()
