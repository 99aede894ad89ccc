"""Configuration files are strict about keys and types, and harmless."""

from pathlib import Path
from typing import Any, Literal

import pytest

from mixlogit.errors import UsageError
from mixlogit.run.config import check_config, config_sha256, load_config

OPTIONS = {
    "beta": float,
    "seed": int | None,
    "panel": bool,
    "family": Literal["gamma", "fixed"],
    "by": list[str] | None,
    "output": Path | None,
    "respondent": str | None,
}


def write(tmp_path: Path, text: str | bytes, name: str = "align.yaml") -> Path:
    file = tmp_path / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def message(tmp_path: Path, text: str | bytes, name: str = "align.yaml") -> str:
    with pytest.raises(UsageError) as caught:
        load_config(write(tmp_path, text, name))
    assert caught.value.exit_code == 2
    return str(caught.value).removeprefix(f"{tmp_path}/")


def test_yaml_and_toml_say_the_same(tmp_path: Path) -> None:
    yaml_file = write(tmp_path, "# a comment\nbeta: 1e-3\nby: [a, b]\npanel: false\n")
    toml_file = write(tmp_path, 'beta = 1e-3\nby = ["a", "b"]\npanel = false\n', "align.toml")
    expected = {"beta": 0.001, "by": ["a", "b"], "panel": False}
    for file in (yaml_file, toml_file):
        assert check_config(load_config(file), OPTIONS, file) == expected
    assert load_config(write(tmp_path, "")) == {}


def test_unknown_key_word_for_word() -> None:
    with pytest.raises(UsageError) as caught:
        check_config({"betta": 1.0}, OPTIONS, "align.yaml")
    assert str(caught.value) == 'align.yaml: unknown key "betta". Did you mean "beta"?'
    assert caught.value.file == "align.yaml"
    assert caught.value.column == "betta"


def test_unknown_key_that_is_like_nothing() -> None:
    with pytest.raises(UsageError) as caught:
        check_config({"zzz": 1.0}, {"beta": float, "by": str}, "align.yaml")
    assert str(caught.value) == 'align.yaml: unknown key "zzz". Keys: beta, by.'


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("beta", "1e-3", 0.001),
        ("beta", 2, 2.0),
        ("seed", 7, 7),
        ("panel", True, True),
        ("family", "gamma", "gamma"),
        ("by", "stance", ["stance"]),
        ("output", "runs/x", "runs/x"),
    ],
)
def test_values_take_the_type_of_the_option(key: str, value: Any, expected: Any) -> None:
    checked = check_config({key: value}, OPTIONS, "align.yaml")
    assert checked == {key: expected}
    assert type(checked[key]) is type(expected)


def test_a_key_without_a_value_is_left_out() -> None:
    assert check_config({"seed": None}, OPTIONS, "align.yaml") == {}


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("beta", "much", "a number, not 'much'"),
        ("beta", True, "a number, not True"),
        ("beta", float("nan"), "a finite number, not nan"),
        ("beta", "inf", "a finite number, not 'inf'"),
        ("beta", 10**400, f"a number, not {10**400}"),
        ("seed", 1.5, "a whole number, not 1.5"),
        ("seed", True, "a whole number, not True"),
        ("panel", 1, "true or false, not 1"),
        ("family", "gama", "one of gamma, fixed, not 'gama'"),
        ("respondent", False, "text (put it in quotes), not False"),
        ("respondent", 8, "text (put it in quotes), not 8"),
        ("respondent", {"a": 1}, "text, not {'a': 1}"),
        ("by", ["a", 1], "text (put it in quotes), not ['a', 1]"),
    ],
)
def test_values_of_another_type(key: str, value: Any, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_config({key: value}, OPTIONS, "align.yaml")
    assert str(caught.value) == f'align.yaml: "{key}" must be {words}.'


def test_keys_twice(tmp_path: Path) -> None:
    assert message(tmp_path, "beta: 1\nbeta: 2\n") == 'align.yaml: key "beta" appears twice.'
    with pytest.raises(UsageError) as caught:
        check_config({"bad-rows": "a", "bad_rows": "b"}, {"bad_rows": str}, "align.yaml")
    assert str(caught.value) == 'align.yaml: key "bad_rows" appears twice.'


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load_config(tmp_path / "no.yaml")
    expected = f"{tmp_path}/no.yaml: cannot be read (No such file or directory)."
    assert str(caught.value) == expected
    assert message(tmp_path, b"\xff\xfe\x00") == "align.yaml: not UTF-8 text."


def test_hostile_and_broken_files(tmp_path: Path) -> None:
    assert message(tmp_path, "x" * 1_000_001) == (
        "align.yaml: 1,000,001 bytes; a configuration is at most 1 MB."
    )
    aliases = "align.yaml: YAML aliases (*name) are refused."
    assert message(tmp_path, "a: &a [1, 1]\nb: [*a, *a]\n") == aliases
    nested = "align.yaml: nested more than 20 levels deep."
    assert message(tmp_path, "a: " + "[" * 100_000) == nested
    words = message(tmp_path, "a: !!python/object/apply:os.getcwd []\n")
    assert words.startswith(
        "align.yaml, line 1: not valid YAML (could not determine a constructor"
    )
    words = message(tmp_path, "a: b: c\n")
    assert words == "align.yaml, line 1: not valid YAML (mapping values are not allowed here)."
    mapping = "align.yaml: a configuration is a list of `key: value` lines."
    assert message(tmp_path, "1: 2\n") == mapping
    words = message(tmp_path, "a = \n", "align.toml")
    assert words.startswith("align.toml: not valid TOML (Invalid value")
    assert message(tmp_path, "a = " + "[" * 100_000, "align.toml").startswith(
        "align.toml: not valid TOML ("
    )


def test_hash_depends_on_values_and_not_on_order() -> None:
    assert config_sha256({"a": 1, "b": 2}) == config_sha256({"b": 2, "a": 1})
    assert config_sha256({"a": 1}) != config_sha256({"a": 2})
