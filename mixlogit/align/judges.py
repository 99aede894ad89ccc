"""Who says which of two answers is better: a reward model, a function, an endpoint."""

import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import torch

from mixlogit.errors import UsageError
from mixlogit.lm.load import load_reward_model

__all__ = ["Asked", "EndpointJudge", "FunctionJudge", "Judge", "RewardJudge", "open_judge"]


class Asked(NamedTuple):
    """Two answers to a prompt, in the order in which a judge sees them."""

    prompt: str
    first: str
    second: str


# 1 where the first is better, 0 where the second is, between them a tie; None: no verdict
Judge = Callable[[Sequence[Asked]], list[float | None]]

_WORDS = {"a": 1.0, "b": 0.0, "tie": 0.5}
_INSTRUCTIONS = (
    "You compare two answers to a prompt. Judge which one a careful reader would prefer, not "
    "which is longer or comes first. Reply with one word: A, B or TIE."
)
_AGAIN = (408, 429, 500, 502, 503, 504)  # worth another try


@dataclass(frozen=True)
class FunctionJudge:
    """A function of prompt, first and second answer.

    Args:
        function: Returns `a`, `b` or `tie`, or a number from 0 (the second) to 1 (the first).

    Example:
        >>> judge = FunctionJudge(lambda prompt, first, second: float(len(first) > len(second)))
        >>> judge([Asked("Why?", "Because.", "No.")])
        [1.0]
    """

    function: Callable[[str, str, str], Any]

    def __call__(self, asked: Sequence[Asked]) -> list[float | None]:
        """The verdicts."""
        return [_verdict(self.function(*one)) for one in asked]


def _verdict(said: Any) -> float:
    value = _WORDS.get(said.lower()) if isinstance(said, str) else said
    if isinstance(value, bool | int | float) and 0 <= value <= 1:
        return float(value)
    raise UsageError(
        f"A judge said {said!r}. Expected a, b or tie, or a number from 0 (the second answer is "
        "better) to 1 (the first)."
    )


class RewardJudge:
    """A reward model: the answer with the higher reward is better, whatever their order.

    Args:
        name: Folder or hub id of an `AutoModelForSequenceClassification` with one label.
        device: Where it goes.
        batch: Answers in a batch.

    Raises:
        UsageError: It cannot be loaded, or has several labels.
    """

    def __init__(self, name: str | Path, *, device: str | None = None, batch: int = 8) -> None:
        self.model, self.tokenizer = load_reward_model(name, device=device)
        self.batch = batch

    def __call__(self, asked: Sequence[Asked]) -> list[float | None]:
        """The verdicts."""
        rewards: dict[tuple[str, str], float] = {}
        wanted = [(one.prompt, answer) for one in asked for answer in (one.first, one.second)]
        wanted = list(dict.fromkeys(wanted))
        for start in range(0, len(wanted), self.batch):
            part = wanted[start : start + self.batch]
            rewards |= dict(zip(part, self._rewards(part), strict=True))
        differences = [
            rewards[one.prompt, one.first] - rewards[one.prompt, one.second] for one in asked
        ]
        return [0.5 if d == 0 else float(d > 0) for d in differences]

    def _rewards(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        texts = [self._text(*pair) for pair in pairs]
        limit = self.tokenizer.model_max_length
        inputs = self.tokenizer(
            texts,
            return_tensors="pt",
            padding=True,
            truncation=limit < 1_000_000,  # a tokenizer without a limit has an enormous one
            add_special_tokens=self.tokenizer.chat_template is None,
        ).to(self.model.device)
        with torch.no_grad():
            found: list[float] = self.model(**inputs).logits[:, 0].double().tolist()
        return found

    def _text(self, prompt: str, answer: str) -> str:
        if self.tokenizer.chat_template is None:
            return prompt + answer
        said = (("user", prompt), ("assistant", answer))
        messages = [{"role": role, "content": text} for role, text in said]
        text: str = self.tokenizer.apply_chat_template(messages, tokenize=False)
        return text


class EndpointJudge:
    """A language model behind an endpoint of OpenAI's form (chat completions).

    Args:
        url: Address up to `/v1`, or of the chat completions.
        model: Name of the model there.
        key: Sent as bearer token; default: the environment's `OPENAI_API_KEY`, if there is one.
        timeout: Seconds to wait for an answer.
        pause: Seconds before the second try, doubled for each further one.
        at_once: Requests at a time.

    Raises:
        UsageError: When it is asked and refuses, or cannot be reached after four tries.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key: str | None = None,
        timeout: float = 120.0,
        pause: float = 1.0,
        at_once: int = 8,
    ) -> None:
        tail = "/chat/completions"
        self.url = url if url.endswith(tail) else url.rstrip("/") + tail
        self.model, self.timeout, self.pause, self.at_once = model, timeout, pause, at_once
        self.key = os.environ.get("OPENAI_API_KEY") if key is None else key

    def __call__(self, asked: Sequence[Asked]) -> list[float | None]:
        """The verdicts; None where the reply holds none."""
        with ThreadPoolExecutor(self.at_once) as pool:
            return list(pool.map(self._ask, asked))

    def _ask(self, one: Asked) -> float | None:
        said = f"Prompt:\n{one.prompt}\n\nAnswer A:\n{one.first}\n\nAnswer B:\n{one.second}"
        parts = (("system", _INSTRUCTIONS), ("user", said))
        messages = [{"role": role, "content": text} for role, text in parts]
        body = {"model": self.model, "temperature": 0, "messages": messages}
        reply = self._post(json.dumps(body).encode())
        try:
            text = str(reply["choices"][0]["message"]["content"])
        except (KeyError, IndexError, TypeError):
            message = f"{self.url} answered without choices[0].message.content."
            raise UsageError(message) from None
        words = re.findall(r"\b(a|b|tie)\b", text.strip().lower())
        return _WORDS[words[0]] if len(set(words)) == 1 else None

    def _post(self, body: bytes) -> Any:
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(self.url, body, headers)
        reason = ""
        for attempt in range(4):
            if attempt:
                time.sleep(self.pause * 2 ** (attempt - 1))
            try:
                with urllib.request.urlopen(request, timeout=self.timeout) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                reason = f"{error.code} {error.reason}"
                if error.code not in _AGAIN:
                    break
            except (OSError, ValueError) as error:
                reason = str(getattr(error, "reason", error))
        raise UsageError(f"{self.url} cannot judge: {reason}.")


def open_judge(judge: Any, *, model: str | None = None, device: str | None = None) -> Judge:
    """A judge by its name.

    Args:
        judge: A function of prompt, first and second answer; `module:function`; the address of
            an endpoint; or the folder or hub id of a reward model.
        model: Name of the model behind an endpoint.
        device: Where a reward model goes.

    Raises:
        UsageError: It cannot be used or loaded.

    Example:
        >>> open_judge("operator:nothing")
        Traceback (most recent call last):
        mixlogit.errors.UsageError: There is no function "nothing" in the module operator.
    """
    if callable(judge):
        return FunctionJudge(judge)
    if re.match(r"https?://", str(judge)):
        if model is None:
            raise UsageError(f"Name the model behind {judge} by --judge-model.")
        return EndpointJudge(str(judge), model)
    named = re.fullmatch(r"([A-Za-z_][\w.]*):([A-Za-z_]\w*)", str(judge))
    if named is None:
        return RewardJudge(judge, device=device)
    try:
        function = getattr(import_module(named[1]), named[2], None)
    except ModuleNotFoundError as error:
        raise UsageError(f"There is no module {named[1]} for --judge.") from error
    if not callable(function):
        raise UsageError(f'There is no function "{named[2]}" in the module {named[1]}.')
    return FunctionJudge(function)
