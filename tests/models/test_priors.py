import re

import pytest

import mixlogit as ml
from mixlogit.errors import UsageError


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("mean", 0.0, "0.0"),
        ("log_mean_sd", -1.0, "-1.0"),
        ("cv_scale", 0, "0"),
        ("lapse", (1.0, 0.0), "0.0"),
        ("group_scale", float("nan"), "nan"),
        ("utility_sd", -2, "-2"),
    ],
)
def test_scales_must_be_positive(name, value, said):
    message = f"Expected prior {name} > 0 but got {said}."
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        ml.Priors(**{name: value})


def test_defaults():
    priors = ml.Priors()
    assert priors.mean is None
    assert (priors.log_mean_sd, priors.cv_scale, priors.lapse) == (1.0, 1.0, (1.0, 9.0))
