"""Each known data set, on rows of its own schema: what becomes of every awkward one."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from known_sets import write_set

import mixlogit as ml


def read(name: str, folder: Path) -> tuple[list[dict[str, Any]], dict[str, int], dict[int, str]]:
    """The comparisons, what was left out, and what is wrong with rows, by row."""
    write_set(name, folder)
    left_out: dict[str, int] = {}
    rows: list[dict[str, Any]] = []
    wrong: dict[int, str] = {}
    for batch in ml.texts(folder, schema=name, bad_rows="drop", batch_rows=2):
        rows += batch.table.to_pylist()
        wrong |= {drop.row: drop.reason for drop in batch.dropped}
        for reason, n in batch.left_out.items():
            left_out[reason] = left_out.get(reason, 0) + n
    return rows, left_out, wrong


def some(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def said(turns: list[dict[str, str]]) -> str:
    return " ".join(f"{turn['role'][0]}:{turn['content']}" for turn in turns)


def told(rows: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(said(row["prompt"]), said(row["chosen"]), said(row["rejected"])) for row in rows]


EMPTY, SAME = "an answer is empty", "both answers are the same"


def test_prism(tmp_path: Path) -> None:
    rows, left_out, wrong = read("prism", tmp_path)
    assert told(rows) == [
        ("u:Why?", "a:First.", "a:Second."),
        ("u:Why?", "a:First.", "a:Third."),
        ("u:Why?", "a:Second.", "a:Third."),
        ("u:Why? a:First. u:And then?", "a:Better.", "a:Same."),
        ("u:What?", "a:That.", "a:This."),
    ]
    assert some(rows, "outcome", "respondent", "choice_set", "turn", "age", "religion") == [
        ("tie", "user1", "c1-0", 0, "25-34 years old", "No Aff."),
        ("a", "user1", "c1-0", 0, "25-34 years old", "No Aff."),
        ("a", "user1", "c1-0", 0, "25-34 years old", "No Aff."),
        ("a", "user1", "c1-1", 1, "25-34 years old", "No Aff."),
        ("a", "user9", "c3-0", 0, None, None),
    ]
    grades = [row["grade"] for row in rows]
    assert grades == pytest.approx([0, 50 / 99, 50 / 99, 80 / 99, 10 / 99])
    assert some(rows[3:4], "model_chosen", "score_chosen", "country", "region", "gender") == [
        ("m1", 100.0, "Chile", "LatAm", "Female")
    ]
    assert left_out == {EMPTY: 3, SAME: 1, "an answer has no score": 2}
    assert wrong == {4: "scores are 7 and 700, not from 1 to 100"}


def test_hh(tmp_path: Path) -> None:
    rows, left_out, wrong = read("hh", tmp_path)
    start = "\n\nHuman: Hi.\n\nAssistant: Yes?\n\nHuman: Why?\n\nAssistant:"
    assert rows == [
        {
            "prompt": start,
            "chosen": " Because.",
            "rejected": rejected,
            "subset": "harmless-base",
        }
        for rejected in (" Be off.", " No.\n\nHuman: Oh.\n\nAssistant: Well.")
    ]
    assert left_out == {EMPTY: 1, SAME: 1}
    assert wrong == {
        5: 'chosen and rejected have no "\\n\\nAssistant:" in common',
        6: "a dialogue is missing",
    }


def test_hh_on_the_real_test_split(shared_data: Path) -> None:
    path = shared_data / "hh-harmless-test" / "harmless-base-test.jsonl.gz"
    with gzip.open(path) as file:
        raw = [json.loads(line) for line in file]
    batches = list(ml.texts(path, schema="hh"))
    rows = [row for batch in batches for row in batch.table.to_pylist()]
    at = [batch.source.locate(i)[1] for batch in batches for i in range(batch.table.num_rows)]
    left_out = [batch.left_out[EMPTY] for batch in batches if batch.left_out]
    assert (len(raw), len(rows), sum(left_out)) == (2_312, 2_308, 4)
    mark = "\n\nAssistant:"
    starts = [{row[side].rpartition(mark)[0] for side in ("chosen", "rejected")} for row in raw]
    assert sum(len(both) == 1 for both in starts) == 2_307
    for i, made in zip(at, rows, strict=True):
        assert made["prompt"].endswith(mark)
        assert len(starts[i - 1]) == 2 or made["prompt"] == min(starts[i - 1]) + mark
        for side in ("chosen", "rejected"):
            assert made["prompt"] + made[side] == raw[i - 1][side]


def test_multipref(tmp_path: Path) -> None:
    rows, left_out, wrong = read("multipref", tmp_path)
    names = ("comparison_id", "respondent", "judges", "chosen", "outcome", "grade", "model_chosen")
    assert some(rows, *names) == [
        ("c1", "n1", "normal", "Yes.", "a", 1.0, "m1"),
        ("c1", "n2", "normal", "No.", "a", 0.5, "m2"),
        ("c1", "e1", "expert", "No.", "a", 1.0, "m2"),
        ("c2", "n1", "normal", "Yes.", "tie", 0.0, "m1"),
        ("c2", "e1", "expert", "No.", "a", 1.0, "m2"),
        ("c4", "n1", "normal", "Yes.", "a", 0.5, "m1"),
        ("c4", "e1", "expert", "No.", "a", 1.0, "m2"),
    ]
    assert {row["category"] for row in rows} == {None}
    assert left_out == {EMPTY: 1}
    assert list(wrong) == [4]
    assert wrong[4].startswith('overall_pref is "A-is-better", not one of A-is-clearly-better, A-')


def test_community_alignment(tmp_path: Path) -> None:
    rows, left_out, wrong = read("community-alignment", tmp_path)
    assert told(rows) == [
        ("u:Why?", "a:B.", "a:A."),
        ("u:Why?", "a:B.", "a:C."),
        ("u:Why?", "a:B.", "a:D."),
        ("u:Why? a:B. u:And?", "a:E.", "a:F."),
        ("u:Who?", "a:D.", "a:A."),
    ]
    assert some(rows[3:], "respondent", "choice_set", "language", "age", "gender", "wave") == [
        ("a1", "c1-1", "fr", "18-34", None, "1"),
        ("a2", "c2-0", "fr", "18-34", None, "1"),
    ]
    assert left_out == {SAME: 2, EMPTY: 2}
    assert wrong == {
        3: 'first_turn_preferred_response is "response_e", not one of response_a, response_b, '
        "response_c, response_d"
    }


def test_helpsteer2(tmp_path: Path) -> None:
    rows, left_out, wrong = read("helpsteer2", tmp_path)
    assert some(rows, "prompt", "chosen", "rejected", "outcome", "grade", "split") == [
        ("Why?", "One.", "Two.", "a", 1.0, "train"),
        ("Why?", "Two.", "One.", "a", 1 / 3, "val"),
        ("Why?", "One.", "Two.", "tie", 0.0, "train"),
    ]
    assert left_out == {EMPTY: 1}
    assert wrong == {5: 'preference_strength is "4", not a whole number from -3 to 3'}


def test_helpsteer3(tmp_path: Path) -> None:
    rows, left_out, wrong = read("helpsteer3", tmp_path)
    prompt = "u:Hi. a:Yes? u:Why?"
    assert told(rows) == [
        (prompt, "a:One.", "a:Two."),
        (prompt, "a:Two.", "a:One."),
        (prompt, "a:One.", "a:Two."),
    ]
    assert some(rows, "outcome", "grade", "domain", "language") == [
        ("a", 1 / 3, "code", "python"),
        ("a", 2 / 3, None, "python"),
        ("tie", 0.0, "code", "python"),
    ]
    assert left_out == {SAME: 1}
    assert wrong == {5: 'overall_preference is "None", not a whole number from -3 to 3'}


def test_helpsteer3_with_a_context_of_text() -> None:
    row = {"context": "Why?", "response1": "A.", "response2": "B.", "overall_preference": 1}
    (batch,) = ml.texts(pa.Table.from_pylist([row]), schema="helpsteer3")
    assert told(batch.table.to_pylist()) == [("u:Why?", "a:B.", "a:A.")]
    wrong = pa.Table.from_pylist([row | {"context": ["Why?"]}])
    (batch,) = ml.texts(wrong, schema="helpsteer3", bad_rows="drop")
    assert [drop.reason for drop in batch.dropped] == ["context: turn 1 is no message"]


def test_ultrafeedback(tmp_path: Path) -> None:
    rows, left_out, wrong = read("ultrafeedback", tmp_path)
    assert told(rows) == [
        ("u:Why?", "a:Good.", "a:Bad."),
        ("u:Why?", "a:Good.", "a:Well."),
    ]
    assert some(rows, "outcome", "grade", "score_chosen", "prompt_id") == [
        ("a", 0.5, 9.0, "p1"),
        ("tie", 0.0, 7.0, "p1"),
    ]
    assert left_out == {EMPTY: 1}
    assert wrong == {
        4: "chosen has score 2, less than rejected with 3",
        5: "chosen and rejected differ before their last turn",
        6: "scores are 30.0 and 2.0, not from 1 to 10",
    }


@pytest.mark.parametrize("name", ["arena", "mtbench"])
def test_battles(name: str, tmp_path: Path) -> None:
    rows, left_out, wrong = read(name, tmp_path)
    assert told(rows) == [
        ("u:Why 1?", "a:Yes.", "a:No."),
        ("u:Why 1?", "a:No. u:Why 2? a:Oh.", "a:Yes. u:Why 2? a:So."),
        ("u:Why 1?", "a:Yes.", "a:No."),
    ]
    assert some(rows, "outcome", "winner", "respondent", "model_chosen", "turn", "language") == [
        ("a", "model_a", "j1", "m1", 1, "English" if name == "arena" else None),
        ("a", "model_b", "j1", "m2", 2, "English" if name == "arena" else None),
        ("tie", "tie", "j1", "m1", 1, "English" if name == "arena" else None),
    ]
    assert left_out == {SAME: 1, EMPTY: 1}
    assert wrong[4] == '"respondent" is missing'
    assert wrong[7] == (
        'winner is "model_c", not one of model_a, model_b, tie, tie (bothbad), tie (inconsistent)'
    )


def test_dices(tmp_path: Path) -> None:
    rows, left_out, wrong = read("dices", tmp_path)
    # r1 said No 1, Yes 2, Unsure 3, No 4, Yes 5: the safest against the most unsafe
    assert some(rows, "respondent", "item_chosen", "item_rejected", "grade", "age") == [
        ("r1", "1", "5", 1.0, "gen z"),
        ("r1", "4", "2", 1.0, "gen z"),
    ]
    assert rows[0]["chosen"] == "USER: 1?\nLAMDA: Hm.\nUSER: So?\nLAMDA: 1."
    assert "prompt" not in rows[0]
    assert left_out == {}
    assert wrong == {9: 'Q_overall is "Perhaps", not one of No, Unsure, Yes'}


def test_mtbench_as_items(shared_data: Path) -> None:
    labels = "a=model_a,b=model_b,tie=tie"
    columns = {"item_a": "model_a", "item_b": "model_b", "outcome": "winner", "labels": labels}
    folder = shared_data / "mtbench-human"
    by_schema = ml.load(folder, schema="mtbench", groups="category", **columns)
    plain = ml.load(folder / "human.csv.gz", respondent="judge", groups="category", **columns)
    assert ml.data_card(by_schema) == ml.data_card(plain)
    assert by_schema.n_respondents == 65
    assert by_schema.outcome.equal(plain.outcome)
