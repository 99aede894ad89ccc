"""Rows as the known data sets write them, awkward ones among them; every text is made up."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

__all__ = ["FILES", "ROWS", "SURVEY", "write_set"]

Row = dict[str, Any]


def _asked(turn: int, content: str) -> Row:
    return {"turn": turn, "role": "user", "content": content, "model_name": None, "score": None}


def _model(turn: int, place: int, content: str, score: int | None, chosen: bool = False) -> Row:
    return {
        "turn": turn,
        "role": "model",
        "content": content,
        "model_name": f"m{place}",
        "model_provider": "p",
        "score": score,
        "if_chosen": chosen,
        "within_turn_id": place,
    }


def _prism(number: int, user: str, history: list[Row]) -> Row:
    return {
        "user_id": user,
        "conversation_id": f"c{number}",
        "opening_prompt": history[0]["content"],
        "conversation_type": "values guided",
        "conversation_turns": 2,
        "conversation_history": history,
        "performance_attributes": {"values": 50, "safety": None},
        "included_in_balanced_subset": True,
    }


PRISM = [
    _prism(
        1,
        "user1",
        [
            _asked(0, "Why?"),
            _model(0, 2, "Third.", 40),
            _model(0, 0, "First.", 90, chosen=True),
            _model(0, 1, "Second.", 90),  # as good as the chosen one: a tie
            _model(0, 3, "EMPTY STRING", 1),
            _asked(1, "And then?"),
            _model(1, 0, "Same.", 20),
            _model(1, 1, "Better.", 100, chosen=True),
        ],
    ),
    _prism(
        2,
        "user2",
        [
            _asked(0, "Who?"),
            _model(0, 0, "You.", 50, chosen=True),
            _model(0, 1, "You.", 60),  # the same answer twice
            _model(0, 2, "Me.", None),
            _asked(2, "Turn 1 is missing."),
            _model(2, 0, "Yes.", 1, chosen=True),
            _model(2, 1, "No.", 2),
        ],
    ),
    _prism(
        3,
        "user9",  # not in the survey
        [
            _asked(0, "What?"),
            _model(0, 0, "This.", 10),
            _model(0, 1, "That.", 20),  # neither is chosen: what follows has no history
            _asked(1, "Go on."),
            _model(1, 0, "No.", 1, chosen=True),
            _model(1, 1, "Yes.", 2),
        ],
    ),
    _prism(4, "user1", [_asked(0, "Hm?"), _model(0, 0, "A.", 7), _model(0, 1, "B.", 700)]),
]
SURVEY = [
    {
        "user_id": "user1",
        "survey_only": False,
        "age": "25-34 years old",
        "gender": "Female",
        "education": "University Bachelors Degree",
        "employment_status": "Student",
        "marital_status": "Never been married",
        "english_proficiency": "Fluent",
        "religion": {"self_described": "none", "categorised": "None", "simplified": "No Aff."},
        "ethnicity": {"self_described": None, "categorised": "White", "simplified": "White"},
        "location": {"birth_country": "X", "reside_country": "Chile", "special_region": "LatAm"},
    },
    {
        "user_id": "user2",
        "survey_only": False,
        "age": None,
        "gender": None,
        "religion": None,
        "ethnicity": None,
        "location": None,
    },
]

_START = "\n\nHuman: Hi.\n\nAssistant: Yes?\n\nHuman: Why?"
HH = [
    {"chosen": f"{_START}\n\nAssistant: Because.", "rejected": f"{_START}\n\nAssistant: Be off."},
    # the rejected dialogue is one turn longer: the prompt ends at the last turn in common
    {
        "chosen": f"{_START}\n\nAssistant: Because.",
        "rejected": f"{_START}\n\nAssistant: No.\n\nHuman: Oh.\n\nAssistant: Well.",
    },
    {"chosen": f"{_START}\n\nAssistant:", "rejected": f"{_START}\n\nAssistant: So."},
    {"chosen": f"{_START}\n\nAssistant: So.", "rejected": f"{_START}\n\nAssistant: So."},
    {"chosen": "\n\nHuman: Hi.", "rejected": "\n\nHuman: Ho.\n\nAssistant: So."},
    {"chosen": None, "rejected": "\n\nHuman: Ho.\n\nAssistant: So."},
]


def _multipref(number: int, normal: list[tuple[str, str]] | None, **changed: Any) -> Row:
    def votes(found: list[tuple[str, str]] | None) -> list[Row] | None:
        return found and [
            {"evaluator": who, "overall_pref": word, "helpful_pref": "Tie", "time_spent": 12}
            for who, word in found
        ]

    row = {
        "comparison_id": f"c{number}",
        "prompt_id": f"p{number}",
        "text": "Why?",
        "source": "wildchat",
        "category": None,
        "model_a": "m1",
        "model_b": "m2",
        "completion_a": "Yes.",
        "completion_b": "No.",
        "normal_worker_annotations": votes(normal),
        "expert_worker_annotations": votes([("e1", "B-is-clearly-better")]),
    }
    return row | changed


MULTIPREF = [
    _multipref(1, [("n1", "A-is-clearly-better"), ("n2", "B-is-slightly-better")]),
    _multipref(2, [("n1", "Tie")]),
    _multipref(3, None, completion_b=" "),
    _multipref(4, [("n3", "A-is-better"), ("n1", "A-is-slightly-better")]),
]


def _community(number: int, turns: list[tuple[str | None, list[str | None], str | None]]) -> Row:
    row: Row = {
        "conversation_id": f"c{number}",
        "annotator_id": f"a{number}",
        "assigned_lang": "fr",
        "wave": 1,
        "is_pregenerated_first_prompt": False,
        "in_balanced_subset": True,
        "annotator_country": "france",
        "annotator_age": "18-34",
        "annotator_gender": None,
        "annotator_education_level": "b",
        "annotator_political": "center",
        "annotator_ethnicity": None,
    }
    filled = turns + [(None, [None] * 4, None)] * (4 - len(turns))
    for name, (asked, answers, best) in zip(
        ("first", "second", "third", "fourth"), filled, strict=True
    ):
        row |= {f"{name}_turn_prompt": asked, f"{name}_turn_preferred_response": best}
        row |= {
            f"{name}_turn_response_{letter}": answer
            for letter, answer in zip("abcd", answers, strict=True)
        }
        row[f"{name}_turn_feedback"] = None
    return row


COMMUNITY_ALIGNMENT = [
    _community(
        1,
        [
            ("Why?", ["A.", "B.", "C.", "D."], "response_b"),
            ("And?", ["E.", "E.", "F.", "F."], "response_a"),  # duplicate answers
        ],
    ),
    _community(2, [("Who?", ["A.", None, "", "D."], "response_d"), ("Then?", ["E."] * 4, None)]),
    _community(3, [("What?", ["A.", "B.", "C.", "D."], "response_e")]),
]


def _helpsteer2(strength: Any, split: str = "train", **changed: Any) -> Row:
    row = {"split": split, "prompt": "Why?", "response_1": "One.", "response_2": "Two."}
    row |= {"preference_strength": strength, "preference_statement": None}
    return row | changed


HELPSTEER2 = [
    _helpsteer2(-3),
    _helpsteer2(1, "val"),
    _helpsteer2(0),
    _helpsteer2(2, response_2=""),
    _helpsteer2(4),
]


def _helpsteer3(preference: int | None, context: Any = None, **changed: Any) -> Row:
    said = [
        {"role": "user", "content": "Hi."},
        {"role": "assistant", "content": "Yes?"},
        {"role": "user", "content": "Why?"},
    ]
    row = {"domain": "code", "language": "python", "context": said if context is None else context}
    row |= {"response1": "One.", "response2": "Two.", "overall_preference": preference}
    row["individual_preference"] = [{"score": preference, "reasoning": "r"}]
    return row | changed


HELPSTEER3 = [
    _helpsteer3(-1),
    _helpsteer3(2, domain=None),
    _helpsteer3(0),
    _helpsteer3(1, response1="Two."),
    _helpsteer3(None),
]


def _ultra(chosen: str, rejected: str, best: float, other: float, asked: str = "Why?") -> Row:
    def said(ask: str, text: str) -> list[Row]:
        return [{"content": ask, "role": "user"}, {"content": text, "role": "assistant"}]

    row: Row = {"prompt": "Why?", "prompt_id": "p1", "messages": said("Why?", chosen)}
    row |= {"chosen": said("Why?", chosen), "rejected": said(asked, rejected)}
    return row | {"score_chosen": best, "score_rejected": other}


ULTRAFEEDBACK = [
    _ultra("Good.", "Bad.", 9.0, 4.5),
    _ultra("Good.", "Well.", 7.0, 7.0),
    _ultra("Good.", "", 7.0, 1.0),
    _ultra("Good.", "Bad.", 2.0, 3.0),
    _ultra("Good.", "Bad.", 3.0, 2.0, asked="Who?"),
    _ultra("Good.", "Bad.", 30.0, 2.0),
]


def _battle(winner: str, first: list[str], second: list[str], turn: int = 1, **more: Any) -> Row:
    def said(answers: list[str]) -> list[Row]:
        return [
            {"content": content, "role": role}
            for i, answer in enumerate(answers, 1)
            for role, content in (("user", f"Why {i}?"), ("assistant", answer))
        ]

    row = {"question_id": 81, "model_a": "m1", "model_b": "m2", "winner": winner}
    row |= {"judge": "j1", "conversation_a": said(first), "conversation_b": said(second)}
    return row | {"turn": turn} | more


BATTLES = [
    _battle("model_a", ["Yes.", "So."], ["No.", "Oh."]),  # turn 1 was judged
    _battle("model_b", ["Yes.", "So."], ["No.", "Oh."], turn=2),
    _battle("tie", ["Yes."], ["No."]),
    _battle("tie (bothbad)", ["Yes."], ["No."], judge=None),
    _battle("model_a", ["Yes.", "So."], ["Yes.", "Oh."]),  # they differ after what was judged
    _battle("model_b", [""], ["No."]),
    _battle("model_c", ["Yes."], ["No."]),
]


def _dices(who: str, item: int, word: str) -> Row:
    return {
        "id": item,
        "rater_id": who,
        "rater_gender": "Woman",
        "rater_race": "",
        "rater_age": "gen z",
        "rater_education": "College",
        "item_id": item,
        "context": f"USER: {item}?\nLAMDA: Hm.\nUSER: So?",
        "response": f"LAMDA: {item}.",
        "Q_overall": word,
    }


DICES = [
    _dices("r1", 1, "No"),
    _dices("r1", 2, "Yes"),
    _dices("r2", 1, "No"),
    _dices("r1", 3, "Unsure"),
    _dices("r1", 4, "No"),
    _dices("r1", 4, "Yes"),  # judged twice
    _dices("r2", 2, "No"),
    _dices("r1", 5, "Yes"),
    _dices("r2", 3, "Perhaps"),
]

ROWS: dict[str, list[Row]] = {
    "prism": PRISM,
    "hh": HH,
    "multipref": MULTIPREF,
    "community-alignment": COMMUNITY_ALIGNMENT,
    "helpsteer2": HELPSTEER2,
    "helpsteer3": HELPSTEER3,
    "ultrafeedback": ULTRAFEEDBACK,
    "arena": [row | {"language": "English", "anony": True} for row in BATTLES],
    "mtbench": BATTLES,
    "dices": DICES,
}
FILES = {
    "prism": "conversations.jsonl",
    "hh": "harmless-base/train.jsonl.gz",
    "multipref": "data/train-00000-of-00001.parquet",
    "community-alignment": "data/train-00000-of-00001.parquet",
    "helpsteer2": "preference/preference.jsonl.gz",
    "helpsteer3": "preference/train.jsonl.gz",
    "ultrafeedback": "data/train_prefs-00000-of-00001.parquet",
    "arena": "data/train-00000-of-00001.parquet",
    "mtbench": "data/human-00000-of-00001.parquet",
    "dices": "350.csv",
}


def write_set(name: str, folder: Path, rows: list[Row] | None = None) -> Path:
    """The rows of a data set in a file of its own format, where the set keeps it."""
    path = folder / FILES[name]
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = ROWS[name] if rows is None else rows
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".csv":
        pacsv.write_csv(pa.Table.from_pylist(rows), path)
    else:
        lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
        path.write_bytes(gzip.compress(lines) if path.suffix == ".gz" else lines)
    if name == "prism":
        survey = "".join(json.dumps(row) + "\n" for row in SURVEY)
        (folder / "survey.jsonl").write_text(survey)
    return path
