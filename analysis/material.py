"""Everything that a report is made of: what a run folder, or a posterior in memory, holds."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from mixlogit.analysis.measures import heterogeneity
from mixlogit.analysis.report_comparison import table_of_models
from mixlogit.analysis.saved import Saved, read_run
from mixlogit.analysis.section import Quote
from mixlogit.analysis.surprising import surprising_votes
from mixlogit.errors import StorageError, UsageError
from mixlogit.run import load_config, refuse_damage, yaml_text
from mixlogit.run.manifest import MANIFEST

__all__ = ["Material", "read_comparison", "read_material", "read_training"]


@dataclass(frozen=True, eq=False)
class Material:
    """A run, as a report sees it.

    Attributes:
        name: What to call the run.
        saved: Draws and individual strengths.
        summary: The object of `summary.json`.
        card: The object of `data.json`; None if there is none.
        record: The object of `run.json`; None if there is none.
        config: What of `config.yaml` differs from the defaults, as text; None if there is none.
        people: One row a respondent; empty without a panel.
        tastes: One row a respondent with latent or random tastes; empty without.
        measures: Measures of heterogeneity of the whole population that have a value, by name.
        compared: One row a fit of the grid that the run is of, the best first; empty without.
        training: What was logged while a policy was trained, one object a log; empty without.
        quotes: The most surprising votes with their texts, where these were asked for.
    """

    name: str
    saved: Saved
    summary: dict[str, Any]
    card: dict[str, Any] | None = None
    record: dict[str, Any] | None = None
    config: str | None = None
    people: pd.DataFrame = field(default_factory=pd.DataFrame)
    tastes: pd.DataFrame = field(default_factory=pd.DataFrame)
    measures: dict[str, dict[str, Any]] = field(default_factory=dict)
    compared: pd.DataFrame = field(default_factory=pd.DataFrame)
    training: list[dict[str, Any]] = field(default_factory=list)
    quotes: list[Quote] = field(default_factory=list)


def read_material(run: Any, *, show_text: bool = False) -> Material:
    """What a report needs of a run.

    Args:
        run: A `Posterior`, or the path of a run folder.
        show_text: Whether to read the texts of the most surprising votes.

    Raises:
        StorageError: If the folder is no run, or a file of it is damaged.
        UsageError: If it is something else, or holds a maximum of the likelihood.
    """
    if isinstance(run, str | Path):
        refuse_damage(run)
        _refuse_maximum(Path(run))
    saved = read_run(run)
    if hasattr(run, "to_dict"):
        if show_text:
            raise UsageError("A posterior in memory does not say where its texts are.")
        return Material(
            str(saved.family),
            saved,
            run.to_dict(),
            people=run.strengths(),
            tastes=pd.concat([run.memberships(), run.tastes()]),  # one of them is empty
            measures=_measures(saved),
        )
    folder = Path(run)
    summary = _read_json(folder / "summary.json")
    record = _read_json(folder / "run.json")
    return Material(
        name=folder.resolve().name,
        saved=saved,
        summary=_read_json(folder / "strength.json") if summary is None else summary,
        card=_read_json(folder / "data.json"),
        record=record,
        config=_config(folder / "config.yaml", (record or {}).get("chosen")),
        people=pd.read_parquet(folder / "strengths.parquet"),
        measures=_measures(saved),
        tastes=_tastes(folder / "tastes.parquet"),
        compared=_compared(folder.resolve()),
        training=read_training(folder),
        quotes=surprising_votes(folder, saved) if show_text else [],
    )


def _refuse_maximum(folder: Path) -> None:
    found = _read_json(folder / "summary.json") or {}
    if "log_likelihood" in found and not (folder / "posterior.nc").exists():
        raise UsageError(
            f"{folder} holds a maximum of the likelihood and no posterior, which a report is "
            "about. Its estimates are in summary.txt; fit without --inference maximum."
        )


def _compared(folder: Path) -> pd.DataFrame:
    """The comparison beside a run of a grid, by names of folders; empty if it is of none."""
    found = read_comparison(folder.parent)
    table = pd.DataFrame() if found is None else table_of_models(found)
    return table if folder.name in table.index else pd.DataFrame()


def read_comparison(folder: Path) -> dict[str, Any] | None:
    """The object of `comparison.json` in a folder; None if there is none.

    Args:
        folder: The folder of a comparison, or of a grid of fits.

    Raises:
        StorageError: If the file is damaged.
    """
    file = folder / "comparison.json"
    if (folder / MANIFEST).is_file() or file.is_file():
        refuse_damage(folder)
    found: dict[str, Any] | None = _read_json(file)
    return found


def _measures(saved: Saved) -> dict[str, dict[str, Any]]:
    table = heterogeneity(saved)
    rows = table[(table["label"] == "all") & table["mean"].notna()].to_dict("records")
    return {str(row["measure"]): {str(k): v for k, v in row.items()} for row in rows}


def _config(file: Path, chosen: list[str] | None) -> str | None:
    """The options in a configuration that are not the defaults; all, if that is not known."""
    if not file.is_file():
        return None
    if chosen is None:
        return file.read_text(encoding="utf-8")
    values = load_config(file)
    return yaml_text({key: values[key] for key in values if key in chosen})


def _read_json(file: Path) -> Any:
    """The object in a file; None if there is no such file."""
    if not file.is_file():
        return None
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise StorageError(f"{file} is damaged: {error}", file=file) from error


def read_training(folder: str | Path) -> list[dict[str, Any]]:
    """What was logged at steps of a training, one object a log; none if nothing was trained.

    Args:
        folder: A run folder.

    Raises:
        StorageError: If the folder is no run, or is damaged.
    """
    refuse_damage(folder)
    file = Path(folder) / "metrics.jsonl"
    if not file.is_file():
        return []
    try:
        logs = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    except ValueError as error:
        raise StorageError(f"{file} is damaged: {error}", file=file) from error
    return [log for log in logs if "step" in log]


def _tastes(file: Path) -> pd.DataFrame:
    return pd.read_parquet(file) if file.is_file() else pd.DataFrame()
