"""Comparisons: judged pairs, validated once and never changed afterwards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from mixlogit.data.graph import components
from mixlogit.data.shown import comparisons_line, data_html
from mixlogit.errors import UsageError
from mixlogit.run.words import plural

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Comparisons", "Dropped", "Finding", "Labels"]

Kind = Literal["margin", "items", "features", "texts"]


@dataclass(frozen=True, eq=False)
class Labels:
    """A column of names, as integers.

    Args:
        codes: For each `comparison` the position of its name in `labels` (int64).
        labels: The distinct names, in the order in which they first appear.

    Raises:
        UsageError: If the codes are not integers, or point outside the labels.

    Example:
        >>> who = Labels(torch.tensor([0, 1, 0]), ("w1", "w2"))
        >>> len(who), who.counts().tolist()
        (2, [2, 1])
    """

    codes: Tensor
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_codes(self.codes, len(self.labels), "label")

    def __len__(self) -> int:
        """Number of distinct names."""
        return len(self.labels)

    def counts(self) -> Tensor:
        """Comparisons of each name: an integer vector over the names."""
        return torch.bincount(self.codes, minlength=len(self.labels))


@dataclass(frozen=True)
class Dropped:
    """A row that was left out because it is malformed.

    Args:
        row: The data row, counted from 1 (a header or a blank line is not a row).
        column: The column at fault; empty if the row could not be read at all.
        reason: What is wrong, such as `margin is NaN`.
        file: The file of a folder that holds the row; else the source itself.

    Example:
        >>> Dropped(17, "rejected", '"rejected" is missing').row
        17
    """

    row: int
    column: str
    reason: str
    file: str = ""


@dataclass(frozen=True)
class Finding:
    """Something the data can be used with, but that their owner should know.

    Args:
        name: A stable key, such as `duplicates`.
        count: How often (rows, respondents or components, as the message says).
        message: One sentence.

    Example:
        >>> Finding("ties", 12, "12 ties are kept: each enters as half a vote each way.").count
        12
    """

    name: str
    count: int
    message: str


@dataclass(frozen=True, eq=False, repr=False)
class Comparisons:
    """Judged pairs: what was compared, by whom, and which one was preferred.

    Where the margin comes from is exactly one of `margin` (given), `item_a` and `item_b` (the
    items' utilities are then latent) and `features` (utilities are linear in them). Make one
    with `load`, `from_pandas` or `from_dataset`, which read columns and say what is wrong.

    Args:
        outcome: `comparison`-vector, float64: 1 if the first was preferred, 0 if the second,
            0.5 for a tie.
        margin: `comparison`-vector of margins, first minus second, float64, finite.
        item_a: `comparison`-vector of positions in `items`, the first of each pair.
        item_b: The same for the second.
        items: Names of the items.
        component: `item`-vector: the connected component of the comparison graph in which each
            item lies; computed here.
        features: `comparison` x `feature` differences, first minus second, float64, finite.
        feature_names: Names of the features.
        respondent: Who judged each comparison.
        groups: Group labels of each comparison, by column name.
        weight: `comparison`-vector of positive weights, float64.
        length: `comparison`-vector: characters of the first text less those of the second one.
        grade: `comparison`-vector, int64: 1, 2, ... for the first, -1, ... for the second, 0: tie.
        row: `comparison`-vector, int64: the row each was read from, counted from 1; None if
            unknown.
        source: What messages call the data.
        source_sha256: Checksum of the file or files; None for data held in memory.
        dropped: The malformed rows that were left out.
        warnings: What was found in the data as a whole.
        columns: Role to column name(s), as read.

    Raises:
        UsageError: If shapes, types or values do not fit together.

    Example:
        >>> data = Comparisons(outcome=torch.tensor([1.0, 0.5]), margin=torch.tensor([0.3, 0.1]))
        >>> data
        Comparisons(margin, 2 comparisons, 1 tie)
    """

    outcome: Tensor
    margin: Tensor | None = None
    item_a: Tensor | None = None
    item_b: Tensor | None = None
    items: tuple[str, ...] = ()
    component: Tensor | None = field(default=None, init=False)
    features: Tensor | None = None
    feature_names: tuple[str, ...] = ()
    respondent: Labels | None = None
    groups: Mapping[str, Labels] = field(default_factory=dict)
    weight: Tensor | None = None
    length: Tensor | None = None
    grade: Tensor | None = None
    row: Tensor | None = None
    source: str = "data"
    source_sha256: str | None = None
    dropped: tuple[Dropped, ...] = ()
    warnings: tuple[Finding, ...] = ()
    columns: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("outcome", "margin", "features", "weight"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, value.to(torch.float64))
        _check(self)
        if self.item_a is not None and self.item_b is not None:
            found = components(self.item_a.numpy(), self.item_b.numpy(), len(self.items))
            object.__setattr__(self, "component", torch.from_numpy(found))

    @property
    def kind(self) -> Kind:
        """Where the margin comes from: `margin`, `items`, `features`; `texts` if not known yet."""
        if self.margin is not None:
            return "margin"
        if self.item_a is not None:
            return "items"
        return "texts" if self.features is None else "features"

    @property
    def n_comparisons(self) -> int:
        """Number of comparisons, ties included."""
        return self.outcome.numel()

    @property
    def n_respondents(self) -> int:
        """Number of respondents; 0 without respondent ids."""
        return 0 if self.respondent is None else len(self.respondent)

    @property
    def n_ties(self) -> int:
        """Number of ties."""
        return int((self.outcome == 0.5).sum())

    @property
    def n_components(self) -> int:
        """Connected components of the comparison graph; 0 unless items are compared."""
        return 0 if self.component is None else int(self.component.max()) + 1

    def __len__(self) -> int:
        """Number of comparisons."""
        return self.n_comparisons

    def __repr__(self) -> str:
        """One line: kind and counts."""
        return comparisons_line(self)

    def _repr_html_(self) -> str:
        return data_html(self)

    @classmethod
    def from_pandas(cls, df: "pd.DataFrame", **columns: Any) -> "Comparisons":
        """Comparisons from a data frame.

        Args:
            df: One row a comparison.
            **columns: As for `load`: `margin`, `chosen`, `rejected`, `prompt`, `item_a`,
                `item_b`, `features`, `outcome`, `labels`, `respondent`, `groups`, `weight`,
                `bad_rows` and `source`.

        Returns:
            The comparisons.

        Raises:
            DataError: If a row is malformed, naming row and column.
            UsageError: If the columns named do not fit together.

        Example:
            >>> import pandas as pd
            >>> df = pd.DataFrame({"margin": [0.5, -0.2, 0.9], "worker": ["w1", "w2", "w1"]})
            >>> Comparisons.from_pandas(df, respondent="worker")
            Comparisons(margin, 3 comparisons, 2 respondents)
        """
        from mixlogit.data.load import load

        return load(df, **columns)

    @classmethod
    def from_dataset(cls, dataset: Any, **columns: Any) -> "Comparisons":
        """Comparisons from a `datasets.Dataset`.

        Args:
            dataset: One row a comparison.
            **columns: As for `load`.

        Returns:
            The comparisons.

        Raises:
            DataError: If a row is malformed, naming row and column.
            UsageError: If the columns named do not fit together.

        Example:
            >>> from datasets import Dataset
            >>> rows = Dataset.from_dict({"margin": [0.5, -0.2], "respondent": ["w1", "w1"]})
            >>> Comparisons.from_dataset(rows)
            Comparisons(margin, 2 comparisons, 1 respondent)
        """
        from mixlogit.data.load import load

        return load(dataset, **columns)

    def take(self, index: Tensor | Sequence[int]) -> "Comparisons":
        """Some of the comparisons, in the order given; label and item tables are kept whole.

        Args:
            index: Positions of comparisons, or a `comparison`-vector of booleans.

        Returns:
            The comparisons chosen. `warnings` and `dropped` still describe the whole data.

        Raises:
            UsageError: If the index picks nothing or points outside the data.

        Example:
            >>> data = Comparisons(outcome=torch.ones(3), margin=torch.tensor([1.0, 2.0, 3.0]))
            >>> data.take([2, 0]).margin.tolist()
            [3.0, 1.0]
        """
        at = _positions(torch.as_tensor(index), self.n_comparisons)

        def part(value: Tensor | None) -> Tensor | None:
            return None if value is None else value[at]

        def names(value: Labels) -> Labels:
            return Labels(value.codes[at], value.labels)

        return replace(
            self,
            outcome=self.outcome[at],
            margin=part(self.margin),
            item_a=part(self.item_a),
            item_b=part(self.item_b),
            features=part(self.features),
            weight=part(self.weight),
            length=part(self.length),
            grade=part(self.grade),
            row=part(self.row),
            respondent=None if self.respondent is None else names(self.respondent),
            groups={name: names(group) for name, group in self.groups.items()},
        )

    def split(self, fraction: float, seed: int = 0) -> tuple["Comparisons", "Comparisons"]:
        """Split the comparisons at random into a part to fit and a part to test.

        Args:
            fraction: Share of comparisons to test, between 0 and 1.
            seed: Seed of the random choice.

        Returns:
            The part to fit and the part to test, each in the order of the data.

        Raises:
            UsageError: If either part would be empty.

        Example:
            >>> data = Comparisons(outcome=torch.ones(10), margin=torch.arange(10.0))
            >>> [len(part) for part in data.split(0.2, seed=0)]
            [8, 2]
        """
        n_test = round(fraction * self.n_comparisons) if 0 < fraction < 1 else 0
        if not 0 < n_test < self.n_comparisons:
            raise UsageError(
                f"A test fraction of {fraction} of {plural(self.n_comparisons, 'comparison')} "
                "leaves one part empty. Choose one between 0 and 1."
            )
        generator = torch.Generator().manual_seed(seed)
        test = torch.zeros(self.n_comparisons, dtype=torch.bool)
        test[torch.randperm(self.n_comparisons, generator=generator)[:n_test]] = True
        return self.take(~test), self.take(test)


def _positions(index: Tensor, n: int) -> Tensor:
    """Row positions from positions or a mask, checked."""
    if index.dtype == torch.bool:
        if index.shape != (n,):
            raise UsageError(f"Expected a mask of {n:,} comparisons but got {index.numel():,}.")
        index = index.nonzero().squeeze(1)
    if index.numel() == 0:
        raise UsageError("No comparison was chosen: the index is empty.")
    if index.is_floating_point() or int(index.min()) < -n or int(index.max()) >= n:
        raise UsageError(f"Expected whole positions below {n:,} but got others.")
    return index


def _check_codes(codes: Tensor, size: int, noun: str) -> None:
    if codes.dtype != torch.int64 or codes.dim() != 1:
        raise UsageError(f"Expected a vector of int64 {noun} codes but got {codes.dtype}.")
    if codes.numel() and not (int(codes.min()) >= 0 and int(codes.max()) < size):
        raise UsageError(f"Expected {noun} codes from 0 to {size - 1} but got others.")


def _check(data: Comparisons) -> None:
    """Everything that a valid object promises."""
    _check_sources(data)
    n = data.n_comparisons
    outcome = data.outcome
    if outcome.dim() != 1 or n == 0:
        raise UsageError("Expected at least one outcome, in a vector.")
    if not bool(((outcome == 0) | (outcome == 1) | (outcome == 0.5)).all()):
        raise UsageError("Expected outcomes 1 (first), 0 (second) or 0.5 (tie) but got others.")
    vectors = {
        name: getattr(data, name)
        for name in ("margin", "item_a", "item_b", "weight", "length", "grade", "row")
    }
    vectors["features"] = None if data.features is None else data.features[:, :1].flatten()
    vectors["respondent"] = None if data.respondent is None else data.respondent.codes
    vectors |= {name: group.codes for name, group in data.groups.items()}
    for name, value in vectors.items():
        if value is not None and value.shape != (n,):
            raise UsageError(f"Expected {n:,} values of {name} but got {list(value.shape)}.")
    for name in ("margin", "features", "weight"):
        value = getattr(data, name)
        if value is not None and not bool(torch.isfinite(value).all()):
            raise UsageError(f"Expected finite values of {name} but got NaN or Inf.")
    if data.weight is not None and not bool((data.weight > 0).all()):
        raise UsageError("Expected positive weights but got zero or less.")
    if data.grade is not None and not torch.equal(data.grade.sign(), (2 * outcome - 1).long()):
        raise UsageError("Expected grades whose sign is that of the outcome, 0 for a tie.")


def _check_sources(data: Comparisons) -> None:
    """Exactly one margin source, and that one well formed."""
    pair = (data.item_a is not None, data.item_b is not None)
    sources = sum((data.margin is not None, any(pair), data.features is not None))
    if sources > 1 or (sources == 0 and data.length is None) or any(pair) != all(pair):
        raise UsageError("Expected exactly one of margin, item_a with item_b, and features.")
    if data.item_a is not None and data.item_b is not None:
        _check_codes(data.item_a, len(data.items), "item")
        _check_codes(data.item_b, len(data.items), "item")
        if bool((data.item_a == data.item_b).any()):
            raise UsageError("Expected two different items in each comparison.")
    if data.features is not None and (
        data.features.dim() != 2 or data.features.shape[1] != len(data.feature_names)
    ):
        names, shape = len(data.feature_names), list(data.features.shape)
        message = f"Expected features as comparison x feature with {names} names but got shape"
        raise UsageError(f"{message} {shape}.")
