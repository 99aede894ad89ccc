"""Simulated prompts and answers whose true reward is known."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from scipy.special import expit

from mixlogit.data.simulate import LISTED, Simulated
from mixlogit.data.values import Floats, Ints
from mixlogit.errors import UsageError

__all__ = ["SimulatedTexts", "TextWorld", "simulate_texts", "words_of"]


@dataclass(frozen=True)
class TextWorld:
    """A true reward of answers, linear in their tokens, and how prompts and answers are drawn.

    A prompt's last token names its topic. The reward of an answer is the sum over its tokens of
    a weight of the token and a weight of the token in that topic; differences of rewards have
    unit standard deviation.

    Args:
        token_weight: `token`-vector.
        topic_weight: `topic x token`.
        prompt_tokens: Tokens of a prompt.
        answer_tokens: Tokens of an answer.

    Example:
        >>> world = TextWorld.draw(16, 2, 2, 6, np.random.default_rng(0))
        >>> prompt, first, second = world.pairs(10_000, np.random.default_rng(1))
        >>> difference = world.reward(prompt, first) - world.reward(prompt, second)
        >>> bool(0.97 < difference.std() < 1.03)
        True
    """

    token_weight: Floats
    topic_weight: Floats
    prompt_tokens: int
    answer_tokens: int

    @classmethod
    def draw(
        cls,
        vocabulary: int,
        topics: int,
        prompt_tokens: int,
        answer_tokens: int,
        generator: np.random.Generator,
    ) -> "TextWorld":
        """A world with standard normal weights, rescaled."""
        token = generator.standard_normal(vocabulary)
        topic = generator.standard_normal((topics, vocabulary))
        # the variance of a difference of two answers of independent uniform tokens
        variance = 2 * answer_tokens * (token + topic).var(axis=1).mean()
        scale = 1 / np.sqrt(variance)
        return cls(token * scale, topic * scale, prompt_tokens, answer_tokens)

    def pairs(self, n: int, generator: np.random.Generator) -> tuple[Ints, Ints, Ints]:
        """Prompts and two answers each, all tokens uniform: `comparison x token`."""
        topics, vocabulary = self.topic_weight.shape
        prompt = generator.integers(vocabulary, size=(n, self.prompt_tokens))
        prompt[:, -1] = generator.integers(topics, size=n)
        first, second = generator.integers(vocabulary, size=(2, n, self.answer_tokens))
        return prompt, first, second

    def reward(self, prompt: Ints, answer: Ints) -> Floats:
        """True reward of each answer: a `comparison`-vector."""
        topic = prompt[:, -1]
        weights = self.token_weight[answer] + self.topic_weight[topic[:, None], answer]
        total: Floats = weights.sum(axis=1)
        return total


@dataclass(frozen=True)
class SimulatedTexts(Simulated):
    """Simulated texts, their tokens, and the world that they come from.

    Args:
        world: The true reward.
        prompt: Tokens of the prompts, `comparison x token`.
        chosen: Tokens of the preferred answers.
        rejected: Tokens of the others.
        respondent: Who judged each, positions in `respondents`.
    """

    world: TextWorld
    prompt: Ints
    chosen: Ints
    rejected: Ints
    respondent: Ints


def simulate_texts(
    comparisons: int = 4800,
    respondents: int = 200,
    family: str = "lognormal",
    mean: float = 1.5,
    cv: float = 1.0,
    *,
    contrarians: float = 0.0,
    vocabulary: int = 16,
    topics: int = 2,
    prompt_tokens: int = 2,
    answer_tokens: int = 6,
    seed: int = 0,
) -> SimulatedTexts:
    """Prompts and pairs of answers in a small vocabulary, judged by respondents of known strength.

    The votes of the respondents take turns, so any part of the data in order is balanced. The
    first is preferred with odds exp(strength x difference of true rewards).

    Args:
        comparisons: Number of comparisons.
        respondents: Number of respondents.
        family: Strength family.
        mean: Mean strength.
        cv: Coefficient of variation of strength; `fixed` ignores it.
        contrarians: Share of respondents whose strength has its sign changed.
        vocabulary: Number of tokens, written t0, t1, ...
        topics: Number of topics, named by the first tokens.
        prompt_tokens: Tokens of a prompt; the last names its topic.
        answer_tokens: Tokens of an answer.
        seed: Seed of everything random.

    Returns:
        The table of `prompt`, `chosen`, `rejected` and `respondent`, and the truth.

    Raises:
        UsageError: If the arguments do not fit together.

    Example:
        >>> made = simulate_texts(100, 10, seed=1)
        >>> made.table.column_names
        ['prompt', 'chosen', 'rejected', 'respondent']
        >>> made.table["prompt"][0].as_py()
        't10 t1'
    """
    arguments = dict(locals())
    if not 1 <= respondents <= comparisons:
        raise UsageError(f"Expected 1 to {comparisons:,} respondents but got {respondents:,}.")
    if not 1 <= topics <= vocabulary or min(prompt_tokens, answer_tokens) < 1:
        raise UsageError("Expected 1 to `vocabulary` topics, and at least one token in each text.")
    if not 0 <= contrarians < 1:
        raise UsageError("Expected contrarians as a share from 0 to below 1.")
    generator = np.random.default_rng(seed)
    world = TextWorld.draw(vocabulary, topics, prompt_tokens, answer_tokens, generator)
    b = _strengths(family, mean, cv, respondents, contrarians, seed, generator)
    return _judge(world, b, comparisons, arguments, generator)


def _judge(
    world: TextWorld,
    b: Floats,
    comparisons: int,
    arguments: dict[str, Any],
    generator: np.random.Generator,
) -> SimulatedTexts:
    """Pairs, votes by respondents of these strengths in turn, and the truth."""
    who = np.arange(comparisons) % len(b)
    prompt, first, second = world.pairs(comparisons, generator)
    difference = world.reward(prompt, first) - world.reward(prompt, second)
    prefers_first = (generator.random(comparisons) < expit(b[who] * difference))[:, None]
    chosen = np.where(prefers_first, first, second)
    rejected = np.where(prefers_first, second, first)
    columns = {"prompt": prompt, "chosen": chosen, "rejected": rejected}
    names = pa.array([f"r{k + 1}" for k in range(len(b))])
    table = pa.table(
        {name: words_of(value, "" if name == "prompt" else " ") for name, value in columns.items()}
        | {"respondent": pa.DictionaryArray.from_arrays(pa.array(who, pa.int32()), names)}
    )
    people = pa.table({"respondent": names, "strength": b})
    truth = {
        "arguments": arguments,
        "respondents": people.to_pydict() if len(b) <= LISTED else None,
        "token_weight": world.token_weight.tolist(),
        "topic_weight": world.topic_weight.tolist(),
        "features": None,
    }
    return SimulatedTexts(table, truth, people, world, **columns, respondent=who)


def _strengths(
    family: str,
    mean: float,
    cv: float,
    n: int,
    contrarians: float,
    seed: int,
    generator: np.random.Generator,
) -> Floats:
    """Strengths of the respondents; of the contrarians with their sign changed."""
    from mixlogit.choice import strength  # brings Pyro, which reading data needs not

    parameters: dict[str, Any] = {"mean": mean}
    if family in ("lognormal", "gamma") and cv > 0:
        parameters["cv"] = cv
    elif family in ("lognormal", "gamma"):
        family = "fixed"
    elif family != "fixed":
        raise UsageError(
            f"Texts are judged with fixed, lognormal or gamma strength, not {family}."
        )
    b = strength(family, **parameters).sample((n,), torch.Generator().manual_seed(seed)).numpy()
    reverse = generator.permutation(n) < round(contrarians * n)
    out: Floats = np.where(reverse, -b, b)
    return out


def words_of(tokens: Ints, before: str = "") -> pa.Array:
    """Texts of tokens, one a row.

    Args:
        tokens: `row x token`.
        before: What each text begins with; a blank parts an answer from its prompt.

    Example:
        >>> words_of(np.array([[3, 14, 0]]))[0].as_py()
        't3 t14 t0'
    """
    return pa.array([before + " ".join(f"t{k}" for k in row) for row in tokens])
