"""What `fit` is given: is it data, are they priors?"""

from typing import Any

from mixlogit.data import ChoiceSets, Comparisons, Streamed
from mixlogit.errors import UsageError
from mixlogit.models.priors import Priors

__all__ = ["check_kinds"]


def check_kinds(data: Any, priors: Any) -> None:
    """Refuse what is no data, or no priors, and say how to make them.

    Raises:
        UsageError: For anything else.

    Example:
        >>> check_kinds([0.5, 1.0], None)
        Traceback (most recent call last):
        mixlogit.errors.UsageError: Expected Comparisons or ChoiceSets but got list. Make them by \
mixlogit.load(data, ...), which takes paths, data frames and data sets.
    """
    if not isinstance(data, Comparisons | ChoiceSets | Streamed):
        raise UsageError(
            f"Expected Comparisons or ChoiceSets but got {type(data).__name__}. Make them by "
            "mixlogit.load(data, ...), which takes paths, data frames and data sets."
        )
    if priors is not None and not isinstance(priors, Priors):
        raise UsageError(
            f"Expected Priors but got {type(priors).__name__}. Write Priors(cv_scale=0.5); the "
            f"others are {', '.join(name for name in vars(Priors()) if name != 'cv_scale')}."
        )
