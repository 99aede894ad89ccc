"""`mixlogit.fit_grid`: one fit for each kind of heterogeneity, to be compared."""

from collections.abc import Sequence
from typing import Any

from mixlogit.data import ChoiceSets, Comparisons
from mixlogit.errors import UsageError
from mixlogit.models.fit import fit
from mixlogit.models.posterior import Posterior

__all__ = ["fit_grid", "grid_cells"]


def grid_cells(strength: Sequence[str], tastes: Sequence[int] = (1,)) -> dict[str, dict[str, Any]]:
    """The cells of a grid: arguments of `mixlogit.fit` by the cell's name.

    Args:
        strength: Strength families.
        tastes: Numbers of latent classes of taste.

    Raises:
        UsageError: If a cell is named twice.

    Example:
        >>> list(grid_cells(["fixed", "gamma"], [1, 2]))
        ['fixed', 'gamma', '2-tastes-fixed', '2-tastes-gamma']
    """
    if len(set(strength)) < len(strength):
        raise UsageError(f"Expected different strength families but got {', '.join(strength)}.")
    if len(set(tastes)) < len(tastes):
        raise UsageError(f"Expected different tastes but got {', '.join(map(str, tastes))}.")
    return {
        family if count == 1 else f"{count}-tastes-{family}": {"family": family, "tastes": count}
        for count in tastes
        for family in strength
    }


def fit_grid(
    data: Comparisons | ChoiceSets,
    strength: Sequence[str] = ("fixed", "lognormal"),
    tastes: Sequence[int] = (1,),
    **options: Any,
) -> dict[str, Posterior]:
    """Fit the same votes with each strength family and number of tastes, for `mixlogit.compare`.

    Args:
        data: Comparisons or choice sets.
        strength: Strength families.
        tastes: Numbers of latent classes of taste.
        **options: Other arguments of `mixlogit.fit`, the same for all.

    Raises:
        UsageError: For arguments that cannot be used.

    Example:
        >>> import mixlogit as ml
        >>> data = ml.simulate(600, 30, "lognormal", cv=1.5, seed=1).comparisons()
        >>> ml.compare(fit_grid(data, evidence=False, draws=400)).verdict.heterogeneity
        'strength'
    """
    cells = grid_cells(strength, tastes)
    return {name: fit(data, **asked, **options) for name, asked in cells.items()}
