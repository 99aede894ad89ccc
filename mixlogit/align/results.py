"""What an alignment leaves behind besides its posterior: figures, margins, a model card."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mixlogit.align.refit import SPREAD, spread_warning
from mixlogit.data import Comparisons
from mixlogit.models.verdict import Check

__all__ = ["judged_margins", "model_card", "spread_check", "trained"]


def trained(history: list[dict[str, Any]]) -> dict[str, Any]:
    """The last figures logged of a training, `strength/` apart.

    Example:
        >>> trained([{"loss": 0.7, "strength/cv": 0.5, "step": 1}, {"train_runtime": 2.0}])
        {'loss': 0.7, 'step': 1, 'strength': {'cv': 0.5}}
    """
    nothing: dict[str, Any] = {}
    last = next((entry for entry in reversed(history) if "loss" in entry), nothing)
    strength = {
        name.removeprefix("strength/"): value
        for name, value in last.items()
        if name.startswith("strength/")
    }
    plain = {name: value for name, value in last.items() if not name.startswith("strength/")}
    return {**plain, "strength": strength}


def spread_check(history: list[dict[str, Any]]) -> Check | None:
    """Whether the spread rose while the held-out score fell; None without two evaluations.

    Example:
        >>> history = [{"eval_log_score": -0.5, "eval_strength_cv": 0.5},
        ...            {"eval_log_score": -0.6, "eval_strength_cv": 0.8}]
        >>> check = spread_check(history)
        >>> check.ok, round(check.value, 2)
        (False, 1.6)
    """
    evaluated = [entry for entry in history if "eval_log_score" in entry]
    if len(evaluated) < 2:
        return None
    spread = [float(entry["eval_strength_cv"]) for entry in evaluated]
    score = [float(entry["eval_log_score"]) for entry in evaluated]
    words = spread_warning(spread, score)
    best = spread[int(np.argmax(score))]
    ratio = spread[-1] / best if best else 1.0
    return Check("spread behind the best evaluation", ratio, SPREAD, words is None, words or "")


def judged_margins(data: Comparisons, margin: np.ndarray) -> pd.DataFrame:
    """Margins with all that is known of the votes but the texts: what can be fitted again.

    Args:
        data: The comparisons.
        margin: The policy's margins, a `comparison`-vector.
    """
    columns: dict[str, Any] = {"margin": margin}
    words = np.array(["b", "tie", "a"])
    columns["outcome"] = words[(2 * data.outcome).round().long().numpy()]
    named = {"respondent": data.respondent} if data.respondent is not None else {}
    for name, labels in {**named, **data.groups}.items():
        columns[name] = np.array(labels.labels, dtype=object)[labels.codes.numpy()]
    if data.weight is not None:
        columns["weight"] = data.weight.numpy()
    return pd.DataFrame(columns)


_CARD = """---
library_name: {library}
{origin}tags:
- mixlogit
- dpo
- preference-strength
---

# A policy aligned by mixlogit

{base} trained on {comparisons} {who}through a model of preference strength.

| | |
|---|---|
{rows}

Strength is a random variable over those who judged: the loss of a comparison is minus the log
of E[sigmoid(strength x margin)]. The figures are of the strength fitted after the training.
This card holds counts only; no text of the data is in it.

## How to load it

With this folder as `policy`:

```python
{code}
```
"""

_LOADING = """from {library} import {name}
from transformers import AutoTokenizer

model = {name}.from_pretrained("policy")
tokenizer = AutoTokenizer.from_pretrained("policy")"""


def model_card(
    base: str | None,
    result: Mapping[str, Any],
    settings: Mapping[str, Any],
    *,
    adapter: bool = False,
) -> str:
    """The model card of a policy: counts and settings, no texts and no names of people.

    Args:
        base: Folder or hub id of what was trained, as it was given, if it has one. The head of
            the card takes only a hub id, as the hub does.
        result: The object of `Aligned.to_dict`.
        settings: How strength entered.
        adapter: Whether the policy is an adapter on what was trained.
    """
    n, parameters = result["n"], result["parameters"]
    who = f"of {n['respondents']:,} respondents " if n["respondents"] else ""
    rows = {
        "family": settings["family"],
        "strength": "one a respondent" if result["panel"] else "one a comparison",
        "beta": settings["beta"],
        "anchor": settings["anchor"] or "none",
        "steps": f"{result['steps']:,}",
        "mean strength": _interval(parameters.get("mean")),
        "coefficient of variation": _interval(parameters.get("cv")),
    }
    if result.get("eval"):
        rows["held-out accuracy"] = f"{result['eval']['accuracy']:.3f}"
        rows["held-out log score"] = f"{result['eval']['log_score']:.4f}"
    lines = (f"| {name} | {value} |" for name, value in rows.items() if value)
    on_hub = base is not None and not Path(base).exists()
    library = "peft" if adapter else "transformers"
    name = "AutoPeftModelForCausalLM" if adapter else "AutoModelForCausalLM"
    return _CARD.format(
        library=library,
        code=_LOADING.format(library=library, name=name),
        origin=f"base_model: {base}\n" if on_hub else "",
        base="A model" if base is None else f"`{base}`",
        comparisons=f"{n['comparisons']:,} comparisons",
        who=who,
        rows="\n".join(lines),
    )


def _interval(values: Mapping[str, float] | None) -> str:
    if values is None:
        return ""
    return f"{values['mean']:.3g} (90 % interval {values['q05']:.3g} to {values['q95']:.3g})"
