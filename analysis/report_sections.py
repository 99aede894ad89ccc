"""The sections of a report, each made from a run by a function of its own."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from mixlogit.analysis.density import DENSITIES
from mixlogit.analysis.limits import RELIABLE, limits, models_ties
from mixlogit.analysis.material import Material
from mixlogit.analysis.measures import MEASURES, OF_TASTES
from mixlogit.analysis.plots import describe_strength, plot_strength
from mixlogit.analysis.plots_groups import plot_groups, plot_ridge
from mixlogit.analysis.plots_inference import plot_elbo, plot_trace
from mixlogit.analysis.plots_people import plot_k_hat, plot_shrinkage
from mixlogit.analysis.plots_training import plot_training
from mixlogit.analysis.plots_votes import plot_calibration, plot_choice_curve
from mixlogit.analysis.report_comparison import elpd_picture, elpd_table
from mixlogit.analysis.report_tastes import tastes
from mixlogit.analysis.section import INTERVAL, Picture, Section, Table, picture
from mixlogit.run.words import figure, interval_cells, parameter

_NO_TASTES = ("class_", "threshold[")  # numbered parameters that are no coefficients

__all__ = ["SECTIONS"]

_EXTREMES = 5
_SHOWN = 30  # utilities in a table


def verdict(run: Material) -> Section:
    """What was learnt, in three sentences."""
    said = list(run.summary["verdict"]["sentences"])
    found = run.measures
    name = "disagreement" if run.saved.tastes else "disagreement_median"
    row = found.get(name)
    if run.saved.panel and row is not None:
        middle, _, low, high = interval_cells(row)
        said.insert(
            1,
            f"{MEASURES[name].capitalize()} is {middle} (90 %: {low} to {high}): 0 if all "
            "respondents answered with the same probability, 1 if each were certain of an answer "
            "of their own.",
        )
    return Section("verdict", "Verdict", text=said[:3])


def alerts(run: Material) -> Section:
    """Failed checks first, then warnings about the data."""
    failed = [check for check in run.summary["checks"] if not check["ok"]]
    words = [
        f"{check['name']}: {figure(check['value'])} (limit {figure(check['threshold'])}). "
        f"{check['advice']}"
        for check in failed
    ]
    card = run.card or {}
    warned = [
        found["message"]
        for found in card.get("warnings", [])
        if not (found["name"] == "ties" and models_ties(run.summary))
    ]
    fine = [] if words or warned else ["Every check holds, and nothing in the data was odd."]
    return Section("alerts", "Alerts", text=fine, alerts=words, points=warned)


def data(run: Material) -> Section:
    """How many of what, and where from."""
    names = {
        "comparisons": "comparisons",
        "choice_sets": "choice sets",
        "respondents": "respondents",
        "ties": "ties",
        "dropped": "rows dropped",
        "items": "items",
        "components": "connected components of items",
        "features": "features",
    }
    n = run.summary["n"]
    if n.get("choice_sets"):
        del names["comparisons"]  # the same number
    rows = [[words, f"{n[key]:,}"] for key, words in names.items() if n.get(key)]
    rows += [[f"groups by {name}", f"{count:,}"] for name, count in n.get("groups", {}).items()]
    if len(run.people) and "n" in run.people:
        each = run.people.groupby("respondent")["n"].sum()  # over the groups of a respondent
        median, most = each.median(), each.max()
        rows.append(["comparisons of a respondent, median", f"{median:,.0f}"])
        rows.append(["comparisons of a respondent, most", f"{most:,.0f}"])
    card = run.card or {}
    why = list(card.get("identified", {}).get("why", []))
    source = [f"Read from {card['source']}."] if card.get("source") else []
    return Section(
        "data", "Data", text=source, points=why, tables=[Table(["what", "number"], rows)]
    )


def strength(run: Material) -> Section | None:
    """The posterior of the population, its picture, and measures of heterogeneity."""
    rows = [
        [parameter(name), *interval_cells(values)]
        for name, values in run.summary["parameters"].items()
        if not (run.summary.get("random") and "[" in name and not name.startswith(_NO_TASTES))
    ]
    if run.summary.get("random"):
        head = ["parameter", *INTERVAL]
        return Section("strength", "Strength", tables=[Table(head, rows)]) if rows else None
    tables = [Table(["parameter", *INTERVAL], rows, "Posterior of the population")]
    tables += _utilities(run)
    shown = [
        [MEASURES[name], *interval_cells(row)]
        for name, row in run.measures.items()
        if name not in run.summary["parameters"]
        and not row["note"]
        and not (run.saved.tastes and name in OF_TASTES)
    ]
    alike = run.summary["family"] == "fixed"
    if run.saved.panel and shown and not alike:
        tables.append(Table(["measure", *INTERVAL], shown, "How much respondents differ"))
    if alike and "mean" not in run.summary["parameters"] and not run.saved.grouped:
        text = ["One strength for all, 1 by convention: the utilities carry the scale."]
        return Section("strength", "Strength", text=text, tables=tables)
    caption = ""
    if run.saved.family in DENSITIES:
        caption = (
            "Solid: posterior median of the distribution of strength; band: 90 %; dashed: the "
            "prior. "
        )
    if run.saved.panel and not alike:
        caption += "Below the line: posterior means of respondents, pulled towards the population."
    words = describe_strength(run.saved)
    shown_as = picture("strength", lambda: plot_strength(run.saved), words, caption)
    return Section("strength", "Strength", tables=tables, pictures=[shown_as])


def _utilities(run: Material) -> Iterator[Table]:
    """Utilities of items, or weights of features, that are the same for all: the highest first."""
    posterior = run.saved.tree["posterior"].to_dataset()
    for name, axis in (("utility", "item"), ("weight", "feature")):
        if name not in posterior or "class_" in posterior[name].dims:
            continue
        draws = posterior[name].transpose(axis, ...).to_numpy().reshape(posterior.sizes[axis], -1)
        low, high = np.quantile(draws, [0.05, 0.95], axis=1)
        found = pd.DataFrame(
            {"mean": draws.mean(1), "sd": draws.std(1, ddof=1), "q05": low, "q95": high},
            index=posterior[axis].to_numpy(),
        ).sort_values("mean", ascending=False)
        rows = [[str(label), *interval_cells(row)] for label, row in found[:_SHOWN].iterrows()]
        more = f"; {len(found) - _SHOWN:,} lower ones are in posterior.nc"
        caption = "Utilities" if axis == "item" else "Weights"
        caption += ", the highest first" + (more if len(found) > _SHOWN else "")
        yield Table([axis, *INTERVAL], rows, caption)


def respondents(run: Material) -> Section | None:
    """Individual strengths: how far they are pulled in, and the extremes."""
    people = run.people
    alike = run.summary["family"] == "fixed"
    if not run.saved.panel or alike or len(people) < 2 or "mean" not in people:
        return None
    text, tables = [], [_extremes(people)]
    reliability = run.measures.get("reliability")
    if reliability is not None and reliability["mean"] < RELIABLE:
        tables = []
        text = [
            f"Nobody is named: the reliability of individual strengths is "
            f"{reliability['mean']:.2f}, and below {RELIABLE} their order is mostly chance."
        ]
    pictures = []
    if {"margin", "unit"} <= set(run.saved.tree["constant_data"].data_vars):
        low, high = np.quantile(people["mean"], [0.05, 0.95])
        words = (
            f"Individual strengths: {len(people):,} posterior means, the middle 90 % from "
            f"{low:.2g} to {high:.2g}, against estimates from own votes alone."
        )
        pictures.append(
            picture(
                "shrinkage",
                lambda: plot_shrinkage(run.saved),
                words,
                "On the diagonal nothing is borrowed from the population, on the dotted line "
                "nearly everything. The fewer the votes, the more is borrowed.",
            )
        )
    return Section("respondents", "Respondents", text=text, tables=tables, pictures=pictures)


def _extremes(people: pd.DataFrame) -> Table:
    """The weakest and the strongest; no rows where these would be nearly all."""
    people = people.assign(respondent=people.loc[:, :"n"].iloc[:, :-1].agg(" | ".join, axis=1))
    order = people.sort_values("mean")
    ends = pd.concat([order.iloc[:_EXTREMES], order.iloc[len(order) - _EXTREMES :]])
    rows = [
        [str(row["respondent"]), f"{row['n']:,.0f}", *interval_cells(row)]
        for _, row in ends[~ends.index.duplicated()].iterrows()
    ]
    caption = f"The {_EXTREMES} weakest and the {_EXTREMES} strongest by posterior mean"
    return Table(["respondent", "n", *INTERVAL], rows if len(order) > _EXTREMES else [], caption)


def groups(run: Material) -> Section | None:
    """Each group with its interval, macro and micro averages, and the weakest group."""
    if not run.summary.get("groups"):
        return None
    pictures, text = [], []
    for k, (column, labels) in enumerate(run.summary["groups"].items()):
        mean = {label: values["mean"] for label, values in labels.items() if "mean" in values}
        if not mean:
            continue
        worst = min(mean, key=lambda label: float(mean[label]["mean"]))
        low, high = figure(mean[worst]["q05"]), figure(mean[worst]["q95"])
        words = (
            f"Weakest by {column}: {worst}, mean {figure(mean[worst]['mean'])} ({low} to {high})."
        )
        text.append(words)
        for kind, plot in (("forest", plot_groups), ("ridge", plot_ridge)):
            if kind == "ridge" and run.saved.family not in ("lognormal", "gamma", "normal"):
                continue
            caption = (
                "Thick: 50 %, thin: 90 % interval; diamonds: macro (mean of groups) and micro "
                "(weighted by comparisons)."
                if kind == "forest"
                else "Median density of strength within each group."
            )
            pictures.append(
                picture(f"{kind}{k}", partial(plot, run.saved, column), words, caption)
            )
    return Section("groups", "Groups", text=text, pictures=pictures)


def prediction(run: Material) -> Section:
    """Does it predict: held-out votes, elpd, choice curve, calibration."""
    held_out, elpd = run.summary.get("held_out"), run.summary.get("elpd")
    rows = []
    if elpd:
        per = f"a new {elpd['per']}"
        rows.append([f"elpd of {per}, nats", f"{elpd['estimate']:,.1f}", f"{elpd['se']:,.1f}"])
    vote = run.summary.get("elpd_vote")
    if vote:
        words = "log score of a new vote of a known respondent, nats"
        rows.append([words, f"{vote['estimate']:.4f}", f"{vote['se']:.4f}"])
    if held_out:
        rows.append(["log score of a held-out vote, nats", f"{held_out['log_score']:.4f}", ""])
        if "gain_millinats" in held_out:
            gain, se = held_out["gain_millinats"], held_out["se"]
            rows.append(
                ["gain over one strength for all, milli-nats", f"{gain:+.1f}", f"{se:.1f}"]
            )
        if held_out.get("accuracy") is not None:
            rows.append(["accuracy on held-out votes", f"{held_out['accuracy']:.3f}", ""])
    tables = [Table(["what", "estimate", "standard error"], rows)] if rows else []
    pictures = []
    if len(run.compared):
        tables.append(elpd_table(run.compared, "respondent"))
        caption = "Left of 0: predicts worse than the best fit. This run is one of them."
        pictures.append(elpd_picture(run.compared, caption))
    pictures += _of_votes(run)
    return Section("prediction", "Does it predict?", tables=tables, pictures=pictures)


def _of_votes(run: Material) -> Iterator[Picture]:
    tree = run.saved.tree
    groups: Any = tree.children
    predictive = groups.get("posterior_predictive", {})
    made = run.saved.draws("agreeing", "posterior_predictive") if predictive else None
    if made is not None and "bin_margin" in tree["constant_data"]:
        observed = tree["observed_data"]["agreeing"].to_numpy()
        low, high = np.quantile(made, [0.05, 0.95], axis=0)
        inside = int(((observed >= low) & (observed <= high)).sum())
        words = (
            f"Choice curve: the observed share lies where the fit expects it in {inside} of "
            f"{len(observed)} bins of the margin."
        )
        caption = "Points outside the orange bars mean that the shape of the curve is wrong."
        if run.saved.tastes:
            caption = "Points outside the orange bars: the fit misses how often people agree."
        yield picture("curve", lambda: plot_choice_curve(run.saved), words, caption)
    if "calibration_observed" in predictive:
        words = "Calibration: observed frequency of the likelier answer by predicted probability."
        caption = (
            "Each vote is predicted without itself. A line outside the band means that "
            "probabilities are too bold (below the diagonal) or too timid (above)."
        )
        yield picture("calibration", lambda: plot_calibration(run.saved), words, caption)


def surprising(run: Material) -> Section | None:
    """The votes of lowest probability, with their texts, where these were asked for."""
    if not run.quotes:
        return None
    text = [
        "Votes to which the fit gives the lowest probability, each predicted from all others. "
        "Some votes are always surprising: look for what these have in common."
    ]
    return Section("surprising", "Most surprising votes", text=text, quotes=run.quotes)


def checks(run: Material) -> Section:
    """Every check with its value, its limit and what to do."""
    rows = [
        [
            check["name"],
            figure(check["value"]),
            figure(check["threshold"]),
            "ok" if check["ok"] else "FAILED",
            check["advice"],
        ]
        for check in run.summary["checks"]
    ]
    head = ["check", "value", "limit", "verdict", "if it fails"]
    pictures, saved = [], run.saved
    stats = saved.tree["sample_stats"]
    name = next((n for n in ("cv", "mean") if n in saved.tree["posterior"]), None)
    if name is not None:
        words = f"Draws of {name} by restart of the inference."
        pictures.append(
            picture("trace", lambda: plot_trace(saved, name), words, "Restarts should agree.")
        )
    if stats["elbo"].size:
        words = "The guide's evidence lower bound over its steps."
        pictures.append(picture("elbo", lambda: plot_elbo(saved), words, "It should be level."))
    if "loo_k_hat" in stats:
        n = int((stats["loo_k_hat"].to_numpy() > 0.7).sum())
        words = f"Pareto k of leaving out each unit: {n} above 0.7."
        caption = "Above 0.7 the leave-one-out density of that unit is not reliable."
        pictures.append(picture("khat", lambda: plot_k_hat(saved), words, caption))
    return Section("checks", "Inference checks", tables=[Table(head, rows)], pictures=pictures)


def alignment(run: Material) -> Section | None:
    """Loss, margins and strength over the steps of a training."""
    if not run.training:
        return None
    logged = {key for log in run.training for key in log}
    captions: dict[Any, str] = {
        "loss": "Where the held-out line rises while the loss falls, the policy overfits."
        if "eval_log_score" in logged
        else "Of training only: without held-out votes nothing shows whether the policy overfits.",
        "margins": "How far the policy has moved from the reference.",
        "strength": "A parameter of training; the estimate is the one fitted afterwards, above.",
    }
    needs = {"loss": "loss", "margins": "margins", "strength": "strength/cv"}
    pictures = [
        picture(
            f"training-{what}",
            partial(plot_training, run.training, what),
            f"{what} over {run.training[-1]['step']:,} optimiser steps.",
            caption,
        )
        for what, caption in captions.items()
        if needs[what] in logged
    ]
    return Section("alignment", "Alignment", pictures=pictures)


def reproduce(run: Material) -> Section | None:
    """The command, options that are not the defaults, versions, seed and checksum."""
    if run.record is None:
        return None
    command = " ".join(str(part) for part in run.record.get("command") or [])
    versions = run.record.get("versions", {})
    rows = [[name, str(version)] for name, version in versions.items()]
    rows.insert(0, ["seed", str(run.record.get("seed"))])
    if run.card and run.card.get("sha256"):
        rows.insert(1, ["sha256 of the data", str(run.card["sha256"])])
    code = [part for part in (command, run.config) if part]
    return Section(
        "reproduce", "How to reproduce", code=code, tables=[Table(["what", "value"], rows)]
    )


def what_limits(run: Material) -> Section:
    """What these data cannot say."""
    row = run.measures.get("reliability")
    reliability = None if row is None else float(row["mean"])
    said = limits(run.summary, run.card, reliability)
    return Section("limits", "What these data cannot say", points=said)


SECTIONS: list[Callable[[Material], Section | None]] = [
    verdict, alerts, data, strength, respondents, groups, tastes, prediction, surprising, checks,
    alignment, reproduce, what_limits,
]  # fmt: skip
