"""The section on taste against strength: what was examined, and what was found."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from mixlogit.analysis.material import Material
from mixlogit.analysis.measures import OF_TASTES
from mixlogit.analysis.plots_tastes import plot_memberships, plot_profiles
from mixlogit.analysis.section import INTERVAL, Picture, Section, Table, picture
from mixlogit.run.words import figure, interval_cells

__all__ = ["examined", "tastes"]

_OF_TASTES = ("mean[", "sd[", "correlation[", "effect[", "strength_effect[", "context[")


def tastes(run: Material) -> Section:
    """Taste against strength: what each class, or the population of tastes, prefers."""
    text, tables, pictures = examined(run.summary), [], []
    classes = (run.summary.get("tastes") or {}).get("classes")
    if classes:
        text.append(_membership(run.summary["tastes"]))
        tables.append(_shares(classes))
        pictures = _of_classes(run, len(classes))
    elif run.summary.get("random"):
        tables = [_population(run.summary["parameters"])]
        if len(run.tastes):
            tables.append(_individuals(run.tastes, run.summary["random"]))
    rows = [
        [words, *interval_cells(run.measures[name])]
        for name, words in OF_TASTES.items()
        if run.saved.tastes and run.measures.get(name, {"sd": 0.0})["sd"] > 0  # else it is given
    ]
    tables.append(Table(["measure", *INTERVAL], rows, "How much respondents differ"))
    return Section("tastes", "Taste against strength", text=text, tables=tables, pictures=pictures)


def examined(summary: Mapping[str, Any]) -> list[str]:
    """Sentences that say which of taste and strength a run let differ.

    Args:
        summary: The object of `summary.json`.

    Example:
        >>> summary = {"panel": True, "family": "gamma", "n": {"items": 4}, "checks": []}
        >>> examined(summary)[1]
        'Taste was not examined; --tastes 2,3 says whether disagreement is about direction.'
    """
    if not summary["panel"]:
        return ["Neither was examined: without respondents nothing tells who disagrees with whom."]
    strength = (
        "One strength for all was assumed."
        if summary["family"] == "fixed"
        else f"Strength may differ between respondents here ({summary['family']})."
    )
    n = summary["n"]
    if summary.get("random"):
        names = ", ".join(f"{name} ({kind})" for name, kind in summary["random"].items())
        return [strength, f"Tastes may differ in {names}."]
    classes = (summary.get("tastes") or {}).get("classes")
    if classes:
        return [strength, f"Tastes may differ between {len(classes)} classes of respondents."]
    if n.get("items") or n.get("features"):
        how = "Taste was not examined; --tastes 2,3 says whether disagreement is about direction."
    else:
        how = (
            "Taste was not examined: margins are given, and fix one direction for everybody. "
            "Items or features in their place, with --tastes 2,3, would tell."
        )
    found = [
        f"The residuals of respondents {'show no' if check['ok'] else 'point to'} shared taste "
        f"beyond this fit (p = {figure(check['value'])})."
        for check in summary["checks"]
        if check["name"] == "taste in residuals"
    ]
    return [strength, how, *found]


def _membership(record: Mapping[str, Any]) -> str:
    sure = f"{record['mean_largest_membership']:.2f}"
    return f"Respondents belong to their most probable class with probability {sure} on average."


def _shares(classes: Mapping[str, Any]) -> Table:
    rows = [
        [f"class {name}", *interval_cells(each["share"]), f"{each['respondents']:,.0f}"]
        for name, each in classes.items()
    ]
    head = ["class", *INTERVAL, "respondents, expected"]
    return Table(head, rows, "Share of each class")


def _of_classes(run: Material, n: int) -> list[Picture]:
    words = f"Profiles of {n} classes of taste, with 90 % intervals."
    caption = "Where intervals of two classes lie apart, people of these classes disagree."
    pictures = [picture("profiles", lambda: plot_profiles(run.saved), words, caption)]
    if len(run.tastes):
        words = _membership(run.summary["tastes"])
        caption = "Near 1: surely of that class; near the left end: their votes do not tell."
        pictures.append(picture("memberships", lambda: plot_memberships(run), words, caption))
    return pictures


def _population(parameters: Mapping[str, Any]) -> Table:
    """Means, spreads, correlations, effects of covariates of random coefficients."""
    rows = [
        [_coefficient(name), *interval_cells(values)]
        for name, values in parameters.items()
        if name.startswith(_OF_TASTES)
    ]
    return Table(["coefficient", *INTERVAL], rows, "Tastes over the population")


def _coefficient(name: str) -> str:
    """`mean[x]` as "mean of x", `effect[age,x]` as "effect of age on x"."""
    kind, _, label = name[:-1].partition("[")
    if kind == "strength_effect":
        return f"effect of {label} on log strength"
    if kind == "context":
        return f"effect of {label} of comparisons on log strength"
    if kind == "effect":
        label = " on ".join(label.rsplit(",", 1))
    return f"{kind} of {label}"


def _individuals(table: pd.DataFrame, names: Iterable[str]) -> Table:
    """Posterior means of respondents by random coefficient, and how sure a single one is."""
    rows = []
    for name in names:
        low, middle, high = np.quantile(table[f"mean[{name}]"], [0.05, 0.5, 0.95])
        one = table[f"sd[{name}]"].median()
        rows.append([name, *(f"{value:.2f}" for value in (low, middle, high, one))])
    head = ["coefficient", "5 %", "median", "95 %", "sd of a single one, median"]
    return Table(head, rows, f"Posterior means of {len(table):,} respondents")
