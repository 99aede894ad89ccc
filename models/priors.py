"""Priors of the population parameters: proper, documented, settable."""

from dataclasses import asdict, dataclass

from mixlogit.errors import UsageError

__all__ = ["Priors"]


@dataclass(frozen=True)
class Priors:
    """Priors of a fit.

    Attributes:
        mean: Centre of the prior of mean strength, log mean ~ Normal(log `mean`, `log_mean_sd`).
            By default 1 / root mean square of the margins, so that rescaled margins give the
            same answer rescaled.
        log_mean_sd: Its standard deviation, in log units.
        cv_scale: cv ~ HalfNormal(`cv_scale`).
        lapse: lapse ~ Beta(a, b).
        group_scale: Standard deviations of group effects on log mean and on log cv
            ~ HalfNormal(`group_scale`).
        utility_sd: Item utilities and feature weights ~ Normal(0, `utility_sd`).

    Raises:
        UsageError: If a scale is not positive.

    Example:
        >>> Priors(cv_scale=0.5).cv_scale
        0.5
        >>> Priors(cv_scale=-1)
        Traceback (most recent call last):
        mixlogit.errors.UsageError: Expected prior cv_scale > 0 but got -1.
    """

    mean: float | None = None
    log_mean_sd: float = 1.0
    cv_scale: float = 1.0
    lapse: tuple[float, float] = (1.0, 9.0)
    group_scale: float = 0.5
    utility_sd: float = 2.0

    def __post_init__(self) -> None:
        """Refuse scales that are not positive."""
        for name, value in asdict(self).items():
            for number in value if isinstance(value, (tuple, list)) else (value,):
                if number is not None and not number > 0:
                    raise UsageError(f"Expected prior {name} > 0 but got {number}.")
