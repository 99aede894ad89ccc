"""`mixlogit align`: train a language model through the model of preference strength."""

from typing import Annotated, Any, Literal

import typer

from mixlogit.cli.aligning import run_align
from mixlogit.cli.html import Report
from mixlogit.cli.invocation import Invocation
from mixlogit.cli.options import Dtype, Truncation, model_option

__all__ = ["align"]

_STRENGTH = "How strength enters"
_TEST = "Held-out comparisons"


def _strength(text: str, metavar: str | None = None) -> Any:
    return typer.Option(help=text, metavar=metavar, rich_help_panel=_STRENGTH)


def _test(text: str, metavar: str) -> Any:
    return typer.Option(help=text, metavar=metavar, rich_help_panel=_TEST)


_Panel = Annotated[
    bool | None,
    typer.Option(
        "--panel/--no-panel",
        help="One strength a respondent, or one a comparison (default: by the data).",
        rich_help_panel=_STRENGTH,
    ),
]
_Contrarians = Annotated[
    bool,
    typer.Option(
        "--contrarians",
        help="Let a learned share of respondents have negative strength.",
        rich_help_panel=_STRENGTH,
    ),
]


def align(
    call: Invocation,
    *,
    model: Annotated[str, model_option("The policy: a folder or hub id.")],
    reference: Annotated[
        str | None, model_option("The reference; default: the policy before the training.")
    ] = None,
    tokenizer: Annotated[str | None, model_option("The tokenizer, if not the model's.")] = None,
    lora: Annotated[
        int | None, model_option("Train a LoRA adapter of this rank, not all weights.", "RANK")
    ] = None,
    dtype: Annotated[Dtype, model_option("Of the weights.", "DTYPE")] = "float32",
    max_length: Annotated[
        int | None,
        model_option("Most tokens of a prompt with an answer; default: the model's.", "N"),
    ] = None,
    truncation_mode: Annotated[
        Truncation, model_option("What remains: keep_start or keep_end.", "SIDE")
    ] = "keep_start",
    family: Annotated[
        str | None,
        _strength("fixed (DPO), lognormal (default), gamma, normal or classes.", "NAME"),
    ] = None,
    panel: _Panel = None,
    beta: Annotated[float | None, _strength("Strength of DPO; default 0.1.")] = None,
    anchor: Annotated[
        Literal["mean", "median", "none"] | None,
        _strength("What stays at beta: mean (default) or median; none learns the mean.", "NAME"),
    ] = None,
    recipe: Annotated[
        Literal["mixdpo", "mixdpo-gamma"] | None,
        _strength("The paper's system, MixDPO (mixed logit): mixdpo or mixdpo-gamma.", "NAME"),
    ] = None,
    draws: Annotated[
        int | None, _strength("Monte Carlo points in place of the exact probability.", "N")
    ] = None,
    lapse: Annotated[
        str | None,
        _strength("Share of random votes, twice the flip rate: a number or learned.", "P"),
    ] = None,
    contrarians: _Contrarians = False,
    classes: Annotated[int | None, _strength("Classes of that family.", "N")] = None,
    burn_in: Annotated[int | None, _strength("Epochs of DPO before the panel's.", "N")] = None,
    strength_learning_rate: Annotated[
        float | None, _strength("Of the strength's own optimiser; default 0.02.", "R")
    ] = None,
    prior_cv: Annotated[float | None, _strength("Scale of the half-normal cv.")] = None,
    test: Annotated[str | None, _test("A file in the same columns.", "FILE")] = None,
    test_fraction: Annotated[float | None, _test("Share of the prompts to hold out.", "P")] = None,
    report: Report = True,
) -> int:
    """Train a policy on preferences; takes all options of transformers.TrainingArguments too.

    A run that was stopped goes on when the same command is given again. Exit code 4: the run
    finished, but a check failed.
    """
    options: dict[str, Any] = {k: v for k, v in locals().items() if k not in ("call", "report")}
    return run_align(call, options, report=report)
