"""Win rates: drawing answers, asking judges of every kind, and what comes of their verdicts."""

import json
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from alignable import policy, tokenizer
from transformers import LlamaConfig, LlamaForSequenceClassification

from mixlogit.align.generate import generate
from mixlogit.align.judges import Asked, EndpointJudge, FunctionJudge, RewardJudge, open_judge
from mixlogit.align.win_rate import win_rate
from mixlogit.errors import UsageError

PROMPTS = [[3, 4], [5, 6, 7, 8], [9, 2]]


def test_answers_are_drawn_by_seed() -> None:
    state = torch.get_rng_state()
    model = policy()
    torch.set_rng_state(state)
    one, same, other = (
        generate(model, tokenizer(), PROMPTS, new_tokens=9, seed=seed) for seed in (0, 0, 1)
    )
    assert one == same
    assert one != other
    assert all(1 <= len(answer) <= 9 for answer in one)
    assert torch.equal(torch.get_rng_state(), state)


def test_likeliest_tokens_in_batches_are_those_one_by_one() -> None:
    model = policy().eval()
    model.generation_config.eos_token_id = 12  # besides the tokenizer's own
    found = generate(model, tokenizer(), PROMPTS, new_tokens=6, greedy=True, batch=2)
    for prompt, answer in zip(PROMPTS, found, strict=True):
        tokens = list(prompt)
        while len(tokens) < len(prompt) + 6:
            with torch.no_grad():
                token = int(model(torch.tensor([tokens])).logits[0, -1].argmax())
            if token in (1, 12):
                break
            tokens.append(token)
        assert answer == tokens[len(prompt) :]


def test_a_prompt_that_leaves_no_room() -> None:
    with pytest.raises(UsageError) as error:
        generate(policy(), tokenizer(), [[3] * 32])
    expected = "A prompt of 32 tokens leaves no room for an answer in 32."
    assert str(error.value) == expected


def test_both_orders_are_judged_and_a_judge_by_position_counts_as_ties() -> None:
    first = FunctionJudge(lambda prompt, one, other: "A")
    found = win_rate(first, ["p"] * 4, list("abcd"), list("efgh"))
    assert (found["estimate"], found["tie"], found["first_preferred"]) == (0.5, 1.0, 1.0)
    fair = FunctionJudge(lambda prompt, one, other: "a" if one < other else "b")
    found = win_rate(fair, ["p"] * 4, list("abxd"), list("efgd"))
    assert (found["win"], found["loss"], found["tie"]) == (0.5, 0.25, 0.25)
    assert found["estimate"] == 0.625
    assert found["first_preferred"] == 0.5
    assert found["n"] == 4


def test_the_same_answers_are_ties_and_nobody_is_asked() -> None:
    def never(asked: Sequence[Asked]) -> list[float | None]:
        raise AssertionError

    found = win_rate(never, ["p", "q"], ["a", "b"], ["a", "b"])
    assert (found["estimate"], found["first_preferred"], found["unread"]) == (0.5, None, 0)


def test_a_function_that_says_something_else() -> None:
    with pytest.raises(UsageError) as error:
        FunctionJudge(lambda *said: "first")([Asked("p", "a", "b")])
    assert str(error.value) == (
        "A judge said 'first'. Expected a, b or tie, or a number from 0 (the second answer is "
        "better) to 1 (the first)."
    )


def reward_model(folder: Path, labels: int = 1) -> Path:
    torch.manual_seed(5)
    sizes: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 16, "vocab_size": 18}
    layers = {"num_hidden_layers": 1, "num_attention_heads": 2, "num_labels": labels}
    model = LlamaForSequenceClassification(LlamaConfig(**sizes, **layers, pad_token_id=0))
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def test_a_reward_model_prefers_what_it_rewards(tmp_path: Path) -> None:
    judge = RewardJudge(reward_model(tmp_path), device="cpu", batch=3)
    asked = [
        Asked("t1 t2", " t3", " t4 t5 t6"),
        Asked("t7", " t8 t9 t10 t11", " t12"),
        Asked("t7", " t12", " t12"),
    ]
    model = LlamaForSequenceClassification.from_pretrained(tmp_path).eval()

    def reward(text: str) -> float:
        with torch.no_grad():
            return float(model(tokenizer()(text, return_tensors="pt")["input_ids"]).logits)

    for one, verdict in zip(asked, judge(asked), strict=True):
        a, b = reward(one.prompt + one.first), reward(one.prompt + one.second)
        assert verdict == (0.5 if a == b else float(a > b))


def test_a_model_with_two_labels_is_no_reward_model(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        open_judge(str(reward_model(tmp_path, labels=2)))
    assert str(error.value) == f"{tmp_path} gives 2 labels. A reward model gives one."


def test_judges_by_name() -> None:
    assert open_judge("alignable_judge:longer")([Asked("p", "long", "a")]) == [1.0]
    for name, expected in {
        "no_such_module:judge": "There is no module no_such_module for --judge.",
        "math:judge": 'There is no function "judge" in the module math.',
        "http://localhost/v1": "Name the model behind http://localhost/v1 by --judge-model.",
        "no/such/folder/of/it": "no/such/folder/of/it: no such folder of a model.",
    }.items():
        with pytest.raises(UsageError) as error:
            open_judge(name)
        assert str(error.value) == expected


class Endpoint(ThreadingHTTPServer):
    """Chat completions on this machine; `replies` are status codes or texts, the last repeats."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies: list[int | str | dict[str, Any]] = []
        self.seen: list[tuple[str, dict[str, str], dict[str, Any]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, dict(self.headers), body))
        replies = self.server.replies
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if isinstance(reply, int):
            self.send_error(reply)
            return
        if reply == "judge":  # the answer with a t3 in it is better
            text = body["messages"][-1]["content"]
            reply = "A" if "t3" in text.split("Answer A:")[1].split("Answer B:")[0] else "**B**."
        content = {"choices": [{"message": {"content": reply}}]}
        data = json.dumps(reply if isinstance(reply, dict) else content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_an_endpoint_is_asked_in_both_orders(endpoint: Endpoint) -> None:
    endpoint.replies = ["judge"]
    judge = EndpointJudge(endpoint.url, "some-model", key="a-key")
    found = win_rate(judge, ["p", "q", "r"], ["t3", "t3 t4", "t5"], ["t1", "t2", "t3"])
    assert (found["win"], found["loss"], found["first_preferred"]) == (2 / 3, 1 / 3, 0.5)
    assert len(endpoint.seen) == 6
    path, headers, body = endpoint.seen[0]
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer a-key"
    assert body["model"] == "some-model"
    assert body["temperature"] == 0
    assert [one["role"] for one in body["messages"]] == ["system", "user"]


def test_a_busy_endpoint_is_asked_again(endpoint: Endpoint) -> None:
    endpoint.replies = [503, 429, "TIE"]
    judge = EndpointJudge(endpoint.url, "m", pause=0.0)
    assert judge([Asked("p", "a", "b")]) == [0.5]
    assert len(endpoint.seen) == 3


def test_a_verdict_that_cannot_be_read_is_told(endpoint: Endpoint) -> None:
    endpoint.replies = ["Neither A nor B convinces me."]
    judge = EndpointJudge(endpoint.url, "m")
    found = win_rate(judge, ["p"], ["a"], ["b"])
    assert (found["unread"], found["tie"]) == (2, 1.0)


def test_an_endpoint_that_refuses(endpoint: Endpoint) -> None:
    at = f"{endpoint.url}/chat/completions"
    judge = EndpointJudge(at, "m", pause=0.0)
    for replies, expected in (
        ([401], f"{at} cannot judge: 401 Unauthorized."),
        ([500], f"{at} cannot judge: 500 Internal Server Error."),
        ([{"error": "no"}], f"{at} answered without choices[0].message.content."),
    ):
        endpoint.replies = replies
        with pytest.raises(UsageError) as error:
            judge([Asked("p", "a", "b")])
        assert str(error.value) == expected
    closed = EndpointJudge("http://127.0.0.1:9/v1", "m", pause=0.0)
    with pytest.raises(UsageError, match=r"cannot judge: .*refused"):
        closed([Asked("p", "a", "b")])
