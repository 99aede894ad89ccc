"""`mixlogit fit`: from preference data to a posterior of preference strength.

Exit code 4: the fit finished, but a check failed.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from mixlogit.cli.fitting import read_people, run_maximum, run_posterior, with_context
from mixlogit.cli.grid import grid_of, numbers_of_tastes, run_grid
from mixlogit.cli.html import Report, finish
from mixlogit.cli.invocation import Invocation
from mixlogit.cli.streaming import help_first, reading
from mixlogit.errors import UsageError

__all__ = ["fit"]

_FAMILY = (
    "Strength family: fixed, lognormal (default), gamma, normal or classes. With --random or "
    "--tastes the default is fixed."
)
_OF_PEOPLE, _HELD_OUT, _TIES = "Covariates", "Held-out votes", "Ties and grades"
_PANEL = "One strength a respondent, or one a comparison (default: by the data)."
_WIDTH = "Zone of indifference of ties and grades: shared, by strength, or own to each respondent."
_INFERENCE = (
    "auto: the fast way, and NUTS where it is not enough; nuts; laplace: normal approximation; "
    "maximum: flat priors; svi: minibatches, for --random."
)


def _prior(text: str) -> Any:
    return typer.Option(help=text, rich_help_panel="Priors")


def _taste(text: str, metavar: str | None = None) -> Any:
    return typer.Option(help=text, metavar=metavar, rich_help_panel="Random tastes")


_Family = Annotated[str | None, typer.Option(help=_FAMILY, metavar="NAME")]
_Strength = Annotated[
    str | None,
    typer.Option(
        help="Fit each of these families and compare: fixed,lognormal.", metavar="NAME,..."
    ),
]
_Panel = Annotated[bool | None, typer.Option("--panel/--no-panel", help=_PANEL)]
_Lapse = Annotated[
    bool, typer.Option("--lapse/--no-lapse", help="Let a share of votes be random.")
]
_Evidence = Annotated[
    bool, typer.Option("--evidence/--no-evidence", help="Mixed against fixed strength.")
]
_Inference = Annotated[
    Literal["auto", "nuts", "laplace", "maximum", "svi"],
    typer.Option(help=_INFERENCE, metavar="WAY"),
]
_Classes = Annotated[int, typer.Option(help="Classes of the family of that name.")]
_Contrarians = Annotated[
    bool, typer.Option("--contrarians", help="The first class has negative strength.")
]
_Ties = Annotated[
    Literal["half", "davidson", "rao-kupper"],
    typer.Option(
        help="Ties as half votes, or modelled: davidson or rao-kupper.",
        metavar="WAY",
        rich_help_panel=_TIES,
    ),
]
_Formula = Annotated[
    str,
    typer.Option(
        help='Covariates of respondents on strength: "~ age + sex".',
        metavar="FORMULA",
        rich_help_panel=_OF_PEOPLE,
    ),
]
_Shares = Annotated[
    str,
    typer.Option(
        help="Covariates of respondents on shares of --tastes, likewise.",
        metavar="FORMULA",
        rich_help_panel=_OF_PEOPLE,
    ),
]
_TasteFormula = Annotated[str, _taste("Covariates of respondents on means of --random, likewise.")]
_Covariates = Annotated[
    str | None,
    typer.Option(
        help="Where these are, one row a respondent (default: DATA).",
        metavar="FILE",
        rich_help_panel=_OF_PEOPLE,
    ),
]
_Context = Annotated[
    str,
    typer.Option(
        help='Covariates of comparisons on strength: "~ length + topic".',
        metavar="FORMULA",
        rich_help_panel=_OF_PEOPLE,
    ),
]
_Width = Annotated[
    Literal["shared", "strength", "respondent"],
    typer.Option(help=_WIDTH, metavar="WHOSE", rich_help_panel=_TIES),
]
_Tastes = Annotated[
    str,
    typer.Option(
        help="Latent classes of taste, 1 to 6 (--by acts on shares); several: 1,2,3.", metavar="C"
    ),
]
_Random = Annotated[
    str, _taste("Coefficients: price:-lognormal; several joined by commas.", "NAME:KIND,...")
]
_Correlated = Annotated[
    bool,
    typer.Option("--correlated", help="Correlate them.", rich_help_panel="Random tastes"),
]
_Factors = Annotated[int, _taste("Common factors, in place of --correlated.", "N")]
_Draws = Annotated[int, _taste("Draws of each respondent's tastes.", "N")]
_Sampling = Annotated[Literal["adaptive", "sobol", "halton"], _taste("How these are drawn.")]
_Stream = Annotated[
    bool | None,
    typer.Option(
        "--stream/--no-stream",
        help="Read votes with given margins in blocks, and hold a table of respondents only "
        "(default: Parquet of more than 5,000,000 rows).",
    ),
]
_Test = Annotated[
    str | None,
    typer.Option(
        help="Held-out votes, in the same columns.", metavar="FILE", rich_help_panel=_HELD_OUT
    ),
]
_Fraction = Annotated[
    float | None,
    typer.Option(help="Share of the votes to hold out.", metavar="P", rich_help_panel=_HELD_OUT),
]

_Sbc = Annotated[
    int | None, typer.Option(help="Check intervals on so many simulated data sets.", metavar="R")
]


def fit(
    call: Invocation,
    *,
    family: _Family = None,
    strength: _Strength = None,
    panel: _Panel = None,
    lapse: _Lapse = False,
    evidence: _Evidence = True,
    inference: _Inference = "auto",
    classes: _Classes = 2,
    contrarians: _Contrarians = False,
    ties: _Ties = "half",
    width: _Width = "shared",
    tastes: _Tastes = "1",
    strength_formula: _Formula = "",
    share_formula: _Shares = "",
    taste_formula: _TasteFormula = "",
    covariates: _Covariates = None,
    context_formula: _Context = "",
    random: _Random = "",
    correlated: _Correlated = False,
    factors: _Factors = 0,
    taste_draws: _Draws = 256,
    sampling: _Sampling = "adaptive",
    posterior_draws: Annotated[int, typer.Option(help="Draws of the posterior.")] = 2000,
    test: _Test = None,
    test_fraction: _Fraction = None,
    sbc: _Sbc = None,
    stream: _Stream = None,
    report: Report = True,
    prior_mean: Annotated[float | None, _prior("Median of the mean strength.")] = None,
    prior_mean_sd: Annotated[float | None, _prior("Sd of the log mean strength.")] = None,
    prior_cv: Annotated[float | None, _prior("Scale of the half-normal cv.")] = None,
    prior_group: Annotated[float | None, _prior("Scale of the group effects' sds.")] = None,
    prior_lapse: Annotated[str | None, _prior("Beta of the lapse rate, as 1,9.")] = None,
    prior_utility: Annotated[float | None, _prior("Sd of utilities.")] = None,
) -> int:
    """Fit preference data: the posterior of preference strength, with checks and a verdict."""
    given = _priors(prior_mean, prior_mean_sd, prior_cv, prior_group, prior_lapse, prior_utility)
    family = family or ("fixed" if random or tastes != "1" else "lognormal")
    asked: dict[str, Any] = {"family": family, "panel": panel, "lapse": lapse, "ties": ties}
    asked |= {"width": width, "by": list(call.columns["groups"]), "context": context_formula}
    formulas = {"strength": strength_formula, "share": share_formula, "taste": taste_formula}
    asked |= read_people(call, formulas, tastes, covariates, random=bool(random))
    call = replace(with_context(call, context_formula), options={**call.options, "family": family})
    own = _random_tastes(random, factors or correlated, taste_draws, sampling)
    _refuse_with_sbc(sbc, random=random, tastes=tastes != "1", context_formula=context_formula)
    needs = {"random": random, "tastes": tastes != "1", "strength": strength, "sbc": sbc}
    needs |= {"context_formula": context_formula, "strength_formula": strength_formula}
    needs |= {"ties": ties != "half", "no_panel": panel is False, "test_fraction": test_fraction}
    more = {"evidence": evidence, "inference": inference, "draws": posterior_draws}
    more |= {"classes": classes, "contrarians": contrarians}
    held_out_of, others = (test, test_fraction), (strength, tastes, sbc, report)
    with reading(call, stream, needs) as call:
        if call.processes is not None and not call.processes.first:
            return help_first(call)
        if inference == "maximum":
            refused = {"prior": given, "sbc": sbc, "test": test, "test-fraction": test_fraction}
            return run_maximum(call, asked, own, {**refused, "tastes": tastes != "1"})
        return _posterior(call, {**asked, **more}, own, given, held_out_of, *others)


def _random_tastes(random: str, correlated: int, draws: int, sampling: str) -> dict[str, Any]:
    """The options of random coefficients."""
    return {"random": random, "correlated": correlated, "draws": draws, "sampling": sampling}


def _posterior(
    call: Invocation,
    asked: dict[str, Any],
    own: dict[str, Any],
    priors: dict[str, Any],
    held_out_of: tuple[str | None, float | None],
    strength: str | None,
    tastes: str,
    sbc: int | None,
    report: bool,
) -> int:
    """One posterior, or a grid of them."""
    if strength or "," in tastes:
        cells = grid_of(strength or asked["family"], tastes)
        return run_grid(call, cells, asked, own, priors, held_out_of, report=report)
    (asked["tastes"],) = numbers_of_tastes(tastes)
    code, result = run_posterior(call, asked, own, priors, held_out_of, sbc)
    finish(call.terminal, Path(result["run"]), report=report)
    call.terminal.result(result)
    return code


def _refuse_with_sbc(sbc: int | None, **options: object) -> None:
    """Refuse options that are not simulated."""
    given = [name.replace("_", "-") for name, value in options.items() if value]
    if sbc is not None and given:
        raise UsageError(f"--sbc cannot be joined with --{given[0]}.")


def _priors(
    mean: float | None,
    log_mean_sd: float | None,
    cv_scale: float | None,
    group_scale: float | None,
    lapse: str | None,
    utility_sd: float | None,
) -> dict[str, Any]:
    """The priors that were given."""
    priors: dict[str, Any] = {"mean": mean, "log_mean_sd": log_mean_sd, "cv_scale": cv_scale}
    priors |= {"group_scale": group_scale, "lapse": _beta(lapse), "utility_sd": utility_sd}
    return {name: value for name, value in priors.items() if value is not None}


def _beta(text: str | None) -> tuple[float, float] | None:
    """The two parameters of a Beta distribution, from `1,9`."""
    if text is None:
        return None
    try:
        first, second = (float(part) for part in text.split(","))
    except ValueError:
        message = f'--prior-lapse must be two numbers such as 1,9, not "{text}".'
        raise UsageError(message) from None
    return first, second
