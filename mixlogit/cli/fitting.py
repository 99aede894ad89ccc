"""From DATA to a run folder: read, fit, write, say what was learnt."""

import re
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mixlogit.cli.invocation import Invocation
from mixlogit.cli.report import Trace, report_text, write_results
from mixlogit.cli.summary import checks_line, data_line, maximum_table, model_words
from mixlogit.errors import UsageError
from mixlogit.run import write_json, write_parquet, write_text

__all__ = ["CHECK_FAILED", "read_people", "read_votes", "run_maximum", "run_path", "run_posterior"]
__all__ += ["with_context"]

CHECK_FAILED = 4


def run_posterior(
    call: Invocation,
    asked: Mapping[str, Any],
    tastes: Mapping[str, Any],
    priors: Mapping[str, Any],
    held_out_of: tuple[str | None, float | None],
    sbc: int | None = None,
) -> tuple[int, dict[str, Any]]:
    """Fit the posterior and write its run folder.

    Args:
        call: The call of `mixlogit fit`.
        asked: Arguments of `mixlogit.fit`.
        tastes: Arguments of `mixlogit.RandomTastes`.
        priors: Arguments of `mixlogit.Priors`.
        held_out_of: A file of held-out votes, or the share of the votes to hold out.
        sbc: Simulated data sets to check intervals on.

    Returns:
        Exit code (4 if a check failed), and the object for `--json`.
    """
    import mixlogit as ml

    path = run_path(call)
    with call.folder(path) as run:
        begin = time.monotonic()
        data, held_out = read_votes(call, *held_out_of)
        read = round(time.monotonic() - begin, 3)
        counts = f"data     {data_line(data, str(asked['ties']))}"
        call.terminal.say(counts)
        what = model_words(asked["family"], asked["tastes"], random=bool(tastes["random"]))
        with call.terminal.progress(f"fit      {what}") as show:
            trace = Trace(show)
            posterior = ml.fit(
                data,
                priors=ml.Priors(**priors),
                seed=call.seed,
                random=ml.RandomTastes(**tastes) if tastes["random"] else None,
                progress=trace,
                **asked,
            )
        if sbc is not None:
            posterior.add_sbc(_calibrate(call, data, asked, priors, sbc))
        result = posterior.to_dict()
        result["seconds"] = {"read": read, **result["seconds"]}
        if held_out is not None:
            result["held_out"] = posterior.held_out(held_out)
        text = report_text(posterior, result)
        write_results(run.folder, data, posterior, result, f"{counts}\n{text}")
        trace.write(run.folder / "metrics.jsonl")
        failed = not all(check.ok for check in posterior.checks)
        run.state = "check failed" if failed else "done"
    call.terminal.say(text)
    return CHECK_FAILED if failed else 0, {"run": str(path), **result}


def _calibrate(
    call: Invocation,
    data: Any,
    asked: Mapping[str, Any],
    priors: Mapping[str, Any],
    replicates: int,
) -> Any:
    """Simulation-based calibration at the design of the data."""
    import mixlogit as ml

    names = ("family", "by", "panel", "lapse", "ties", "width", "classes", "contrarians")
    with call.terminal.progress("sbc      simulated data sets") as show:
        return ml.sbc(
            data,
            priors=ml.Priors(**priors),
            replicates=replicates,
            seed=call.seed,
            progress=show,
            **{name: asked[name] for name in names},
        )


def run_maximum(
    call: Invocation,
    asked: Mapping[str, Any],
    tastes: Mapping[str, Any],
    of_posteriors: Mapping[str, Any],
) -> int:
    """Find the flat-prior maximum of the likelihood and write its run folder.

    Args:
        call: The call of `mixlogit fit`.
        asked: Arguments of `mixlogit.maximum`, and those that only a posterior has.
        tastes: Arguments of `mixlogit.RandomTastes`.
        of_posteriors: More options that only a posterior has, refused here if they were given.
    """
    import mixlogit as ml
    from mixlogit.data import data_record

    alone = not tastes["random"]
    options = {"by": asked["by"], "context-formula": asked["context"] if alone else ""}
    options["strength-formula"] = alone and asked["covariates"] is not None
    asked = {name: value for name, value in asked.items() if name != "by"}
    given = [f"--{name}" for name, value in {**options, **of_posteriors}.items() if value]
    if given:
        message = f"--inference maximum cannot be joined with {', '.join(given)}."
        raise UsageError(message)
    path = run_path(call)
    with call.folder(path) as run:
        data = call.load()
        counts = f"data     {data_line(data, str(asked['ties']))}"
        call.terminal.say(counts)
        random = ml.RandomTastes(**tastes) if tastes["random"] else None
        found = ml.maximum(data, random=random, seed=call.seed, **asked)
        result: dict[str, Any] = found.to_dict()
        text = f"fit      {found.family}, maximum of the likelihood with flat priors\n"
        text += f"         log-likelihood {found.log_likelihood:,.4f}\n\n"
        if found.checks:
            text += f"checks   {checks_line(check.to_dict() for check in found.checks)}\n"
            text += "".join(f"         {check.advice}\n" for check in found.checks if not check.ok)
            text += "\n"
        text += maximum_table(found.table)
        write_json(run.folder / "data.json", data_record(data))
        write_json(run.folder / "summary.json", result)
        if found.tastes is not None:
            write_parquet(run.folder / "tastes.parquet", found.tastes)
        if not all(check.ok for check in found.checks):
            run.state = "check failed"
        write_text(run.folder / "summary.txt", f"{counts}\n{text}\n")
    call.terminal.say(text)
    call.terminal.say(f"Wrote {path}")
    call.terminal.result({"run": str(path), **result})
    return 0 if all(check.ok for check in found.checks) else CHECK_FAILED


def read_votes(
    call: Invocation, test: str | None = None, fraction: float | None = None
) -> tuple[Any, Any]:
    """The votes to fit, and those held out.

    Args:
        call: The call of `mixlogit fit`.
        test: A file of held-out votes.
        fraction: Share of the votes to hold out.

    Raises:
        UsageError: If both are given.
    """
    if test is not None and fraction is not None:
        raise UsageError("--test and --test-fraction are both given. Name one of them.")
    data: Any = call.load()
    if fraction is not None:
        fitted, tested = data.split(fraction, seed=call.seed)
        return fitted, tested
    return data, None if test is None else call.load(test)


def read_people(
    call: Invocation,
    formulas: Mapping[str, str],
    tastes: str,
    file: str | None,
    *,
    random: bool = False,
) -> dict[str, Any]:
    """The covariates of respondents that formulas name, as arguments of `mixlogit.fit`.

    Args:
        call: The call of `mixlogit fit`.
        formulas: Formulas of effects on "strength", on the "share" of latent tastes, and on the
            mean of a random "taste"; empty where there is none.
        tastes: Numbers of latent tastes.
        file: Where the covariates are; None: in DATA.
        random: Whether tastes are random.

    Raises:
        UsageError: For a file without a formula, a formula that cannot be read, or one for what
            the fit does not have.
        DataError: A missing column or value, or a respondent with two values.
    """
    import mixlogit as ml

    given = {what: formula for what, formula in formulas.items() if formula}
    if "strength" in given and tastes != "1":
        raise UsageError("--strength-formula is for one taste; with --tastes use --share-formula.")
    if "share" in given and (tastes == "1" or "," in tastes):
        raise UsageError("--share-formula says who is in which class: add --tastes 2, or more.")
    if "taste" in given and not random:
        raise UsageError("--taste-formula moves random coefficients: name some by --random.")
    if not given and file is not None:
        raise UsageError(
            "--covariates needs --strength-formula, --share-formula or --taste-formula, "
            "which says what they do."
        )
    respondent = call.columns.get("respondent") or "respondent"
    source = file or call.columns["data"]
    read = {
        what: ml.Covariates.read(formula, source, respondent, role=f"{what}_formula")
        for what, formula in given.items()
    }
    if random:
        return {"covariates": read.get("taste"), "strength_covariates": read.get("strength")}
    return {"covariates": next(iter(read.values()), None), "strength_covariates": None}


def with_context(call: Invocation, formula: str) -> Invocation:
    """The call with the columns of a formula read beside the groups.

    Args:
        call: The call of `mixlogit fit`.
        formula: Covariates of comparisons; may be empty.

    Raises:
        UsageError: For a formula that cannot be read.
        DataError: A column that the data do not have.
    """
    if not formula:
        return call
    from mixlogit.data.columns import require
    from mixlogit.data.opening import open_source
    from mixlogit.models.covariates import formula_variables

    names = formula_variables(formula)
    source = open_source(call.columns["data"], call.columns.get("split") or "train", None)
    for name in names:
        require(source, "context_formula", name)
    groups = dict.fromkeys([*call.columns["groups"], *names])
    return replace(call, columns={**call.columns, "groups": list(groups)})


def run_path(call: Invocation) -> Path:
    """The run folder: `--output`, or one named after the data.

    Args:
        call: The call of `mixlogit fit`.
    """
    if call.output is not None:
        return call.output
    data = Path(call.columns["data"])
    name = data.name.split(".")[0] or data.resolve().name
    return Path("runs") / (re.sub(r"[^\w-]+", "-", name).strip("-") or "fit")
