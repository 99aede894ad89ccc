"""The votes that surprised the fit most, with their texts read again from the data file."""

import gzip
import hashlib
import json
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mixlogit.analysis.saved import Saved
from mixlogit.analysis.section import Quote
from mixlogit.errors import StorageError, UsageError
from mixlogit.run import load_config
from mixlogit.run.words import figure

__all__ = ["surprising_votes"]

_SHOWN, _LONGEST = 10, 600
_BLANK = "\N{REPLACEMENT CHARACTER}"
_TURNS = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}  # direction


def surprising_votes(folder: Path, saved: Saved) -> list[Quote]:
    """The votes of lowest probability given all other votes, with prompt and both texts.

    The texts are not kept in the run: they are read from the data file, which must be the one
    that was fitted, to the last byte.

    Args:
        folder: A run folder of `mixlogit fit`.
        saved: Its draws.

    Returns:
        At most ten votes, the most surprising first; ties are never among them. Texts of more
        than 600 characters are cut, and say how long they are.

    Raises:
        UsageError: If the run does not say where its data are, or these have no texts.
        StorageError: If the data file is gone, changed, or cannot be read.
    """
    file, columns = _data_of(folder)
    if "outcome" not in saved.tree["observed_data"] or not {"chosen", "rejected"} <= set(columns):
        raise UsageError(
            f"{folder} was not fitted to texts: --show-text needs columns with chosen and "
            "rejected texts in its data."
        )
    constant = saved.tree["constant_data"]
    if "file_row" not in constant:
        raise UsageError(f"{folder} does not keep row numbers; fit it again to show texts.")
    place, probability = _least_probable(saved)
    rows = constant["file_row"].to_numpy()[place]
    first = saved.tree["observed_data"]["outcome"].to_numpy()[place] == 1
    texts = _texts(file, list(columns.values()), rows)
    out = []
    for k, row in enumerate(rows.tolist()):
        order = ("chosen", "rejected") if first[k] else ("rejected", "chosen")
        named = dict(zip(("preferred", "not preferred"), order, strict=True))
        if "prompt" in columns:
            named = {"prompt": "prompt", **named}
        words = f"Row {row:,}: probability {figure(probability[k])} of the recorded answer"
        parts = [(word, _shown(texts[columns[role]][k])) for word, role in named.items()]
        out.append(Quote(words, parts))
    return out


def _data_of(folder: Path) -> tuple[Path, dict[str, str]]:
    """The data file of a run, found to be unchanged, and its columns of texts by role."""
    config, card = folder / "config.yaml", folder / "data.json"
    values = load_config(config) if config.is_file() else {}
    if "data" not in values or not card.is_file():
        raise UsageError(
            f"{folder} does not say where its data are, so no texts can be shown: fit with "
            '"mixlogit fit".'
        )
    record = json.loads(card.read_text(encoding="utf-8"))
    file = Path(str(values["data"]))
    if file.is_dir() or not record.get("sha256"):
        raise UsageError(f"{file} is not a single file; texts are shown of a single file only.")
    again = "so its texts cannot be shown. Put it back, or leave out --show-text."
    if not file.is_file():
        raise StorageError(f"{file}, which {folder} was fitted to, is gone, {again}", file=file)
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != record["sha256"]:
        raise StorageError(
            f"{file} is not what {folder} was fitted to (its sha256 differs), {again}", file=file
        )
    roles = {role: record["columns"].get(role) for role in ("prompt", "chosen", "rejected")}
    return file, {role: str(name) for role, name in roles.items() if name}


def _least_probable(saved: Saved) -> tuple[np.ndarray, np.ndarray]:
    """Places of the most surprising decided votes, and the probabilities of their answers."""
    outcome = saved.tree["observed_data"]["outcome"].to_numpy()
    p = saved.tree["posterior_predictive"]["probability_without"].to_numpy()
    own = np.where(outcome == 1, p, 1 - p)
    known = np.flatnonzero(np.isfinite(own) & (outcome != 0.5))
    place = known[np.argsort(own[known], kind="stable")[:_SHOWN]]
    return place, own[place]


def _texts(file: Path, columns: list[str], rows: np.ndarray) -> dict[str, list[str]]:
    """The texts of some rows, counted from 1, by column."""
    kind = file.suffixes[-2 if file.suffix == ".gz" else -1].lower()
    try:
        if kind == ".parquet":
            frame = pd.read_parquet(file, columns=columns)
        elif kind in (".csv", ".tsv"):
            frame = pd.read_csv(
                file, sep=_separator(file), usecols=columns, dtype=str, keep_default_na=False
            )
        else:
            lines = kind == ".jsonl"
            frame = pd.read_json(file, lines=lines, dtype=False)
        found = frame[columns].iloc[rows - 1]
    except Exception as error:  # pandas and pyarrow raise a dozen kinds
        raise StorageError(f"{file} cannot be read again: {error}", file=file) from error
    return {name: [_text(value) for value in found[name]] for name in columns}


def _separator(file: Path) -> str:
    """What parts the cells of a CSV file: a comma, or else the semicolon or tab of its header."""
    with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as lines:
        header = next((line for line in lines if line.strip("\r\n")), "")
    return next((mark for mark in ",;\t" if mark in header), ",")


def _text(value: Any) -> str:
    """A text, or a conversation as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _shown(text: str) -> str:
    """A text without control characters and turns of direction, cut where it is long."""
    clean = "".join(
        _BLANK if sign in _TURNS or unicodedata.category(sign) in ("Cc", "Cs") else sign
        for sign in text[:_LONGEST].replace("\n", "\u2028").replace("\t", " ")
    ).replace("\u2028", "\n")
    return clean if len(text) <= _LONGEST else f"{clean}… ({len(text):,} characters in all)"
