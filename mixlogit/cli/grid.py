"""`mixlogit fit --tastes 1,2 --strength fixed,gamma`: a grid of fits, and which the data want."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mixlogit.cli.compare import comparison_text, write_comparison
from mixlogit.cli.fitting import run_path, run_posterior
from mixlogit.cli.html import finish
from mixlogit.cli.invocation import Invocation
from mixlogit.errors import UsageError
from mixlogit.run import write_manifest

__all__ = ["grid_of", "numbers_of_tastes", "run_grid"]


def run_grid(
    call: Invocation,
    cells: Mapping[str, Mapping[str, Any]],
    asked: Mapping[str, Any],
    tastes: Mapping[str, Any],
    priors: Mapping[str, Any],
    held_out_of: tuple[str | None, float | None],
    *,
    report: bool = True,
) -> int:
    """Fit every cell into a run folder of its own, then compare them.

    Args:
        call: The call of `mixlogit fit`.
        cells: Arguments of each cell, from `grid_of`.
        asked: Arguments of `mixlogit.fit`.
        tastes: Arguments of `mixlogit.RandomTastes`.
        priors: Arguments of `mixlogit.Priors`.
        held_out_of: A file of held-out votes, or the share of the votes to hold out.
        report: Whether to write each cell's report.

    Returns:
        Exit code: 4 if a check of a cell failed.
    """
    import mixlogit as ml

    path, code = run_path(call), 0
    shared = {name: value for name, value in call.options.items() if name != "strength"}
    for name, cell in cells.items():
        as_options = {**shared, **cell, "tastes": str(cell["tastes"])}
        own = replace(call, output=path / name, options=as_options)
        found, _ = run_posterior(own, {**asked, **cell}, tastes, priors, held_out_of)
        code = max(code, found)
        call.terminal.say()
    compared = ml.compare({str(path / name): path / name for name in cells})
    result = write_comparison(path, compared, run=str(path))
    write_manifest(path, "comparison.*")
    call.terminal.say(comparison_text(compared))
    for folder in (*(path / name for name in cells), path):  # each shows the comparison
        finish(call.terminal, folder, report=report)
    call.terminal.result(result)
    return code


def grid_of(strength: str, tastes: str) -> dict[str, dict[str, Any]]:
    """The cells of a grid.

    Args:
        strength: Strength families, joined by commas.
        tastes: Numbers of tastes, joined by commas.

    Raises:
        UsageError: For a grid of one cell.
    """
    from mixlogit.models.grid import grid_cells

    cells = grid_cells([name.strip() for name in strength.split(",")], numbers_of_tastes(tastes))
    if len(cells) < 2:
        raise UsageError(f"--strength compares several families; for one use --family {strength}.")
    return cells


def numbers_of_tastes(text: str) -> list[int]:
    """Numbers of tastes, from `1,2,3`.

    Example:
        >>> numbers_of_tastes("1, 2")
        [1, 2]
    """
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f'--tastes must be whole numbers such as 1,2,3, not "{text}".') from None
