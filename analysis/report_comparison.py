"""What a report says of several fits of the same votes: verdict, elpd, doubtful densities."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mixlogit.analysis.plots_inference import plot_elpd
from mixlogit.analysis.section import Picture, Section, Table, picture
from mixlogit.run.words import differing

__all__ = ["comparison_sections", "elpd_picture", "elpd_table", "table_of_models"]

_NAMED = 5  # of those with a high Pareto k
_HEAD = ["fit", "differ in", "elpd, nats", "se", "against the best", "se", "weight"]


def comparison_sections(result: Mapping[str, Any]) -> list[Section]:
    """The sections of a comparison's own report.

    Args:
        result: The object of `comparison.json`.
    """
    table = table_of_models(result)
    verdict = Section("verdict", "Verdict", text=list(result["verdict"]["sentences"]))
    text = [
        f"Each {result['by']} is left out in turn and predicted from all others: elpd is the sum "
        "of the log densities. The weights are those of the mixture that predicts best."
    ]
    high = [
        f"In {name} the densities of {', '.join(row['high_k'][:_NAMED])}"
        f"{', ...' if len(row['high_k']) > _NAMED else ''} are not to be relied on (Pareto k "
        "above 0.7)."
        for name, row in table.iterrows()
        if row["high_k"]
    ]
    tables = [elpd_table(table, str(result["by"]))]
    if result["folds"]:
        tables.append(_votes_table(table, int(result["folds"])))
    pictures = [elpd_picture(table, "Left of 0: predicts worse than the best fit.")]
    elpd = Section(
        "prediction", "Which predicts better?", text, points=high, tables=tables, pictures=pictures
    )
    return [verdict, elpd]


def table_of_models(result: Mapping[str, Any]) -> pd.DataFrame:
    """One row a fit, the best first, by the names of their folders where these differ.

    Args:
        result: The object of `comparison.json`.

    Example:
        >>> rows = [{"run": "runs/a", "elpd": -9.0}, {"run": "runs/b", "elpd": -8.0}]
        >>> table_of_models({"models": rows})["elpd"].to_dict()
        {'a': -9.0, 'b': -8.0}
    """
    names = [str(model["run"]) for model in result["models"]]
    short = [Path(name).name for name in names]
    index = short if len(set(short)) == len(short) else names
    return pd.DataFrame(list(result["models"]), index=pd.Index(index))


def elpd_table(table: pd.DataFrame, by: str) -> Table:
    """Elpd of each fit, against the best, and its weight.

    Args:
        table: One row a fit, from `table_of_models`.
        by: Who was left out.
    """
    rows = [
        [
            str(name),
            differing(str(row["kind"])),
            *(f"{row[key]:,.1f}" for key in ("elpd", "se", "difference", "difference_se")),
            f"{row['weight']:.2f}",
        ]
        for name, row in table.iterrows()
    ]
    return Table(_HEAD, rows, f"Fits of the same votes, each {by} left out in turn")


def _votes_table(table: pd.DataFrame, folds: int) -> Table:
    rows = [
        [str(name), f"{row['votes_difference']:,.1f}", f"{row['votes_difference_se']:,.1f}"]
        for name, row in table.iterrows()
    ]
    head = ["fit", "against the best, nats", "se"]
    return Table(head, rows, f"Held-out votes of known respondents, {folds} folds")


def elpd_picture(table: pd.DataFrame, caption: str) -> Picture:
    """Elpd of each fit against the best.

    Args:
        table: One row a fit, from `table_of_models`.
        caption: How to read it.
    """
    parts = [
        f"{name} {row['difference']:,.1f} (standard error {row['difference_se']:,.1f})"
        for name, row in table.iterrows()
    ]
    words = f"Elpd of {len(table)} fits of these votes against the best, nats: {'; '.join(parts)}."
    return picture("elpd", lambda: plot_elpd(table), words, caption)
