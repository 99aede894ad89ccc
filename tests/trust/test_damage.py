"""Every file of a run and of a checkpoint, damaged in every way: named, or harmless."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from damage import DAMAGES

import mixlogit as ml
from mixlogit import analysis
from mixlogit.align.checkpoint import newest_whole
from mixlogit.align.saved import Run
from mixlogit.cli import main
from mixlogit.errors import NumericsWarning, StorageError
from mixlogit.run import fault_of, refuse_damage, write_manifest

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # transformers' own

REPORT = "report.html"  # made from the other files, and made anew
FIT = [
    *("checks.json", "config.yaml", "data.json", "manifest.json", "metrics.jsonl", "posterior.nc"),
    *("run.json", "strength.json", "strength.png", "strength.safetensors", "strength.svg"),
    *("strengths.parquet", "summary.json", "summary.txt"),
]
GRID = ["comparison.json", "comparison.txt", "manifest.json"]
ALIGN = [*FIT, "alignment.json", "margins.parquet"]
POLICY = [
    *("README.md", "config.json", "generation_config.json", "model.safetensors"),
    *("tokenizer.json", "tokenizer_config.json"),
]
CHECKPOINT = [
    *("config.json", "generation_config.json", "manifest.json", "model.safetensors"),
    *("optimizer.pt", "rng_state.pth", "scheduler.pt", "strength-state.json"),
    *("strength-state.safetensors", "tokenizer.json", "tokenizer_config.json"),
    *("trainer_state.json", "training_args.bin"),
]
EACH_WAY = pytest.mark.parametrize("way", DAMAGES)
Runs = tuple[Path, Path]
Hurt = Callable[[Runs, str, str], tuple[Path, bool]]


@pytest.fixture
def hurt(tmp_path: Path) -> Hurt:
    """A copy of the first run with a damaged file, and whether that changed the file at all."""

    def damage(runs: Runs, name: str, way: str) -> tuple[Path, bool]:
        copy = tmp_path / "run"
        shutil.copytree(runs[0], copy)
        DAMAGES[way](copy / name, runs[1] / name)
        file = copy / name
        return copy, not file.exists() or file.read_bytes() != (runs[0] / name).read_bytes()

    return damage


def files(folder: Path) -> set[str]:
    """Names of the files in a folder, but for locks."""
    return {file.name for file in folder.iterdir() if file.is_file() and file.name[0] != "."}


def refused(read: Callable[[], object], folder: Path, name: str) -> None:
    """The error names folder and file in one line; of a manifest, what it says of a file."""
    with pytest.raises(StorageError) as caught:
        read()
    said = str(caught.value)
    assert said.startswith(f"{folder} is ")
    assert name in said or name == "manifest.json"
    assert "\n" not in said


def test_the_lists_name_all_files(fits: Runs, grids: Runs, alignments: Runs) -> None:
    assert files(fits[0]) == {*FIT, REPORT}
    assert files(grids[0]) == {*GRID}
    assert files(grids[0] / "gamma") == {*FIT}
    assert files(alignments[0]) == {*ALIGN}
    assert files(alignments[0] / "policy") == {*POLICY}
    assert files(alignments[0] / "checkpoint-4") == {*CHECKPOINT}


@EACH_WAY
@pytest.mark.parametrize("name", FIT)
def test_a_fit(name: str, way: str, fits: Runs, hurt: Hurt) -> None:
    folder, changed = hurt(fits, name, way)
    assert changed
    refused(lambda: ml.open_run(folder), folder, name)
    refused(lambda: analysis.report(folder), folder, name)


@pytest.mark.parametrize("way", [way for way in DAMAGES if way != "swap"])
def test_a_report_is_made_anew(way: str, fits: Runs, hurt: Hurt) -> None:
    folder, _ = hurt(fits, REPORT, way)
    assert ml.open_run(folder).family == "lognormal"
    assert main(["report", str(folder), "--quiet"]) == 0
    assert len((folder / REPORT).read_bytes()) > 10_000


@EACH_WAY
@pytest.mark.parametrize("name", GRID)
def test_a_grid(name: str, way: str, grids: Runs, hurt: Hurt) -> None:
    folder, changed = hurt(grids, name, way)
    assert changed
    refused(lambda: analysis.report(folder / "gamma"), folder, name)


@EACH_WAY
@pytest.mark.parametrize("name", ALIGN)
def test_an_alignment(name: str, way: str, alignments: Runs, hurt: Hurt) -> None:
    folder, changed = hurt(alignments, name, way)
    assert changed
    if name == "manifest.json":
        refused(lambda: Run.open(folder).pairing(None, None), folder, name)
        return
    refused(lambda: ml.open_run(folder), folder, name)
    refused(lambda: Run.open(folder), folder, name)


@EACH_WAY
@pytest.mark.parametrize("name", POLICY)
def test_a_policy(name: str, way: str, alignments: Runs, hurt: Hurt) -> None:
    folder, changed = hurt(alignments, f"policy/{name}", way)
    if not changed:
        assert way == "swap"  # of what both runs have alike
        assert fault_of(folder) is None
        return
    refused(lambda: Run.open(folder).pairing(None, None), folder, f"policy/{name}")


@EACH_WAY
@pytest.mark.parametrize("name", CHECKPOINT)
def test_a_checkpoint(name: str, way: str, alignments: Runs, hurt: Hurt) -> None:
    folder, changed = hurt(alignments, f"checkpoint-4/{name}", way)
    if not changed:
        assert way == "swap"
        assert newest_whole(folder) == folder / "checkpoint-4"
        return
    with pytest.warns(NumericsWarning) as told:
        assert newest_whole(folder) == folder / "checkpoint-2"
    words = str(told[0].message)
    assert words.startswith(f"{folder / 'checkpoint-4'} is damaged (")
    assert name in words or name == "manifest.json"
    assert words.endswith("Using checkpoint-2; the damaged folder was renamed.")


def test_a_finished_alignment_that_is_asked_for_again(
    alignments: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = alignments[0]
    line = ["align", "--config", str(run / "config.yaml"), "--quiet"]
    assert main(line) in (0, 4)
    kept = (run / "policy" / "model.safetensors").read_bytes()
    try:
        (run / "policy" / "model.safetensors").write_bytes(kept[:-1])
        assert main(line) == 5
    finally:
        (run / "policy" / "model.safetensors").write_bytes(kept)
    assert capsys.readouterr().err == (
        f"{run} is damaged (policy/model.safetensors: {len(kept) - 1:,} bytes, {len(kept):,} "
        "expected). Restore what was written, or make the run again with --overwrite.\n"
    )


def test_any_bit_of_a_manifest(tmp_path: Path) -> None:
    for name in ("a0", "a1", "weights"):
        (tmp_path / name).write_bytes(name.encode())
    write_manifest(tmp_path)
    manifest = tmp_path / "manifest.json"
    whole, chance = manifest.read_bytes(), random.Random(0)
    for _ in range(500):
        content = bytearray(whole)
        content[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        manifest.write_bytes(content)
        if fault_of(tmp_path) is None:  # two names that a bit makes one: the files are checked
            assert content.count(b'"a0"') != 1


@pytest.mark.parametrize(
    "text",
    [
        '{"../weights": {"bytes": 1, "sha256": ""}}',
        '{"/etc/passwd": {"bytes": 1, "sha256": ""}}',
        '{"a\\u0000b": {"bytes": 1, "sha256": ""}}',
        '{"weights": {"bytes": "1", "sha256": ""}}',
        '{"weights": null}',
        '["weights"]',
    ],
)
def test_a_manifest_of_something_else(text: str, tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"1")
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(StorageError) as caught:
        refuse_damage(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} is damaged (manifest.json is no list of files). Restore what was written, or "
        "make the run again with --overwrite."
    )
