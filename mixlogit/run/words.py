"""Numbers and names as people read them, for tables of reports and of the terminal."""

import math
from typing import Any

__all__ = ["decimals", "differing", "figure", "interval_cells", "parameter", "plural"]

_PARAMETERS = {
    "cv": "coefficient of variation",
    "log_sd": "sd of log strength",
    "sd": "standard deviation",
    "lapse": "lapse rate",
    "p_negative": "share of negative strength",
    "tie_odds": "odds of a tie (nu)",
    "width_exponent": "exponent of strength in widths",
    "log_width_sd": "sd of log width",
}


def plural(count: int, noun: str) -> str:
    """A count with its noun.

    Example:
        >>> plural(1, "group"), plural(3801, "respondent")
        ('1 group', '3,801 respondents')
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def parameter(name: str) -> str:
    """A parameter in words.

    Example:
        >>> parameter("cv"), parameter("share[2]"), parameter("threshold[1]")
        ('coefficient of variation', 'share of class 2', 'threshold[1]')
    """
    if name.startswith("share["):
        return f"share of class {name[6:-1]}"
    return _PARAMETERS.get(name, name)


def differing(kind: str) -> str:
    """What a fit lets differ between respondents, in a word.

    Args:
        kind: As in `comparison.json`.

    Example:
        >>> differing("homogeneous"), differing("taste")
        ('nothing', 'taste')
    """
    return "nothing" if kind == "homogeneous" else kind


def figure(value: float | None) -> str:
    """One number: two or three figures, thousands with commas, tiny ones by exponent.

    Example:
        >>> [figure(x) for x in (0.3121, 0.005, 2.04e-7, 4000, None, math.nan)]
        ['0.31', '0.005', '2e-7', '4,000', 'unknown', 'unknown']
    """
    if value is None or not math.isfinite(value):
        return "unknown"
    if value != 0 and abs(value) < 0.001:
        mantissa, exponent = f"{value:.0e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    if value != 0 and abs(value) < 0.1:
        return f"{value:.1g}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"


def decimals(sd: float) -> int:
    """Decimals that show two figures of a standard deviation.

    Example:
        >>> decimals(0.0123), decimals(15.0), decimals(0.0)
        (3, 0, 3)
    """
    if not math.isfinite(sd) or sd <= 0:
        return 3
    return min(6, max(0, 1 - math.floor(math.log10(sd))))


def interval_cells(row: Any) -> list[str]:
    """Mean, sd and the ends of the 90 % interval, with as many decimals as the sd allows.

    Args:
        row: Something with the keys `mean`, `sd`, `q05`, `q95`.

    Example:
        >>> interval_cells({"mean": 1.02345, "sd": 0.0123, "q05": 1.0, "q95": 1.04})
        ['1.023', '0.012', '1.000', '1.040']
    """
    sd = float(row["sd"])
    if not math.isfinite(sd):
        return ["unknown"] * 4
    if 0 < sd < 1e-5:  # more decimals than anybody reads
        return [figure(float(row[key])) for key in ("mean", "sd", "q05", "q95")]
    places = decimals(sd)
    return [f"{float(row[key]):,.{places}f}" for key in ("mean", "sd", "q05", "q95")]
