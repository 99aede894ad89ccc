"""From preference data to the programs that fit it."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from mixlogit.choice.link import LinkLikelihood
from mixlogit.choice.panel import PanelLikelihood
from mixlogit.choice.table import Grid, LikelihoodTable, grid_of_size, likelihood_table
from mixlogit.choice.utility import Rows, UtilityLikelihood
from mixlogit.data import ChoiceSets, Comparisons, Streamed
from mixlogit.data.scan import refuse_many_groups
from mixlogit.data.streamed import drawn_respondents
from mixlogit.data.values import printable
from mixlogit.errors import UsageError
from mixlogit.models.basis import sum_to_zero_basis
from mixlogit.models.context import Context
from mixlogit.models.covariates import COLUMN, CovariateMatrix
from mixlogit.models.grouped import grouped
from mixlogit.models.joint import LogJoint
from mixlogit.models.lapse import lapse_nodes
from mixlogit.models.latent_utility import latent_utility
from mixlogit.models.panel import panel as panel_program
from mixlogit.models.per_comparison import per_comparison
from mixlogit.models.priors import Priors
from mixlogit.models.sites import CovariateDesign, GroupDesign, Spec
from mixlogit.models.units import Units, signed_rows

__all__ = ["Problem"]

_ELEMENTS = 4_000_000  # respondents x draws (or rows x nodes x draws) evaluated at once


class Problem:
    """Preference data made ready for any family, with and without a lapse rate.

    Args:
        data: The comparisons.
        panel: One strength for each respondent; None: where there are respondents.
        by: Group columns with effects on strength.
        priors: The priors.
        n_classes: Classes of the `classes` family.
        contrarians: Whether its first class has negative strength.
        covariates: Covariates of respondents; the data must have been joined with them.
        context: Covariates of comparisons.

    Raises:
        UsageError: A panel without respondents, an unknown group column.
    """

    def __init__(
        self,
        data: Comparisons,
        *,
        panel: bool | None = None,
        by: Sequence[str] = (),
        priors: Priors | None = None,
        n_classes: int = 2,
        contrarians: bool = False,
        covariates: CovariateMatrix | None = None,
        context: Context | None = None,
    ) -> None:
        if data.kind == "texts":
            raise UsageError(
                'Texts alone cannot be fitted: make margins with "mixlogit margins" first.'
            )
        self.check_units(data, panel, by)
        self._options: dict[str, Any] = {
            "panel": panel,
            "by": by,
            "priors": priors,
            "n_classes": n_classes,
            "contrarians": contrarians,
            "covariates": covariates,
            "context": context,
        }
        self.data, self.priors, self.context = data, priors or Priors(), context
        self.panel = data.respondent is not None if panel is None else panel
        self.units = Units.of(data, tuple(by), panel=self.panel)
        self.index, self.sign, self.weight = signed_rows(data.outcome, data.weight)
        self.unit_of_row = self.units.of_comparison[self.index]
        self.spec = self._spec(tuple(by), n_classes, contrarians)
        self._tables: dict[tuple[bool, bool], LikelihoodTable] = {}

    @staticmethod
    def check_units(data: Comparisons | ChoiceSets, panel: bool | None, by: Sequence[str]) -> None:
        """Refuse a panel without respondents, and groups that are not known or cannot be kept."""
        if panel and data.respondent is None:
            raise UsageError("A panel needs respondents. Name their column with --respondent.")
        missing = [column for column in by if column not in data.groups]
        if missing:
            known = ", ".join(data.groups) or "none"
            raise UsageError(f'No group column "{missing[0]}". Group columns: {known}.')
        for column in by:
            if column != COLUMN:
                refuse_many_groups(column, len(data.groups[column].labels), len(data))
        paths = [column for column in by if "/" in column]
        if paths:
            message = 'has a "/", which NetCDF reads as a path. Rename the column.'
            raise UsageError(f'Group column "{paths[0]}" {message}')
        if {".", ".."} & {*by}:
            raise UsageError('A group column cannot be named "." or "..". Rename the column.')
        named = {**data.groups, **({"respondent": data.respondent} if data.respondent else {})}
        for column, labels in named.items():
            name = next((name for name in (column, *labels.labels) if "\0" in name), None)
            if name is not None:
                message = "holds a NUL character, which NetCDF cannot keep. Rename it."
                raise UsageError(f'{printable(column)}: "{printable(name)}" {message}')

    def part(self, rows: int, seed: int) -> "Problem":
        """The same problem for as many random respondents as have so many comparisons in all.

        Args:
            rows: Most comparisons.
            seed: Seed of the choice.
        """
        assert self.data.respondent is not None
        chosen = drawn_respondents(self.data.respondent.counts(), rows, seed)
        rows_kept = torch.nonzero(chosen[self.data.respondent.codes]).squeeze(-1)
        return self.with_data(self.data.take(rows_kept))

    def with_data(self, data: Comparisons) -> "Problem":
        """The same problem with other data."""
        return type(self)(data, **self._options)

    @property
    def covariates(self) -> CovariateMatrix | None:
        """Covariates of respondents, or None."""
        found: CovariateMatrix | None = self._options["covariates"]
        return found

    @property
    def columns(self) -> tuple[str, ...]:
        """Group columns of the fit."""
        return tuple(group.column for group in self.spec.groups)

    def unit_respondents(self) -> list[str]:
        """Respondent of each unit of a panel."""
        assert self.data.respondent is not None
        assert self.units.respondent is not None
        return [self.data.respondent.labels[code] for code in self.units.respondent.tolist()]

    def unit_groups(self) -> dict[str, list[str]]:
        """Label of each unit in each group column that is no row of covariates."""
        level = self.units.level[self.units.block]
        return {
            group.column: [group.labels[code] for code in level[:, k].tolist()]
            for k, group in enumerate(self.spec.groups)
            if not isinstance(group, CovariateDesign)
        }

    def unit_labels(self) -> list[str]:
        """Respondent of each unit, with its group labels where respondents are split."""
        names = self.unit_respondents()
        if len(set(names)) == len(names):
            return names
        return [" | ".join(each) for each in zip(names, *self.unit_groups().values(), strict=True)]

    def rescaled(self, factor: float) -> "Problem":
        """The same problem with all margins, and with them the prior of the mean, rescaled."""
        assert self.data.margin is not None
        options = dict(self._options)
        if self.priors.mean is not None:
            options["priors"] = replace(self.priors, mean=self.priors.mean / factor)
        return type(self)(replace(self.data, margin=factor * self.data.margin), **options)

    def _spec(self, by: tuple[str, ...], n_classes: int, contrarians: bool) -> Spec:
        groups = tuple(self._group(column, k) for k, column in enumerate(by))
        shared: dict[str, Any] = {"priors": self.priors, "groups": groups, "n_classes": n_classes}
        shared["n_context"] = 0 if self.context is None else len(self.context.names)
        if self.data.kind == "margin":
            centre = self.priors.mean or 1.0 / self.margin_size[0]
            return Spec("fixed", centre=centre, contrarians=contrarians, **shared)
        basis = None
        if self.data.component is not None:
            basis = sum_to_zero_basis(self.data.component)
        size = len(self.data.feature_names) if basis is None else len(basis)
        return Spec(
            "fixed",
            anchored=True,
            contrarians=contrarians,
            n_utilities=size,
            utility_basis=basis,
            **shared,
        )

    def _group(self, column: str, k: int) -> GroupDesign:
        """The design of a group column, the `k`th of the blocks' labels."""
        common = column, self.data.groups[column].labels, self.units.level[:, k]
        matrix = self.covariates
        if matrix is None or column != COLUMN:
            return GroupDesign(*common)
        return CovariateDesign(*common, matrix.names, matrix.values, matrix.scale)

    def like_fitted(self, test: Any) -> Any:
        """Held-out votes with the covariates of their respondents, if the fit has any."""
        matrix = self.covariates
        return test if matrix is None else matrix.join(test)

    @cached_property
    def margin(self) -> Tensor:
        """Signed margins, a `row`-vector: positive where the recorded choice agrees."""
        assert self.data.margin is not None
        return self.sign * self.data.margin[self.index]

    @cached_property
    def margin_size(self) -> tuple[float, float]:
        """Root mean square and largest size of the margins."""
        return float(self.margin.square().mean().sqrt()), float(self.margin.abs().max())

    @property
    def whole(self) -> Comparisons | Streamed:
        """The data as a whole, for their counts."""
        return self.data

    @property
    def n_rows(self) -> int:
        """Number of signed rows: a tie is two."""
        return len(self.index)

    @cached_property
    def unit_sizes(self) -> Tensor:
        """Comparisons of each unit, a `unit`-vector."""
        return torch.bincount(self.units.of_comparison, minlength=len(self.units.block))

    @cached_property
    def context_values(self) -> Tensor | None:
        """Covariates of comparisons, `comparison x covariate`; None without."""
        return None if self.context is None else self.context.values(self.data)

    @cached_property
    def rows(self) -> Rows:
        """Items, features or margins, in the order of the units."""
        order = torch.argsort(self.unit_of_row, stable=True)
        index, first = self.index[order], self.sign[order] > 0
        items: list[Tensor | None] = [None, None]
        features = None
        if self.data.item_a is not None and self.data.item_b is not None:
            a, b = self.data.item_a[index], self.data.item_b[index]
            items = [torch.where(first, a, b), torch.where(first, b, a)]
        elif self.data.features is not None:
            features = self.sign[order].unsqueeze(-1) * self.data.features[index]
        return Rows(
            first=items[0],
            second=items[1],
            features=features,
            weight=self.weight[order],
            respondent=self.unit_of_row[order],
            block=self.units.block,
            n_blocks=self.units.n_blocks,
            margin=None if self.data.margin is None else self.margin[order],
            context=None if self.context_values is None else self.context_values[index],
        ).merged()

    def table(self, *, signed: bool, lapse: bool) -> LikelihoodTable:
        """The likelihood table, made once for each kind of grid and each use of a lapse rate."""
        key = (signed, lapse)
        if key not in self._tables:
            grid = grid_of_size(*self.margin_size, signed=signed, centre=self.spec.centre)
            nodes = lapse_nodes(self, grid) if lapse else None
            self._tables[key] = self.tabulate(grid, nodes)
        return self._tables[key]

    def tabulate(self, grid: Grid, lapse_logits: Tensor | None) -> LikelihoodTable:
        """The likelihood table of all rows on a grid.

        Args:
            grid: Nodes of strength.
            lapse_logits: Nodes of the lapse rate's logit; None without one.
        """
        return likelihood_table(
            self.margin,
            self.unit_of_row,
            grid=grid,
            n_respondents=len(self.units.block),
            weight=self.weight if bool((self.weight != 1).any()) else None,
            lapse_logits=lapse_logits,
            block=self.units.block,
            n_blocks=self.units.n_blocks,
        )

    def is_signed(self, family: str) -> bool:
        """Whether a family reaches negative strengths here."""
        return family == "normal" or (family == "classes" and self.spec.contrarians)

    def joint(self, family: str, *, lapse: bool = False) -> LogJoint:
        """The program of a family on these data, as a function of a flat vector.

        Args:
            family: Name of the strength family.
            lapse: Whether comparisons may be answered at random.
        """
        spec = replace(self.spec, family=family, lapse=lapse)
        if self.data.kind != "margin" or self.context is not None:
            at_once = max(1, _ELEMENTS // (len(self.rows.weight) * 25))
            likelihood = UtilityLikelihood(self.rows, panel=self.panel)
            return LogJoint(latent_utility, likelihood, spec, at_once)
        program = grouped if spec.groups else panel_program if self.panel else per_comparison
        if not self.panel:
            block = self.units.block[self.unit_of_row]
            link = LinkLikelihood(self.margin, self.weight, block, self.units.n_blocks)
            return LogJoint(program, link, spec, 256)
        table = self.table(signed=self.is_signed(family), lapse=lapse)
        at_once = max(1, _ELEMENTS // (len(table.values) * len(self.units.block)))
        return LogJoint(program, PanelLikelihood(table), spec, at_once)
