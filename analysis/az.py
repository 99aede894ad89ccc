"""The way to ArviZ: the only file that imports it."""

import warnings
from typing import Any

from mixlogit.analysis.saved import read_tree

__all__ = ["to_arviz"]


def to_arviz(run: Any) -> Any:
    """A run as the object that the installed ArviZ works on.

    Chains are independent restarts of the inference, so that R-hat compares them.

    Args:
        run: A `Posterior`, an `xarray.DataTree`, or the path of a run folder.

    Returns:
        `arviz.InferenceData` on ArviZ 0.x; the `xarray.DataTree` itself on 1.x.

    Raises:
        StorageError: If the folder is no run.
        UsageError: If it is something else.

    Example:
        >>> import mixlogit as ml
        >>> data = ml.simulate(600, 60, seed=1).comparisons()
        >>> posterior = ml.fit(data, evidence=False, draws=400)
        >>> "log_likelihood" in to_arviz(posterior).groups()
        True
    """
    tree = read_tree(run)
    arviz = _arviz()
    if int(arviz.__version__.split(".")[0]) < 1:
        return arviz.from_datatree(tree)
    return tree


def _arviz() -> Any:
    """The package; 0.23 announces its successor with a warning at import."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", r"\s*ArviZ is undergoing a major refactor", FutureWarning
        )
        import arviz
    return arviz
