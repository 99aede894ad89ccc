"""Named parameters of outcome models."""

from torch import Tensor

from mixlogit.choice.outcomes import Davidson, OutcomeModel

__all__ = ["outcome_names", "outcome_values"]

Named = tuple[dict[str, Tensor], dict[str, tuple[str, ...]], dict[str, list[str]]]


def outcome_values(model: OutcomeModel | None, values: Tensor) -> Named:
    """Parameters of an outcome model by name, the names of their axes, and labels along these.

    `tie_odds` is nu of Davidson; `threshold` those of the ordered logit, `level` by level;
    `width_exponent` and `log_width_sd` where the model has them.

    Args:
        model: The model.
        values: Its flat vector, `draw x parameter`.
    """
    assert model is not None
    first, out = model.n_thresholds, {}
    dims: dict[str, tuple[str, ...]] = {}
    coords: dict[str, list[str]] = {}
    if isinstance(model, Davidson):
        out["tie_odds"] = values[:, 0].exp()
    elif first == 1:
        out["threshold"] = values[:, 0]
    else:
        out["threshold"] = values[:, :first]
        dims["threshold"] = ("level",)
        coords["level"] = [str(k + 1) for k in range(first)]
    if model.exponent:
        out["width_exponent"] = values[:, first]
    if model.widths:
        out["log_width_sd"] = values[:, -1]
    return out, dims, coords


def outcome_names(model: OutcomeModel) -> tuple[str, ...]:
    """Names of the numbers of an outcome model's flat vector, with widths that all share.

    Args:
        model: The model.

    Example:
        >>> import torch
        >>> outcome_names(Davidson(torch.tensor([0, 1])))
        ('log tie odds',)
    """
    if isinstance(model, Davidson):
        return ("log tie odds",)
    return tuple(f"threshold {k + 1}" for k in range(model.n_thresholds))
