"""Configuration files: YAML or TOML, strict about keys and types."""

import difflib
import hashlib
import json
import math
import tomllib
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from mixlogit.errors import UsageError
from mixlogit.run.write import json_ready

__all__ = ["check_config", "config_sha256", "load_config"]

_MAX_BYTES = 1_000_000
_MAX_DEPTH = 20
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def load_config(path: str | Path) -> dict[str, Any]:
    """Read a YAML or TOML file of options; nothing in it can run code or expand itself.

    Args:
        path: The file; `.toml` is read as TOML, everything else as YAML.

    Returns:
        Key to value, as written; `check_config` compares them with a command's options.

    Raises:
        UsageError: The file cannot be read, is over 1 MB, is not a mapping, uses an alias, or
            names a key twice.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "fit.toml"
        >>> _ = file.write_text('family = "gamma"')
        >>> load_config(file)
        {'family': 'gamma'}
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise UsageError(
                f"{path}: {size:,} bytes; a configuration is at most 1 MB.", file=path
            )
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"{path}: cannot be read ({reason}).", file=path) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text.", file=path) from error
    values = _read_toml(path, text) if path.suffix == ".toml" else _read_yaml(path, text)
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise UsageError(f"{path}: a configuration is a list of `key: value` lines.", file=path)
    return values


def _read_toml(path: Path, text: str) -> Any:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{path}: not valid TOML ({error}).", file=path) from error


def _read_yaml(path: Path, text: str) -> Any:
    import yaml

    try:
        _refuse_tricks(path, text)
        node = yaml.compose(text, yaml.SafeLoader)
        keys = [key.value for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []
        twice = [key for index, key in enumerate(keys) if key in keys[:index]]
        if twice:
            raise UsageError(f'{path}: key "{twice[0]}" appears twice.', file=path)
        return yaml.safe_load(text) if keys else {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise UsageError(f"{where}: not valid YAML ({problem}).", file=path) from error


def _refuse_tricks(path: Path, text: str) -> None:
    """Refuse aliases (they can expand a short file without bound) and deep nesting."""
    import yaml

    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise UsageError(f"{path}: YAML aliases (*name) are refused.", file=path)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise UsageError(f"{path}: nested more than {_MAX_DEPTH} levels deep.", file=path)


def check_config(
    values: Mapping[str, Any], options: Mapping[str, Any], source: str | Path
) -> dict[str, Any]:
    """Compare a configuration with a command's options.

    Args:
        values: Key to value, as read; hyphens and underscores in keys are the same.
        options: Option (with underscores) to its type annotation.
        source: The file, for messages.

    Returns:
        Option to value, of the option's type. Keys without a value are left out.

    Raises:
        UsageError: An unknown key, or a value of another type.

    Example:
        >>> check_config({"learning-rate": "1e-3"}, {"learning_rate": float}, "align.yaml")
        {'learning_rate': 0.001}
    """
    checked: dict[str, Any] = {}
    for key, value in values.items():
        name = key.replace("-", "_")
        if name not in options:
            close = difflib.get_close_matches(name, options, n=1)
            known = ", ".join(options)
            hint = f'Did you mean "{close[0]}"?' if close else f"Keys: {known}."
            raise UsageError(f'{source}: unknown key "{key}". {hint}', file=source, column=key)
        if name in checked:
            raise UsageError(f'{source}: key "{key}" appears twice.', file=source, column=key)
        if value is None:
            continue
        try:
            checked[name] = _as(value, options[name])
        except ValueError as error:
            message = f'{source}: "{key}" must be {error}, not {value!r}.'
            raise UsageError(message, file=source, column=key) from None
    return checked


def _as(value: Any, kind: Any) -> Any:
    """The value as the annotated type; a ValueError says what it must be."""
    origin, choices = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return _as(value, next(choice for choice in choices if choice is not NoneType))
    if origin is Literal or (isinstance(kind, type) and issubclass(kind, Enum)):
        allowed = choices or tuple(member.value for member in kind)
        if value not in allowed:
            raise ValueError(f"one of {', '.join(map(str, allowed))}")
        return value
    if origin is list:
        entries = value if isinstance(value, list) else [value]
        return [_as(entry, choices[0]) for entry in entries]
    if kind is Path:
        kind = str
    if kind is float and isinstance(value, int | str) and not isinstance(value, bool):
        return _number(value)  # YAML reads 1e-3 as text
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        hint = " (put it in quotes)" if kind is str and isinstance(value, bool | int) else ""
        raise ValueError(_WORDS[kind] + hint)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a finite number")
    return value


def _number(value: int | str) -> float:
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise ValueError(_WORDS[float]) from None
    if not math.isfinite(number):
        raise ValueError("a finite number")
    return number


def config_sha256(config: Mapping[str, Any]) -> str:
    """Hash of a configuration, the same whatever the order of its keys.

    Example:
        >>> config_sha256({"a": 1, "b": 2}) == config_sha256({"b": 2, "a": 1})
        True
    """
    text = json.dumps(json_ready(config), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
