"""Shards: what is done stays done, and the file is the same however often work was broken off."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mixlogit.errors import StorageError
from mixlogit.lm.shards import Shards

MANIFEST = {"policy": "a", "max_length": None}


def write(shards: Shards, *starts: int) -> None:
    for start in starts:
        shards.write(start, start + 2, pa.table({"x": [start, start + 1]}), {"pairs": 2})


def whole(folder: Path) -> bytes:
    shards = Shards(folder / "whole.parquet")
    assert shards.begin(MANIFEST, overwrite=False)
    write(shards, 0, 2, 4)
    shards.merge(6)
    return shards.output.read_bytes()


def test_shards_written_in_any_order_and_in_two_goes(tmp_path: Path) -> None:
    shards = Shards(tmp_path / "x.parquet")
    assert shards.begin(MANIFEST, overwrite=False)
    write(shards, 4)
    write(shards, 0)
    again = Shards(tmp_path / "x.parquet")
    assert again.begin(MANIFEST, overwrite=False)
    assert [again.end(start) for start in (0, 2, 4)] == [2, None, 6]
    write(again, 2)
    again.merge(6)
    assert again.output.read_bytes() == whole(tmp_path)
    assert pq.read_table(again.output).to_pydict() == {"x": [0, 1, 2, 3, 4, 5]}
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["whole.parquet", "x.parquet"]


@pytest.mark.parametrize("after", ["marked", "moved", "shards removed"])
def test_broken_off_while_finishing(
    after: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = Shards(tmp_path / "x.parquet")
    shards.begin(MANIFEST, overwrite=False)
    write(shards, 0, 2, 4)
    with monkeypatch.context() as broken:
        broken.setattr(shards, "_finish", lambda: None)
        shards.merge(6)
    if after != "marked":
        (shards.folder / "whole.parquet").rename(shards.output)
    if after == "shards removed":
        (shards.folder / f"{0:012d}.parquet").unlink()
    assert not Shards(tmp_path / "x.parquet").begin(MANIFEST, overwrite=False)
    assert shards.output.read_bytes() == whole(tmp_path)
    assert not shards.folder.exists()


def test_an_earlier_file_is_refused_or_replaced(tmp_path: Path) -> None:
    shards = Shards(tmp_path / "x.parquet")
    shards.output.write_text("old")
    with pytest.raises(StorageError) as error:
        shards.begin(MANIFEST, overwrite=False)
    assert str(error.value) == (
        f"{shards.output} exists. Choose another --output, or add --overwrite."
    )
    assert shards.begin(MANIFEST, overwrite=True)
    write(shards, 0)
    assert shards.output.read_text() == "old"
    assert Shards(shards.output).begin(MANIFEST, overwrite=True)  # the same command again
    assert shards.end(0) == 2
    shards.merge(2)
    assert pq.read_table(shards.output).num_rows == 2


def test_work_begun_otherwise_is_refused_or_dropped(tmp_path: Path) -> None:
    shards = Shards(tmp_path / "x.parquet")
    shards.begin(MANIFEST, overwrite=False)
    write(shards, 0)
    with pytest.raises(StorageError) as error:
        shards.begin({"policy": "b", "max_length": 7}, overwrite=False)
    assert str(error.value) == (
        f"{shards.output} was begun with other max_length, policy. Give the same again to "
        f"continue, or add --overwrite to begin anew."
    )
    assert shards.begin({"policy": "b", "max_length": 7}, overwrite=True)
    assert shards.end(0) is None
