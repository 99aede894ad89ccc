"""How often a policy's answers are better than another's, in the eyes of a judge."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mixlogit.align.dataset import PreferenceData
from mixlogit.align.evaluation import share_with_interval
from mixlogit.align.generate import generate
from mixlogit.align.judges import Asked, Judge, open_judge
from mixlogit.errors import UsageError
from mixlogit.lm.load import load_model
from mixlogit.lm.pairing import Pairing

__all__ = ["Contest", "win_rate"]


@dataclass(frozen=True)
class Contest:
    """Who is compared with whom, and by whom.

    Attributes:
        judge: As `mixlogit.align.judges.open_judge` takes it.
        judge_model: Name of the model behind an endpoint.
        prompts: Prompts, drawn at random from the data.
        against: Another run, or the folder or hub id of a model; None: the reference.
        new_tokens: Most tokens of an answer.
        greedy: Likeliest tokens in place of draws.
        seed: Seed of the prompts and the answers.
    """

    judge: Any
    judge_model: str | None = None
    prompts: int = 100
    against: str | Path | None = None
    new_tokens: int = 128
    greedy: bool = False
    seed: int = 0

    def __call__(self, pairing: Pairing, data: PreferenceData, **how: Any) -> dict[str, Any]:
        """Draw answers of both, and have them judged; see `win_rate`.

        Args:
            pairing: The policy, its reference and their tokenizer.
            data: Where the prompts come from.
            **how: `dtype` and `device` of what is loaded.
        """
        if self.prompts < 1:
            raise UsageError(f"Expected at least 1 prompt but got {self.prompts}.")
        judge = open_judge(self.judge, model=self.judge_model, device=how.get("device"))
        found = list(dict.fromkeys(tuple(row.prompt) for row in data.rows))
        order = np.random.default_rng(self.seed).permutation(len(found))[: self.prompts]
        prompts = [list(found[k]) for k in sorted(order.tolist())]
        ours = self._answers(pairing.policy.model, pairing.tokenizer, prompts)
        with self._without_adapter(pairing):
            theirs = self._answers(self._other(pairing, how), pairing.tokenizer, prompts)
        said = [[_text(pairing.tokenizer, x) for x in side] for side in (prompts, ours, theirs)]
        result = win_rate(judge, *said, seed=self.seed)
        lengths = [float(np.mean([len(answer) for answer in side])) for side in (ours, theirs)]
        result["tokens"] = dict(zip(("policy", "other"), lengths, strict=True))
        result["against"] = "reference" if self.against is None else str(self.against)
        return result

    def _answers(self, model: Any, tokenizer: Any, prompts: list[list[int]]) -> list[list[int]]:
        how: dict[str, Any] = {"new_tokens": self.new_tokens, "greedy": self.greedy}
        return generate(model, tokenizer, prompts, seed=self.seed, **how)

    def _other(self, pairing: Pairing, how: dict[str, Any]) -> Any:
        if self.against is None:
            return pairing.reference.scorer.model
        inside = Path(self.against) / "policy"
        return load_model(inside if inside.is_dir() else self.against, **how)

    def _without_adapter(self, pairing: Pairing) -> AbstractContextManager[Any]:
        """The policy as its own reference, where that is what it is compared with."""
        model = pairing.policy.model
        own = self.against is None and pairing.reference.scorer.model is model
        switched_off: AbstractContextManager[Any] = (
            model.disable_adapter() if own else nullcontext()
        )
        return switched_off


def win_rate(
    judge: Judge,
    prompts: Sequence[str],
    ours: Sequence[str],
    theirs: Sequence[str],
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """How often our answers are better; every pair is judged in both orders.

    A prompt counts 1 if ours is better in both orders, 0 if in neither, and one half if the
    verdicts cancel out or are ties. Two answers that are the same are a tie, unasked.

    Args:
        judge: Who judges.
        prompts: The prompts.
        ours: Our answer to each.
        theirs: The other's.
        seed: Seed of the interval's bootstrap, which draws prompts.

    Returns:
        `estimate`, `q05` and `q95` of the win rate, shares of `win`, `tie` and `loss`,
        `first_preferred` (the share of verdicts for whichever came first; far from one half the
        judge goes by position), `unread` (verdicts that could not be read: ties), and `n`.

    Example:
        >>> from mixlogit.align.judges import FunctionJudge
        >>> longer = FunctionJudge(lambda prompt, first, second: float(len(first) > len(second)))
        >>> found = win_rate(longer, ["Why?", "Who?"], ["So it is.", "I."], ["So.", "He."])
        >>> found["estimate"], found["win"], found["first_preferred"]
        (0.5, 0.5, 0.5)
    """
    rows = list(zip(prompts, ours, theirs, strict=True))
    differ = [k for k, (_, a, b) in enumerate(rows) if a != b]
    asked = [Asked(*rows[k]) for k in differ]
    swapped = [Asked(one.prompt, one.second, one.first) for one in asked]
    said = judge([*asked, *swapped]) if asked else []
    read = np.array([0.5 if verdict is None else verdict for verdict in said])
    value = np.full(len(rows), 0.5)
    first, second = read[: len(asked)], read[len(asked) :]
    value[differ] = 0.5 * (first + 1 - second)
    return {
        **share_with_interval(value, seed=seed),
        "win": float((value > 0.5).mean()),
        "tie": float((value == 0.5).mean()),
        "loss": float((value < 0.5).mean()),
        "first_preferred": float(read.mean()) if len(read) else None,
        "unread": sum(verdict is None for verdict in said),
        "n": len(rows),
    }


def _text(tokenizer: Any, tokens: list[int]) -> str:
    text: str = tokenizer.decode(tokens, skip_special_tokens=True)
    return text
