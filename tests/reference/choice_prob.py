"""Make choice_prob.json: log choice probabilities to 17 digits by mpmath.

    python tests/reference/choice_prob.py

Lognormal and normal: integrals in standard units z, divided by their peak before quadrature
(the stopping rule of mp.quad is absolute), split at the peak. Gamma: the same in w = log of
strength over scale. Nothing of mixlogit is used. Also `log_prob`, for a few rows in the tests.
"""

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path

import mpmath as mp

__all__ = ["log_prob"]

MARGINS = (1e-12, 1e-6, 1e-3, 0.1, 1.0, 5.0, 30.0, 300.0, 1e4)
MEANS = (0.01, 1.0, 100.0)
SHAPES = (1e-3, 0.03, 0.5, 1.0, 3.3, 40.0, 1e3, 1e4)
LOG_SDS = (1e-3, 0.05, 0.3, 0.8, 1.5, 2.2, 3.0)
RELATIVE_SDS = (1e-3, 0.03, 0.3, 1.0, 3.0)


def _peak(log_f: Callable[[mp.mpf], mp.mpf], low: mp.mpf, high: mp.mpf) -> mp.mpf:
    """Where a concave function is highest, by golden section."""
    golden = (mp.sqrt(5) - 1) / 2
    for _ in range(150):
        a, b = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, b) if log_f(a) > log_f(b) else (a, high)
    return (low + high) / 2


def _end(log_f: Callable[[mp.mpf], mp.mpf], peak: mp.mpf, sign: int, drop: float) -> mp.mpf:
    """Distance from the peak at which a concave function has fallen by `drop`."""
    top, near, far = log_f(peak), mp.mpf(0), mp.mpf("1e-6")
    while log_f(peak + sign * far) > top - drop:
        far *= 2
    for _ in range(40):
        middle = (near + far) / 2
        near, far = (middle, far) if log_f(peak + sign * middle) > top - drop else (near, middle)
    return far


def _log_integral(
    log_f: Callable[[mp.mpf], mp.mpf], low: float, high: float, extra: tuple[mp.mpf, ...] = ()
) -> mp.mpf:
    """Log of the integral of exp(log_f), a function with one peak between low and high."""
    peak = _peak(log_f, mp.mpf(low), mp.mpf(high))
    top = log_f(peak)
    points = {peak}
    for drop in (0.5, 3, 12, 30, 70):
        points |= {peak - _end(log_f, peak, -1, drop), peak + _end(log_f, peak, 1, drop)}
    points |= {x for x in extra if min(points) < x < max(points)}
    value, error = mp.quad(lambda x: mp.exp(log_f(x) - top), sorted(points), error=True)
    if error > 1e-18 * value:
        raise ArithmeticError(f"quadrature error {error} of {value}")
    return top + mp.log(value)


def _log_sigmoid(x: mp.mpf) -> mp.mpf:
    return -mp.log1p(mp.exp(-x)) if x > 0 else x - mp.log1p(mp.exp(x))


def _log_low(family: str, mean: float, spread: float, margin: float) -> mp.mpf:
    """Log E[sigmoid(-margin x strength)], margin > 0, from the definition."""
    m, s, d = mp.mpf(mean), mp.mpf(spread), mp.mpf(margin)
    if family == "lognormal":
        return (
            _log_integral(
                lambda z: -z * z / 2 + _log_sigmoid(-d * m * mp.exp(s * z - s * s / 2)), -1e5, 50
            )
            - mp.log(2 * mp.pi) / 2
        )
    if family == "normal":
        # the sigmoid turns at strength 0, within a few units of reward
        turn = tuple((x / (d * m) - 1) / s for x in (-60, -20, -6, -2, 0, 2, 6, 20, 60))
        return (
            _log_integral(
                lambda z: -z * z / 2 + _log_sigmoid(-d * m * (1 + s * z)), -1e4, 1e4, turn
            )
            - mp.log(2 * mp.pi) / 2
        )
    return _log_integral(
        lambda w: s * w - mp.exp(w) + _log_sigmoid(-d * m / s * mp.exp(w)), -1e6, 30
    ) - mp.loggamma(s)


def log_prob(family: str, mean: float, spread: float, margin: float) -> float:
    """Log choice probability to 17 digits.

    Args:
        family: "gamma" (spread: shape), "lognormal" (spread: sd of log) or "normal" (sd / mean).
        mean: Mean strength.
        spread: As the family says.
        margin: The margin.
    """
    with mp.workdps(30):
        if margin == 0:
            return float(mp.log(0.5))
        low = _log_low(family, mean, spread, abs(margin))
        return float(low if margin < 0 else mp.log1p(-mp.exp(low)))


def main() -> None:
    """Write the table of every family, mean, spread and margin of both signs."""
    spreads = {"gamma": SHAPES, "lognormal": LOG_SDS, "normal": RELATIVE_SDS}
    rows = []
    for family, values in spreads.items():
        for mean, spread, margin in product(MEANS, values, MARGINS):
            with mp.workdps(30):
                low = _log_low(family, mean, spread, margin)
                high = mp.log1p(-mp.exp(low))
            rows.append([family, mean, spread, -margin, float(low)])
            rows.append([family, mean, spread, margin, float(high)])
    table = {
        "columns": ["family", "mean", "spread", "margin", "log_prob"],
        "spread": {"gamma": "shape", "lognormal": "sd of log strength", "normal": "sd / mean"},
        "made_by": "tests/reference/choice_prob.py",
        "with": f"mpmath {mp.__version__}, 30 digits, peak-normalised tanh-sinh quadrature",
        "rows": rows,
    }
    text = json.dumps({**table, "rows": []}, indent=1)
    lines = ",\n  ".join(json.dumps(row) for row in rows)
    path = Path(__file__).with_suffix(".json")
    path.write_text(text.replace('"rows": []', f'"rows": [\n  {lines}\n ]') + "\n")


if __name__ == "__main__":
    main()
