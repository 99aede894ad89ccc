"""Choice sets, ties and grades made ready for any strength family."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from mixlogit.choice.outcome_likelihood import OutcomeLikelihood, OutcomeRows
from mixlogit.choice.outcomes import Choice, Davidson, Ordered, OutcomeModel
from mixlogit.data import ChoiceSets, Comparisons, Streamed
from mixlogit.errors import UsageError
from mixlogit.models import sites
from mixlogit.models.context import Context
from mixlogit.models.covariates import COLUMN, CovariateMatrix, Covariates
from mixlogit.models.joint import LogJoint
from mixlogit.models.priors import Priors
from mixlogit.models.problem import Problem
from mixlogit.models.sites import Sampled, Spec
from mixlogit.models.streamed_problem import StreamedProblem, refuse_streamed
from mixlogit.models.units import Units

__all__ = [
    "OutcomeProblem",
    "Ties",
    "Width",
    "make_problem",
    "oriented",
    "outcome_program",
    "padded_sets",
    "within_rms",
]

Ties = Literal["half", "davidson", "rao-kupper"]
Width = Literal["shared", "strength", "respondent"]
_ELEMENTS = 4_000_000  # rows x alternatives x nodes x draws evaluated at once


def outcome_program(likelihood: OutcomeLikelihood, spec: Spec) -> Sampled:
    """Pyro program: strengths, utilities where they are latent, and an outcome model.

    Args:
        likelihood: Judgements with an outcome model.
        spec: What to sample.
    """
    values = sites.utilities(spec)
    effects = sites.group_effects(spec) if spec.groups else None
    draws = () if values is None else values.shape[:-1]
    family = sites.strength(spec, effects, draws)
    outcome = sites.outcome_parameters(spec)
    return sites.score("panels", likelihood, spec, family, sites.lapse_rate(spec), values, outcome)


class OutcomeProblem(Problem):
    """Preference data with an outcome model of their own, for any strength family.

    Args:
        data: Choice sets; or comparisons, whose ties or grades are modelled.
        ties: "davidson" or "rao-kupper", for comparisons without grades.
        width: Zone of indifference: "shared" (the default), depending on "strength" where that
            differs and is positive, or each "respondent" its own, and depending on strength.
        panel: One strength for each respondent; None: where there are respondents.
        by: Group columns with effects on strength.
        priors: The priors.
        n_classes: Classes of the `classes` family.
        contrarians: Whether its first class has negative strength.
        covariates: Covariates of respondents; the data must have been joined with them.
        context: Covariates of comparisons.

    Raises:
        UsageError: A panel without respondents, an unknown group column, no tie to model.
    """

    def __init__(
        self,
        data: Comparisons | ChoiceSets,
        *,
        ties: Ties = "half",
        width: Width = "shared",
        panel: bool | None = None,
        by: Sequence[str] = (),
        priors: Priors | None = None,
        n_classes: int = 2,
        contrarians: bool = False,
        covariates: CovariateMatrix | None = None,
        context: Context | None = None,
    ) -> None:
        self.check_units(data, panel, by)
        self.data: Any = data
        self.priors, self.context = priors or Priors(), context
        self.panel = data.respondent is not None if panel is None else panel
        self.ties, self.width = ties, width
        self.units = Units.of(data, tuple(by), panel=self.panel)
        self.index = torch.arange(len(data))
        self.weight = (
            torch.ones(len(data), dtype=torch.float64) if data.weight is None else data.weight
        )
        self.unit_of_row = self.units.of_comparison
        self._options = {
            "ties": ties,
            "width": width,
            "panel": panel,
            "by": by,
            "priors": priors,
            "n_classes": n_classes,
            "contrarians": contrarians,
            "covariates": covariates,
            "context": context,
        }
        if width == "respondent" and not self.panel:
            raise UsageError("Widths of respondents need a panel. Name --respondent.")
        self.spec = self._spec(tuple(by), n_classes, contrarians)
        if isinstance(data, ChoiceSets) and data.features is not None:
            basis = torch.diag(1.0 / within_rms(data))
            self.spec = replace(self.spec, n_utilities=len(basis), utility_basis=basis)

    @cached_property
    def margin(self) -> Tensor:
        """Margins of what was preferred, a `row`-vector."""
        margin: Tensor = torch.where(self.data.outcome == 0, -1.0, 1.0) * self.data.margin
        return margin

    def likelihood(self, data: Comparisons | ChoiceSets, unit: Tensor, **model: Any) -> Any:
        """The likelihood of judgements, each of which belongs to a unit.

        Args:
            data: Judgements in the codes of the fit.
            unit: Unit of each judgement.
            **model: `exponent` and `widths` of the outcome model.
        """
        order = torch.argsort(unit, stable=True)
        weight = torch.ones(len(data), dtype=torch.float64) if data.weight is None else data.weight
        shared: dict[str, Any] = {
            "weight": weight[order],
            "respondent": unit[order],
            "block": self.units.block,
            "n_blocks": self.units.n_blocks,
        }
        if isinstance(data, ChoiceSets):
            features, item, mask = padded_sets(data)
            rows = OutcomeRows(
                None,
                None if item is None else item[order],
                None if features is None else features[order],
                **shared,
            )
            return OutcomeLikelihood(rows, Choice(mask[order]), pairs=False)
        margin, item, features = (_some(part, order) for part in oriented(data))
        context = None if self.context is None else self.context.values(data)[order]
        rows = OutcomeRows(margin, item, features, **shared, context=context)
        return OutcomeLikelihood(rows, self._tie_model(data, order, **model), pairs=True)

    def _tie_model(self, data: Comparisons, order: Tensor, **model: Any) -> OutcomeModel:
        if data.grade is not None:
            level = data.grade.abs()[order]
            top = int(self.data.grade.abs().max())
            ties = bool((self.data.grade == 0).any())
            return Ordered(level, n_thresholds=top if ties else top - 1, ties=ties, **model)
        level = (data.outcome != 0.5).to(torch.long)[order]
        kind = Davidson if self.ties == "davidson" else Ordered
        return kind(level, **model)

    def joint(self, family: str, *, lapse: bool = False) -> LogJoint:
        """The program of a family on these data, as a function of a flat vector.

        Args:
            family: Name of the strength family.
            lapse: Whether judgements may be made at random.
        """
        model: dict[str, Any] = {}
        if not isinstance(self.data, ChoiceSets):
            varies = family != "fixed" and self.panel and not self.is_signed(family)
            model["exponent"] = varies and self.width in ("strength", "respondent")
            model["widths"] = self.width == "respondent"
        likelihood = self.likelihood(self.data, self.unit_of_row, **model)
        outcome = likelihood.model if likelihood.model.n_parameters else None
        spec = replace(self.spec, family=family, lapse=lapse, outcome=outcome)
        nodes = 25 * (11 if model.get("widths") else 1)
        at_once = max(1, _ELEMENTS // (likelihood.n_entries * nodes))
        return LogJoint(outcome_program, likelihood, spec, at_once)


def make_problem(
    data: Comparisons | ChoiceSets | Streamed,
    *,
    ties: Ties = "half",
    width: Width = "shared",
    by: Sequence[str] = (),
    covariates: Covariates | None = None,
    context: str = "",
    **options: Any,
) -> Problem:
    """The problem of a fit: with an outcome model where the data or the user ask for one.

    Args:
        data: The data.
        ties: As for `fit`.
        width: As for `fit`.
        by: As for `fit`.
        covariates: As for `fit`.
        context: As for `fit`.
        **options: As for `Problem`.

    Raises:
        UsageError: Ties or widths that these data do not have, or arguments out of range.
    """
    if ties not in get_args(Ties):
        raise UsageError(f'Expected ties "half", "davidson" or "rao-kupper" but got "{ties}".')
    if width not in get_args(Width):
        raise UsageError(f'Expected width "shared", "strength" or "respondent" but got "{width}".')
    if isinstance(data, Streamed):
        refuse_streamed(
            {
                "ties": ties != "half",
                "width": width != "shared",
                "strength-formula": covariates,
                "context-formula": context,
            }
        )
        return StreamedProblem(data, by=by, **options)
    return _make_held(data, ties, width, by, covariates, context, options)


def _make_held(
    data: Comparisons | ChoiceSets,
    ties: Ties,
    width: Width,
    by: Sequence[str],
    covariates: Covariates | None,
    context: str,
    options: dict[str, Any],
) -> Problem:
    """The problem of data that are held in memory."""
    matrix = None if covariates is None else covariates.matrix()
    if matrix is not None:
        data, by = matrix.join(data), (*by, COLUMN)
    options |= {"by": by, "covariates": matrix}
    options["context"] = Context.of(data, context) if context else None
    if isinstance(data, ChoiceSets):
        if ties != "half" or width != "shared":
            raise UsageError("Choice sets have no ties: leave out --ties and --width.")
        return OutcomeProblem(data, **options)
    if data.grade is not None:
        if ties != "half":
            raise UsageError("Grades say what is a tie: leave out --ties.")
        return OutcomeProblem(data, width=width, **options)
    if ties == "half":
        if width != "shared":
            raise UsageError("A width needs modelled ties or grades: add --ties or --grade.")
        return Problem(data, **options)
    if data.n_ties == 0:
        raise UsageError(f"No comparison is a tie, so --ties {ties} has nothing to learn from.")
    return OutcomeProblem(data, ties=ties, width=width, **options)


def _some(value: Tensor | None, order: Tensor) -> Tensor | None:
    return None if value is None else value[order]


def oriented(data: Comparisons) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Margins, items or features of comparisons, what was preferred first; ties as they are."""
    sign = torch.where(data.outcome == 0, -1.0, 1.0).to(torch.float64)
    margin = None if data.margin is None else sign * data.margin
    features = None if data.features is None else sign.unsqueeze(-1) * data.features
    items = None
    if data.item_a is not None and data.item_b is not None:
        pair = torch.stack([data.item_a, data.item_b], -1)
        items = torch.where((data.outcome == 0).unsqueeze(-1), pair.flip(-1), pair)
    return margin, items, features


def padded_sets(data: ChoiceSets) -> tuple[Tensor | None, Tensor | None, Tensor]:
    """Choice sets as rows of equal length, the chosen alternative first.

    Returns:
        Features of the chosen minus each (`set x alternative x feature`), or items
        (`set x alternative`), and a mask: 0 where there is an alternative, else -inf.
    """
    order = torch.argsort(2 * data.choice + (~data.chosen).to(torch.long), stable=True)
    choice = data.choice[order]
    first = torch.nonzero(data.chosen[order]).squeeze(-1)
    place = torch.arange(len(order)) - first[choice]
    shape = data.n_sets, int(data.sizes.max())
    mask = torch.full(shape, -torch.inf, dtype=torch.float64)
    mask[choice, place] = 0.0
    if data.features is None:
        item = data.alternative.codes[order][first].unsqueeze(-1).repeat(1, shape[1])
        item[choice, place] = data.alternative.codes[order]
        return None, item, mask
    values = data.features[order]
    features = torch.zeros(*shape, values.shape[1], dtype=torch.float64)
    features[choice, place] = values[first][choice] - values
    return features, None, mask


def within_rms(data: ChoiceSets) -> Tensor:
    """Root mean square of each feature around its mean in the choice set; 1 where it is 0."""
    assert data.features is not None
    total = torch.zeros(data.n_sets, data.features.shape[1], dtype=torch.float64)
    mean = total.index_add(0, data.choice, data.features) / data.sizes.unsqueeze(-1)
    rms = (data.features - mean[data.choice]).square().mean(0).sqrt()
    return torch.where(rms > 0, rms, 1.0)
