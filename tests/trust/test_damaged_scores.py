"""Shards of margins and entries of the reference cache, damaged: made again, never believed."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from damage import DAMAGES

from mixlogit.errors import StorageError
from mixlogit.lm import Row, ScoreCache
from mixlogit.lm.cache import rows_key
from mixlogit.lm.shards import Shards, _sha256

ROWS = 300
SHARDS = ["000000000300.parquet", "000000000300.json"]
EACH_WAY = pytest.mark.parametrize("way", DAMAGES)
Made = Callable[[str, float], Shards]


def table(start: int, seed: float) -> pa.Table:
    return pa.table({"margin": [seed + row for row in range(start, start + ROWS)]})


def scored(shards: Shards, seed: float) -> list[int]:
    """Score what is missing, and merge; which shards were missing."""
    missing = [start for start in range(0, 3 * ROWS, ROWS) if shards.end(start) is None]
    for start in missing:
        shards.write(start, start + ROWS, table(start, seed), {"pairs": ROWS})
    shards.merge(3 * ROWS)
    return missing


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Three shards, all written but not merged."""

    def make(name: str, seed: float) -> Shards:
        shards = Shards(tmp_path / name)
        assert shards.begin({"policy": name[0]}, overwrite=False)
        for start in range(0, 3 * ROWS, ROWS):
            shards.write(start, start + ROWS, table(start, seed), {"pairs": ROWS})
        return shards

    return make


@pytest.fixture
def whole(made: Made) -> bytes:
    """The file as it should be."""
    shards = made("a-whole", 0.0)
    assert scored(shards, 0.0) == []
    return shards.output.read_bytes()


def damage(way: str, name: str, shards: Shards, other: Shards) -> None:
    DAMAGES[way](shards.folder / name, other.folder / name)


@EACH_WAY
@pytest.mark.parametrize("name", SHARDS)
def test_a_damaged_shard_is_scored_again(name: str, way: str, made: Made, whole: bytes) -> None:
    shards = made("a", 0.0)
    damage(way, name, shards, made("b", 0.5))
    with pytest.raises(StorageError) as told:
        shards.merge(3 * ROWS)
    file = shards.folder / SHARDS[0]
    assert str(told.value) == f"{file} is missing or damaged. Run the same command again."
    assert shards.begin({"policy": "a"}, overwrite=False)
    assert scored(shards, 0.0) == [ROWS]
    assert shards.output.read_bytes() == whole


@EACH_WAY
def test_a_damaged_list_begins_anew(way: str, made: Made, whole: bytes) -> None:
    shards = made("a", 0.0)
    damage(way, "manifest.json", shards, made("b", 0.5))
    other = way in ("swap", "flip")  # it can be read, and tells of other work
    if other:
        with pytest.raises(StorageError, match=r"was begun with other policy\."):
            shards.begin({"policy": "a"}, overwrite=False)
    assert shards.begin({"policy": "a"}, overwrite=other)
    assert scored(shards, 0.0) == [0, ROWS, 2 * ROWS]  # nothing says whose the others are
    assert shards.output.read_bytes() == whole


@EACH_WAY
def test_a_merged_file_that_is_damaged_is_merged_again(
    way: str, made: Made, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards, other = made("a", 0.0), made("b", 0.5)
    with monkeypatch.context() as broken:
        broken.setattr(Shards, "_finish", lambda self: None)
        shards.merge(3 * ROWS)
        other.merge(3 * ROWS)
    damage(way, "whole.parquet", shards, other)
    assert shards.begin({"policy": "a"}, overwrite=False)
    assert scored(shards, 0.0) == []
    assert shards.output.read_bytes() == whole


def test_any_bit_of_a_shard_and_of_its_record(made: Made) -> None:
    shards, chance = made("a", 0.0), random.Random(0)
    for name in SHARDS:
        file = shards.folder / name
        kept = file.read_bytes()
        for _ in range(200):
            content = bytearray(kept)
            content[chance.randrange(len(kept))] ^= 1 << chance.randrange(8)
            file.write_bytes(content)
            assert shards.end(ROWS) in (None, 2 * ROWS)
            assert name.endswith("json") or shards.end(ROWS) is None
        file.write_bytes(kept)


@pytest.mark.parametrize("end", ["../x", "/etc/passwd", ROWS, 0, None, 1e300, ["../x"]])
@pytest.mark.parametrize("key", ["start", "end"])
def test_a_record_that_leads_elsewhere(key: str, end: object, made: Made, whole: bytes) -> None:
    shards = made("a", 0.0)
    file = shards.folder / SHARDS[1]
    record = json.loads(file.read_text())["record"]
    record[key] = end if key == "end" or end != ROWS else 0
    said = {"sha256": _sha256(file.with_suffix(".parquet"), record), "record": record}
    file.write_text(json.dumps(said))
    assert shards.begin({"policy": "a"}, overwrite=False)
    assert scored(shards, 0.0) == [ROWS]
    assert shards.output.read_bytes() == whole


def test_shards_under_each_others_names(made: Made, whole: bytes) -> None:
    shards = made("a", 0.0)
    for name in SHARDS:
        shutil.copy(shards.folder / name.replace("300", "000"), shards.folder / name)
    assert scored(shards, 0.0) == [ROWS]
    assert shards.output.read_bytes() == whole


@EACH_WAY
def test_a_damaged_entry_of_the_cache_is_no_entry(way: str, tmp_path: Path) -> None:
    cache = ScoreCache(tmp_path)
    kept = torch.arange(50.0)
    cache.store("one", kept)
    cache.store("other", kept + 1)
    DAMAGES[way](tmp_path / "one.safetensors", tmp_path / "other.safetensors")
    assert cache.load("one", 50) is None
    cache.store("one", kept)
    found = cache.load("one", 50)
    assert found is not None
    assert torch.equal(found, kept)


def test_any_bit_of_an_entry_of_the_cache(tmp_path: Path) -> None:
    cache, chance = ScoreCache(tmp_path), random.Random(0)
    kept = torch.arange(50.0)
    cache.store("one", kept)
    file = tmp_path / "one.safetensors"
    whole = file.read_bytes()
    for _ in range(300):
        content = bytearray(whole)
        content[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        file.write_bytes(content)
        found = cache.load("one", 50)
        assert found is None or torch.equal(found, kept)


def test_no_text_gives_an_entry_a_name_that_leads_elsewhere() -> None:
    for model in ("../x", "/etc/passwd", "a\0b"):
        assert set(rows_key(model, [Row([1], [[2]])])) <= set("0123456789abcdef")
