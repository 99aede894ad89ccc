"""One call of a command: the options that all commands share, and the configuration file."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
from typer.models import ArgumentInfo

from mixlogit.cli.options import EVERYWHERE, common_options, data_options, judgement_options
from mixlogit.cli.parsing import StrictCommand
from mixlogit.cli.terminal import Terminal
from mixlogit.cli.training_options import MORE, TrainingCommand
from mixlogit.errors import DataError, UsageError
from mixlogit.run import RunFolder, check_config, load_config, refuse_damage

__all__ = ["Invocation", "call_of_run", "command"]

_OF_SETS = ("choice_id", "alternative", "ranking", "available", "constants")
_OF_PAIRS = (
    *("margin", "item_a", "item_b", "outcome", "labels", "prompt", "rejected"),
    *("grade", "grades", "votes_a", "votes_b", "votes_tie"),
)
_OF_TEXTS = (
    *("data", "prompt", "chosen", "rejected", "outcome", "labels", "respondent", "by", "weight"),
    *("bad_rows", "schema", "split"),
)
_SUFFIXES = (".csv", ".tsv", ".jsonl", ".json", ".parquet", ".gz")  # no hub id ends with one
_NOT_IN_RUN = ("debug", "quiet", "json", "overwrite")

Function = Callable[..., int | None]


@dataclass(frozen=True)
class Invocation:
    """One call of a command: what all commands share.

    Args:
        terminal: Where it writes.
        output: `--output`, if given.
        seed: `--seed`.
        overwrite: `--overwrite`.
        options: Every option that has a value, as `config.yaml` keeps them.
        chosen: Those of the options whose values are not the defaults.
        columns: For commands that read data: the arguments of `mixlogit.load`.
        argv: The command line, for `run.json`.
        more: Options of another program that the command passes on.
        processes: Those that share the votes, which are then read in blocks; None: held whole.

    Example:
        >>> Invocation(Terminal(quiet=True)).seed
        0
    """

    terminal: Terminal
    output: Path | None = None
    seed: int = 0
    overwrite: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    chosen: Sequence[str] | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)
    argv: Sequence[str] = ()
    more: Mapping[str, Any] = field(default_factory=dict)
    processes: Any = None

    def load(self, data: str | None = None, *, texts_suffice: bool = False) -> Any:
        """The comparisons or choice sets in DATA, or in another file with the same columns."""
        import mixlogit as ml

        columns = {**self.columns, "data": data or self.columns["data"]}
        _refuse_missing(columns["data"])
        if self.processes is not None and data is None:
            return self._stream()
        sets = [name for name in _OF_SETS if columns.get(name) is not None]
        if not sets:
            return ml.load(**columns, texts_suffice=texts_suffice)
        if "choice_id" not in sets:
            option = sets[0].replace("_", "-")
            raise UsageError(f"--{option} is for choice sets: name their column by --choice-id.")
        strange = [name for name in _OF_PAIRS if columns.get(name) is not None]
        if strange:
            option = strange[0].replace("_", "-")
            raise UsageError(f"--{option} is for pairs and cannot be joined with --choice-id.")
        return ml.load_choice_sets(**columns)

    def _stream(self) -> Any:
        """The votes in DATA, in blocks, by all processes."""
        import mixlogit as ml

        if self.processes.first:
            self.processes.gather("read")
        apart = (*_OF_SETS, "features", "item_a", "item_b", "grade", "grades", "schema")
        names = ("prompt", "chosen", "rejected", *apart)
        columns = {name: value for name, value in self.columns.items() if name not in names}
        with self.terminal.progress("data    ", "votes") as show:
            return ml.streamed(**columns, processes=self.processes, progress=show)

    def folder(self, path: Path, *, overwrite: bool | None = None) -> RunFolder:
        """The run folder of this call, to be used in a `with` block."""
        return RunFolder(
            path,
            command=["mixlogit", *self.argv],
            config={**self.options, "output": str(path)},
            chosen=self.chosen,
            seed=self.seed,
            overwrite=self.overwrite if overwrite is None else overwrite,
        )


def _refuse_missing(data: str) -> None:
    """Say that a file is not there before torch is loaded, which takes seconds."""
    path = Path(data)
    if path.suffix.lower() in _SUFFIXES and not path.exists():
        raise DataError(f"{data}: no such file or folder.", file=data)


def call_of_run(folder: Path, terminal: Terminal) -> Invocation:
    """The call of `mixlogit fit` that made a run, so that its data can be read again.

    Args:
        folder: The run.
        terminal: Where this command writes.

    Raises:
        StorageError: If the run is damaged.
        UsageError: If the run does not say where its data are.
    """
    refuse_damage(folder)
    file = folder / "config.yaml"
    values = load_config(file) if file.is_file() else {}
    if "data" not in values:
        raise UsageError(
            f"{folder} was saved from Python and does not say where its data are: compare in "
            "Python, with data=."
        )
    data = _of_data(of_texts=False)
    columns = {p.name: values.get(p.name) for p in data}
    everywhere = {"quiet": terminal.quiet, "json": terminal.as_json, "output": folder}
    everywhere |= {"seed": values["seed"], "overwrite": False}
    return _invocation([], everywhere, columns, values)


def command(
    app: typer.Typer,
    name: str,
    function: Function,
    *,
    reads_data: bool = False,
    of_texts: bool = False,
    kind: type[StrictCommand] = StrictCommand,
    example: str = "",
) -> None:
    """Register a function as a command and give it the common options.

    Args:
        app: The program.
        name: The command's name.
        function: Takes an `Invocation` and the command's own options; returns the exit code
            (None is 0). The first paragraph of its docstring is the help text.
        reads_data: Also take DATA and the options that name its columns.
        of_texts: Of these options take only those of comparisons of texts.
        kind: The class of the command, where it takes more options than these.
        example: Arguments of an example, for the end of the help.

    Example:
        >>> def greet(call: Invocation, *, who: str = "you") -> None:
        ...     call.terminal.say(f"hello {who}")
        >>> app = typer.Typer()
        >>> command(app, "greet", greet)
        >>> app(["--who", "them"], standalone_mode=False)
        hello them
    """
    own, common = _parameters(function)[1:], _parameters(common_options)
    data = _of_data(of_texts=of_texts) if reads_data else []
    defaults = {p.name: p.default for p in [*data, *own, *common]}

    def run(context: typer.Context, **values: Any) -> int | None:
        del values["config"]
        kept = {key: value for key, value in values.items() if key not in _NOT_IN_RUN}
        columns = {p.name: values.pop(p.name) for p in data}
        everywhere = {p.name: values.pop(p.name) for p in common}
        call = _invocation(context.obj or [], everywhere, columns, kept)
        chosen = [key for key in call.options if kept[key] != defaults[key]]
        more = context.meta.get(MORE, {})
        return function(replace(call, chosen=chosen, more=more), **values)

    parameters = _all_parameters(function, data, own, common)
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # any function has one
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    text = inspect.cleandoc(function.__doc__ or "").partition("\n\n")[0]
    epilog = f"Example: mixlogit {name} {example}" if example else None
    app.command(name, cls=kind, help=text, epilog=epilog)(run)


def _of_data(*, of_texts: bool) -> list[inspect.Parameter]:
    """DATA and the options that name its columns."""
    every = [*_parameters(data_options), *_parameters(judgement_options)]
    return [p for p in every if not of_texts or p.name in _OF_TEXTS]


def _all_parameters(
    function: Function,
    data: list[inspect.Parameter],
    own: list[inspect.Parameter],
    common: list[inspect.Parameter],
) -> list[inspect.Parameter]:
    """The parameters of a command in the order of its help, `--config` among them."""
    sources: list[Callable[..., Any]] = [data_options, judgement_options, common_options, function]
    hints = {key: hint for each in sources for key, hint in get_type_hints(each).items()}
    keys = {p.name: hints[p.name] for p in [*data, *own, *common] if p.name != "debug"}
    keyword = inspect.Parameter.KEYWORD_ONLY
    context = inspect.Parameter("context", keyword, annotation=typer.Context)
    config = inspect.Parameter("config", keyword, default=None, annotation=_config_file(keys))
    before = [p for p in own if _is_argument(p)]  # an argument of its own goes before DATA
    after = [p for p in own if not _is_argument(p)]
    return [context, *before, *data, *after, *common, config]


def _is_argument(parameter: inspect.Parameter) -> bool:
    """Whether a parameter is an argument of the command line, not an option."""
    told = getattr(parameter.annotation, "__metadata__", ())
    return any(isinstance(part, ArgumentInfo) for part in told)


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    return list(inspect.signature(function).parameters.values())


def _config_file(keys: Mapping[str, Any]) -> Any:
    """The option `--config`, whose values become the defaults of the options in `keys`."""

    def read(context: typer.Context, path: Path | None) -> Path | None:
        if path is not None:
            values, known = load_config(path), keys
            if isinstance(context.command, TrainingCommand):
                values, known = context.command.without_more(context, values, keys)
            context.default_map = check_config(values, known, path)
        return path

    option = typer.Option(
        help="YAML or TOML file of options.",
        metavar="FILE",
        is_eager=True,
        callback=read,
        rich_help_panel=EVERYWHERE,
    )
    return Annotated[Path | None, option]


def _invocation(
    argv: Sequence[str],
    everywhere: Mapping[str, Any],
    columns: Mapping[str, Any],
    kept: Mapping[str, Any],
) -> Invocation:
    if everywhere["seed"] < 0:
        raise UsageError(f"--seed must be 0 or more, not {everywhere['seed']}.")
    options = {
        key: str(value) if isinstance(value, Path) else value
        for key, value in kept.items()
        if value is not None and value != []
    }
    arguments = {key: value for key, value in columns.items() if value is not None}
    if columns:
        arguments["groups"] = _listed(arguments.pop("by", None))
        arguments["features"] = _listed(arguments.pop("features", None)) or None
    return Invocation(
        argv=argv,
        terminal=Terminal(quiet=everywhere["quiet"], as_json=everywhere["json"]),
        output=everywhere["output"],
        seed=everywhere["seed"],
        overwrite=everywhere["overwrite"],
        options=options,
        columns=arguments,
    )


def _listed(values: list[str] | None) -> list[str]:
    """Repeated options and lists joined by commas, as one list."""
    parts = [part.strip() for value in values or [] for part in value.split(",")]
    return [part for part in parts if part]
