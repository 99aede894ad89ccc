"""`mixlogit.margins`: from texts and two language models to a file of margins."""

import time
import warnings
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mixlogit.data import Dropped, TextBatch, Texts, texts
from mixlogit.data.columns import ColumnNames
from mixlogit.data.outcomes import OutcomeLabels
from mixlogit.data.problems import BadRows
from mixlogit.data.processes import Processes, processes
from mixlogit.errors import DataError, DataWarning
from mixlogit.lm.cache import user_cache
from mixlogit.lm.encode import EncodingCounts, Truncation, encode
from mixlogit.lm.pairing import Pairing, open_pairing
from mixlogit.lm.ratios import COLUMNS, margin_columns
from mixlogit.lm.shards import Shards
from mixlogit.run import Progress, run_lock, silent

__all__ = ["MarginOptions", "Margins", "margins"]

_SHARD = 1000


@dataclass(frozen=True)
class Margins:
    """What `margins` did.

    Attributes:
        output: The file of margins.
        pairs: Comparisons in it.
        pairs_per_second: Comparisons scored in a second by this run, all processes together.
        cache_hits: Comparisons whose reference scores were in the cache.
        fallback: What the models could not take, in words, or None.
        counts: Comparisons truncated, merged and dropped on the way.
        left_out: Comparisons that a schema left out since they say nothing: reason to number.
        positive: Share of comparisons with a positive margin, which agrees with the choice.
        longer_chosen: Share of comparisons whose chosen answer has more tokens than the other,
            among those with different lengths. Far from one half, length alone predicts choices.
    """

    output: Path
    pairs: int
    pairs_per_second: float
    cache_hits: int
    fallback: str | None
    counts: EncodingCounts
    left_out: Mapping[str, int] = field(default_factory=dict)
    positive: float | None = None
    longer_chosen: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The object of `mixlogit margins --json`."""
        said = {**asdict(self), "output": str(self.output), "rows": self.counts.rows}
        del said["counts"]
        found = {"truncated": self.counts.truncated, "merged": self.counts.merged}
        return {**said, **found, "dropped": len(self.counts.dropped)}


class MarginOptions(ColumnNames, total=False):
    """What `margins` takes besides: how texts are scored, and column names by role (`texts`).

    Attributes:
        tokenizer: A tokenizer, or the folder or hub id of one; the policy's if absent.
        max_length: Most tokens of a prompt with one answer; what the models take if absent.
        truncation: What remains of longer ones, as for `encode`.
        dtype: Of models that are loaded: `auto` is bfloat16 on a GPU that has it, else float32.
        device: Where models that are loaded go; the GPU of this process, or the CPU.
        batch_tokens: Most tokens that go through a model at a time, padding included.
        cache: Folder of reference scores; `auto` is that of the user (`MIXLOGIT_CACHE`, or
            `~/.cache/mixlogit/reference`), None keeps none.
        schema: A known data set, as for `texts`.
        labels: Other words for outcomes, as for `texts`.
        split: Split of a hub data set, as for `texts`.
    """

    tokenizer: Any
    max_length: int | None
    truncation: Truncation
    dtype: str
    device: str | None
    batch_tokens: int | None
    cache: str | Path | None
    schema: str | None
    labels: OutcomeLabels
    split: str | None


_SCORING = ("max_length", "truncation", "dtype", "device", "batch_tokens")


def margins(
    data: Any,
    *,
    policy: Any,
    reference: Any | None = None,
    output: str | Path,
    bad_rows: BadRows = "stop",
    shard_rows: int = _SHARD,
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: Unpack[MarginOptions],
) -> Margins:
    """Margins of a policy against a reference, for any number of comparisons of texts.

    Reads, scores and writes shard after shard; memory does not grow with the number of rows. A
    run that was killed continues at its next shard when it is called again, and its file is the
    same to the last byte. Under `torchrun` the processes share the shards.

    Args:
        data: As `texts` takes it, or a `Texts`.
        policy: A model, or the folder or hub id of one or of an adapter.
        reference: The same; None switches the policy's adapter off.
        output: The Parquet file to write: the columns of the data in order, then `COLUMNS`.
        bad_rows: `stop` at the first malformed row, or `drop` and count such rows.
        shard_rows: Rows of the data in a shard.
        overwrite: Replace an earlier file, and work begun with other arguments.
        progress: Called with a stage, rows done and rows in all.
        **options: How texts are scored, and column names: `MarginOptions`.

    Returns:
        What was done.

    Raises:
        DataError: A row is malformed, or a log-probability is not finite.
        UsageError: The models or arguments cannot be used.
        StorageError: The file exists, is in use, was begun otherwise, or cannot be written.

    Example:
        >>> table = pa.table({"prompt": ["Why?"], "chosen": [" So."], "rejected": [" No."]})
        >>> margins(table, policy="no/such/folder", output="margins.parquet")
        Traceback (most recent call last):
        mixlogit.errors.UsageError: no/such/folder: no such folder of a model.
    """
    with processes() as group, ExitStack() as stack:
        stream, pairing = _opened(data, policy, reference, bad_rows, shard_rows, options)
        shards = Shards(Path(output))
        work = True
        if group.first:
            shards.output.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(run_lock(shards.output))
            manifest = {**_identity(stream), "bad_rows": bad_rows, **pairing.identity()}
            work = shards.begin(manifest, overwrite=overwrite)
        if group.total([work])[0]:
            return _Run(stream, pairing, shards, group, bad_rows, progress)()
        rows = pq.read_metadata(shards.output).num_rows
        return Margins(shards.output, rows, 0.0, 0, pairing.fallback, EncodingCounts())


def _opened(
    data: Any,
    policy: Any,
    reference: Any | None,
    bad_rows: BadRows,
    shard_rows: int,
    options: MarginOptions,
) -> tuple[Texts, Pairing]:
    """The stream of texts, and the models that score it."""
    columns: dict[str, Any] = dict(options)
    scoring = {name: columns.pop(name) for name in _SCORING if name in columns}
    tokenizer, cache = columns.pop("tokenizer", None), user_cache(columns.pop("cache", "auto"))
    if isinstance(data, Texts):
        stream = data
    else:
        stream = texts(data, bad_rows=bad_rows, batch_rows=shard_rows, **columns)
    _refuse_columns(stream)
    return stream, open_pairing(policy, reference, tokenizer, cache=cache, **scoring)


class _Run:
    """One pass over the shards that are not there yet, and the merge."""

    def __init__(
        self,
        stream: Texts,
        pairing: Pairing,
        shards: Shards,
        group: Processes,
        bad_rows: BadRows,
        progress: Progress | None,
    ) -> None:
        self.stream = stream
        self.pairing = pairing
        self.shards = shards
        self.group = group
        self.bad_rows = bad_rows
        self.progress = progress or silent
        self.pairs = self.cache_hits = 0

    def __call__(self) -> Margins:
        start = 0
        while (end := self.shards.end(start)) is not None:
            start = end
        self.group.wait()  # all must see the same shards before the first one adds to them
        begin = time.monotonic()
        self.progress("scoring", start, self.stream.n_rows or 0)
        end = start
        for number, batch in enumerate(self.stream.batches(start)):
            mine = number % self.group.count == self.group.rank
            if mine and self.shards.end(batch.start) is None:
                self._shard(batch)
            end = batch.end
            self.progress("scoring", end, self.stream.n_rows or 0)
        pairs, hits = self.group.total([self.pairs, self.cache_hits])
        rate = pairs / max(time.monotonic() - begin, 1e-9)
        result = self._summary(end, rate, int(hits))
        self.group.wait()  # all have read what is removed now
        if self.group.first:
            self.shards.merge(end)
        self.group.wait()
        return result

    def _shard(self, batch: TextBatch) -> None:
        """Encode, score and write the comparisons of one batch."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)  # told once, at the end
            encoded, counts = encode(
                batch.table,
                self.pairing.tokenizer,
                max_length=self.pairing.max_length,
                truncation=self.pairing.truncation,
                bad_rows=self.bad_rows,
                source=batch.source,
            )
        hits = self.pairing.cache_hits
        found = margin_columns(
            encoded,
            self.pairing.policy,
            self.pairing.reference,
            tokens=self.pairing.batch_tokens,
        )
        self.pairs += len(encoded)
        self.cache_hits += len(encoded) if self.pairing.cache_hits > hits else 0
        table = batch.table.take(pa.array(encoded.row, pa.int64()))
        for name in COLUMNS:
            table = table.append_column(name, pa.array(found[name]))
        _refuse_nan(batch, encoded.row, found["margin"])
        longer = found["length_chosen"] - found["length_rejected"]
        record = {
            "counts": counts + EncodingCounts(len(batch.dropped), dropped=batch.dropped),
            "pairs": len(encoded),
            "positive": (found["margin"] > 0).sum(),
            "longer": (longer > 0).sum(),
            "shorter": (longer < 0).sum(),
            "left_out": batch.left_out,
        }
        self.shards.write(batch.start, batch.end, table, record)

    def _summary(self, end: int, rate: float, hits: int) -> Margins:
        counts, said, left_out = EncodingCounts(), Counter[str](), Counter[str]()
        for record in self.shards.records(end):
            told = record.pop("counts")
            dropped = tuple(Dropped(**entry) for entry in told.pop("dropped"))
            counts += EncodingCounts(**told, dropped=dropped)
            left_out.update(record.pop("left_out"))
            said.update(record)
        if not said["pairs"]:
            raise DataError(
                f"{self.stream.name}: no comparison is left to score. {len(counts.dropped):,} "
                f"dropped, {left_out.total():,} left out.",
                file=self.stream.name,
            )
        if self.group.first:
            for finding in counts.findings:
                warnings.warn(f"{self.stream.name}: {finding.message}", DataWarning, stacklevel=2)
        return Margins(
            output=self.shards.output,
            pairs=said["pairs"],
            pairs_per_second=rate,
            cache_hits=hits,
            fallback=self.pairing.fallback,
            counts=counts,
            left_out=left_out,
            positive=_share(said["positive"], said["pairs"] - said["positive"]),
            longer_chosen=_share(said["longer"], said["shorter"]),
        )


def _identity(stream: Texts) -> dict[str, Any]:
    """What tells the data from others, in words of the arguments."""
    named = stream.schema.names
    return {"data": stream.sha256 or f"{stream.n_rows} rows", "columns": named}


def _refuse_columns(stream: Texts) -> None:
    taken = [name for name in stream.schema.names if name in COLUMNS]
    if taken:
        raise DataError(
            f'{stream.name}: there is a column "{taken[0]}" already. Rename it, or start from '
            f"the data without margins.",
            file=stream.name,
            column=taken[0],
        )


def _share(these: int, others: int) -> float | None:
    return these / (these + others) if these + others else None


def _refuse_nan(batch: TextBatch, rows: list[int], margin: Any) -> None:
    wrong = np.flatnonzero(~np.isfinite(margin))
    if len(wrong):
        file, row = batch.source.locate(rows[int(wrong[0])])
        raise DataError(
            f"{file}, row {row}: a log-probability is not finite. Try --dtype float32.",
            file=file,
            row=row,
        )
