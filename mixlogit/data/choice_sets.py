"""Choice sets: judged sets of two or more alternatives, validated once and never changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from mixlogit.data.comparisons import Dropped, Finding, Labels
from mixlogit.data.graph import components
from mixlogit.data.shown import data_html
from mixlogit.errors import UsageError
from mixlogit.run.words import plural

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ChoiceSets"]


@dataclass(frozen=True, eq=False, repr=False)
class ChoiceSets:
    """Judged sets of two or more alternatives, one row an alternative that could be chosen.

    Utilities are linear in `features`, or are those of the alternatives themselves where there
    are none. A ranking is several choice sets: the best of all, the best of the others, and so
    on (the exploded logit), which `occasion` holds together. Make one with
    `load_choice_sets` or `from_pandas`, which read columns and say what is wrong.

    Args:
        choice: `row`-vector (int64), rising from 0: the choice set of each row.
        chosen: `row`-vector of booleans, one true in each choice set.
        alternative: Name of the alternative in each row.
        features: `row x feature`, float64, finite; None where the alternatives' own utilities
            are wanted.
        feature_names: Names of the features.
        respondent: Who judged each choice set.
        groups: Group labels of each choice set, by column name.
        weight: `set`-vector of positive weights.
        occasion: `set`-vector (int64), rising from 0: the judgement a choice set belongs to;
            each its own if absent.
        component: `alternative`-vector: connected component in which each lies; computed here.
        source: What messages call the data.
        source_sha256: Checksum of the file or files; None for data held in memory.
        dropped: The malformed rows that were left out.
        warnings: What was found in the data as a whole.
        columns: Role to column name(s), as read.

    Raises:
        UsageError: If shapes, types or values do not fit together.

    Example:
        >>> names = Labels(torch.tensor([0, 1, 2, 0, 1]), ("tea", "coffee", "water"))
        >>> first = torch.tensor([True, False, False, False, True])
        >>> ChoiceSets(torch.tensor([0, 0, 0, 1, 1]), first, names)
        ChoiceSets(items, 2 choice sets of 2 to 3, 3 alternatives)
    """

    choice: Tensor
    chosen: Tensor
    alternative: Labels
    features: Tensor | None = None
    feature_names: tuple[str, ...] = ()
    respondent: Labels | None = None
    groups: Mapping[str, Labels] = field(default_factory=dict)
    weight: Tensor | None = None
    occasion: Tensor | None = None
    component: Tensor | None = field(default=None, init=False)
    source: str = "data"
    source_sha256: str | None = None
    dropped: tuple[Dropped, ...] = ()
    warnings: tuple[Finding, ...] = ()
    columns: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("features", "weight"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, value.to(torch.float64))
        _check(self)
        if self.features is None:
            codes = self.alternative.codes
            best = codes[self.chosen][self.choice]
            found = components(best.numpy(), codes.numpy(), len(self.alternative))
            object.__setattr__(self, "component", torch.from_numpy(found))

    @property
    def kind(self) -> str:
        """Where utilities come from: `items` (the alternatives' own) or `features`."""
        return "items" if self.features is None else "features"

    @property
    def items(self) -> tuple[str, ...]:
        """Names of the alternatives where these have utilities of their own; else empty."""
        return self.alternative.labels if self.features is None else ()

    @property
    def n_sets(self) -> int:
        """Number of choice sets; a ranking counts as several."""
        return int(self.choice[-1]) + 1

    @property
    def n_occasions(self) -> int:
        """Number of judgements: choices and rankings."""
        return self.n_sets if self.occasion is None else int(self.occasion[-1]) + 1

    @property
    def n_respondents(self) -> int:
        """Number of respondents; 0 without respondent ids."""
        return 0 if self.respondent is None else len(self.respondent)

    @property
    def n_components(self) -> int:
        """Connected components of the alternatives; 0 where there are features."""
        return 0 if self.component is None else int(self.component.max()) + 1

    @property
    def sizes(self) -> Tensor:
        """Number of alternatives of each choice set: a `set`-vector."""
        return torch.bincount(self.choice, minlength=self.n_sets)

    def __len__(self) -> int:
        """Number of choice sets."""
        return self.n_sets

    def __repr__(self) -> str:
        """One line: kind and counts."""
        sizes = self.sizes
        low, high = int(sizes.min()), int(sizes.max())
        of = f"{low}" if low == high else f"{low} to {high}"
        parts = [self.kind, f"{plural(self.n_sets, 'choice set')} of {of}"]
        if self.n_occasions < self.n_sets:
            parts.append(f"{self.n_occasions:,} rankings and choices")
        if self.respondent is not None:
            parts.append(plural(self.n_respondents, "respondent"))
        parts.append(plural(len(self.alternative), "alternative"))
        if self.feature_names:
            parts.append(plural(len(self.feature_names), "feature"))
        if self.dropped:
            parts.append(f"{len(self.dropped):,} dropped")
        return f"ChoiceSets({', '.join(parts)})"

    def _repr_html_(self) -> str:
        return data_html(self)

    @classmethod
    def from_pandas(cls, df: "pd.DataFrame", **columns: Any) -> "ChoiceSets":
        """Choice sets from a data frame in long format, one row an alternative.

        Args:
            df: The rows.
            **columns: As for `load_choice_sets`.

        Raises:
            DataError: If a row is malformed, naming row and column.
            UsageError: If the columns named do not fit together.

        Example:
            >>> import pandas as pd
            >>> df = pd.DataFrame(
            ...     {"choice_id": [1, 1, 2, 2], "alternative": list("abab"), "price": [1, 2, 2, 3]}
            ... )
            >>> df["chosen"] = [1, 0, 0, 1]
            >>> ChoiceSets.from_pandas(df, features=["price"])
            ChoiceSets(features, 2 choice sets of 2, 2 alternatives, 1 feature)
        """
        from mixlogit.data.load_choice_sets import load_choice_sets

        return load_choice_sets(df, **columns)

    def take(self, index: Tensor | Sequence[int]) -> "ChoiceSets":
        """Some of the choice sets, in the order of the data; label tables are kept whole.

        Args:
            index: Positions of choice sets, or a `set`-vector of booleans.

        Raises:
            UsageError: If the index picks nothing or points outside the data.

        Example:
            >>> names = Labels(torch.tensor([0, 1, 0, 1]), ("tea", "coffee"))
            >>> first = torch.tensor([True, False, False, True])
            >>> data = ChoiceSets(torch.tensor([0, 0, 1, 1]), first, names)
            >>> data.take([1]).chosen.tolist()
            [False, True]
        """
        at = torch.as_tensor(index)
        keep = torch.zeros(self.n_sets, dtype=torch.bool)
        keep[at] = True
        if not bool(keep.any()):
            raise UsageError("No choice set was chosen: the index is empty.")
        rows = keep[self.choice]

        def names(value: Labels) -> Labels:
            return Labels(value.codes[keep], value.labels)

        return replace(
            self,
            choice=(keep.cumsum(0) - 1)[self.choice[rows]],
            chosen=self.chosen[rows],
            alternative=Labels(self.alternative.codes[rows], self.alternative.labels),
            features=None if self.features is None else self.features[rows],
            respondent=None if self.respondent is None else names(self.respondent),
            groups={name: names(group) for name, group in self.groups.items()},
            weight=None if self.weight is None else self.weight[keep],
            occasion=None
            if self.occasion is None
            else torch.unique(self.occasion[keep], return_inverse=True)[1],
        )

    def split(self, fraction: float, seed: int = 0) -> tuple["ChoiceSets", "ChoiceSets"]:
        """Split the judgements at random into a part to fit and a part to test.

        Args:
            fraction: Share of judgements to test, between 0 and 1; a ranking stays whole.
            seed: Seed of the random choice.

        Raises:
            UsageError: If either part would be empty.
        """
        n = self.n_occasions
        n_test = round(fraction * n) if 0 < fraction < 1 else 0
        if not 0 < n_test < n:
            raise UsageError(
                f"A test fraction of {fraction} of {n:,} choice sets leaves one part empty. "
                "Choose one between 0 and 1."
            )
        generator = torch.Generator().manual_seed(seed)
        test = torch.zeros(n, dtype=torch.bool)
        test[torch.randperm(n, generator=generator)[:n_test]] = True
        if self.occasion is not None:
            test = test[self.occasion]
        return self.take(~test), self.take(test)


def _check(data: ChoiceSets) -> None:
    """Everything that a valid object promises."""
    rows = len(data.chosen)
    if data.choice.shape != (rows,) or rows == 0 or data.chosen.dtype != torch.bool:
        raise UsageError("Expected a choice set and a boolean `chosen` for at least one row.")
    steps = torch.diff(data.choice, prepend=data.choice.new_full((1,), -1))
    if data.choice.dtype != torch.int64 or not bool(((steps == 0) | (steps == 1)).all()):
        raise UsageError("Expected choice sets numbered 0, 1, 2, ... in rising order.")
    n = data.n_sets
    chosen = torch.zeros(n, dtype=torch.int64).index_add(0, data.choice, data.chosen.long())
    if not bool((chosen == 1).all()):
        raise UsageError("Expected one chosen alternative in each choice set.")
    key = data.choice * len(data.alternative) + data.alternative.codes
    if data.alternative.codes.shape != (rows,) or len(key.unique()) < rows:
        raise UsageError("Expected different alternatives in each choice set, one a row.")
    if (data.features is None) != (not data.feature_names) or (
        data.features is not None and data.features.shape != (rows, len(data.feature_names))
    ):
        raise UsageError(
            f"Expected features as row x feature with {len(data.feature_names)} names."
        )
    vectors = {"weight": data.weight, "occasion": data.occasion}
    vectors["respondent"] = None if data.respondent is None else data.respondent.codes
    vectors |= {name: group.codes for name, group in data.groups.items()}
    for name, value in vectors.items():
        if value is not None and value.shape != (n,):
            raise UsageError(f"Expected {n:,} values of {name} but got {list(value.shape)}.")
    for name in ("features", "weight"):
        value = getattr(data, name)
        if value is not None and not bool(torch.isfinite(value).all()):
            raise UsageError(f"Expected finite values of {name} but got NaN or Inf.")
    if data.weight is not None and not bool((data.weight > 0).all()):
        raise UsageError("Expected positive weights but got zero or less.")
