"""`mixlogit fit --strength fixed,lognormal`: a grid of fits, and which of them the data want."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mixlogit.cli.compare import comparison_text
from mixlogit.cli.fitting import run_path, run_posterior
from mixlogit.cli.invocation import Invocation
from mixlogit.errors import UsageError
from mixlogit.run import write_json, write_text

__all__ = ["run_grid"]


def run_grid(
    call: Invocation,
    strength: str,
    asked: Mapping[str, Any],
    tastes: Mapping[str, Any],
    priors: Mapping[str, Any],
    held_out_of: tuple[str | None, float | None],
) -> int:
    """Fit every cell into a run folder of its own, then compare them.

    Args:
        call: The call of `mixlogit fit`.
        strength: Strength families, joined by commas.
        asked: Arguments of `mixlogit.fit`.
        tastes: Arguments of `mixlogit.RandomTastes`.
        priors: Arguments of `mixlogit.Priors`.
        held_out_of: A file of held-out votes, or the share of the votes to hold out.

    Returns:
        Exit code: 4 if a check of a cell failed.

    Raises:
        UsageError: For a grid of one cell.
    """
    import mixlogit as ml
    from mixlogit.models.grid import grid_cells

    cells = grid_cells([name.strip() for name in strength.split(",")])
    if len(cells) < 2:
        raise UsageError(f"--strength compares several families; for one use --family {strength}.")
    path, code = run_path(call), 0
    shared = {name: value for name, value in call.options.items() if name != "strength"}
    for name, cell in cells.items():
        own = replace(call, output=path / name, options={**shared, **cell})
        found, _ = run_posterior(own, {**asked, **cell}, tastes, priors, held_out_of)
        code = max(code, found)
        call.terminal.say()
    compared = ml.compare({str(path / name): path / name for name in cells})
    text = comparison_text(compared)
    result = {"run": str(path), **compared.to_dict()}
    write_json(path / "compare.json", result)
    write_text(path / "compare.txt", text + "\n")
    call.terminal.say(text)
    call.terminal.say(f"Wrote {path}")
    call.terminal.result(result)
    return code
