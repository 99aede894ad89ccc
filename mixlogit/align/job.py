"""One alignment from its data to its run folder."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback

from mixlogit.align.aligned import Aligned
from mixlogit.align.checkpoint import newest_whole
from mixlogit.align.config import MixDPOConfig
from mixlogit.align.dataset import PreferenceData
from mixlogit.align.prepare import (
    READING,
    Telling,
    open_policy,
    open_reference,
    sorted_out,
    training_arguments,
)
from mixlogit.align.results import judged_margins, model_card, spread_check, trained
from mixlogit.align.trainer import MixDPOTrainer
from mixlogit.data import Comparisons, data_record
from mixlogit.errors import Interrupted, UsageError
from mixlogit.lm.load import longest_text
from mixlogit.run import GrowingRun, Progress, write_json, write_parquet, write_text

__all__ = ["Finish", "Job"]

Finish = Callable[[Path, Aligned, Comparisons], None]
_NAMED = (
    *("data", "test", "test_fraction", "model", "reference", "tokenizer", "by", "lora"),
    *("dtype", "seed"),
)
_USUAL = {"dtype": "float32", "seed": 0, "bad_rows": "stop"}  # defaults that are not the trainer's


@dataclass
class Job:
    """One alignment.

    Args:
        given: What was asked for, by option.
        path: The run folder.
        progress: Told of the steps.
        finish: Adds files to the results.
    """

    given: dict[str, Any]
    path: Path
    progress: Progress
    finish: Finish | None = None

    def run(self, *, overwrite: bool, command: Sequence[str]) -> Aligned:
        """Train, or go on, or read what is done; the first of several processes writes."""
        rest = dict(self.given)
        named = {name: rest.pop(name) for name in _NAMED}
        self.reading = {name: rest.pop(name) for name in READING if name in rest}
        self.columns, arguments = sorted_out(rest)
        if named["test"] is not None and named["test_fraction"] is not None:
            raise UsageError("--test and --test-fraction are both given. Name one of them.")
        evaluated = named["test"] is not None or named["test_fraction"] is not None
        args = training_arguments(self.path, named["seed"], named["by"], evaluated, arguments)
        config = _config(self.given, self.path)
        folder = GrowingRun(
            self.path,
            command=command,
            config=config,
            chosen=_chosen(config),
            seed=named["seed"],
            overwrite=overwrite,
        )
        with ExitStack() as stack:
            with args.main_process_first(local=False):
                if args.process_index == 0:
                    stack.enter_context(folder)
            if folder.finished:
                return Aligned.read(self.path)
            try:
                aligned = self._align(args, folder)
            except KeyboardInterrupt:
                raise Interrupted(_saved(self.path)) from None
        args.distributed_state.wait_for_everyone()  # the others see what the first one wrote
        return aligned

    def _align(self, args: MixDPOConfig, folder: GrowingRun) -> Aligned:
        begin = time.monotonic()
        trainer = self._trainer(args)
        read = time.monotonic()
        trainer.train(resume_from_checkpoint="auto")
        seconds = {"read": read - begin, "train": time.monotonic() - read}
        result = self._result(trainer, seconds)
        aligned = Aligned(self.path, trainer.posterior, result)
        first = args.process_index == 0
        target = folder.folder if first else self.path
        trainer.save_model(str(target / "policy"))
        if first:
            (target / "policy" / "training_args.bin").unlink(missing_ok=True)  # a pickle
            self._write(trainer, aligned, target)
            if not all(check.ok for check in aligned.checks):
                folder.state = "check failed"
        return aligned

    def _trainer(self, args: MixDPOConfig) -> MixDPOTrainer:
        """Everything loaded and read, and the reference scored."""
        given, dtype = self.given, self.given["dtype"]
        model, tokenizer = open_policy(
            given["model"], given["tokenizer"], dtype=dtype, lora=given["lora"], seed=args.seed
        )
        args.max_length = args.max_length or longest_text(model)
        train = self._read(given["data"], tokenizer, args)
        held_out = None
        if given["test"] is not None:
            held_out = self._read(given["test"], tokenizer, args)
        elif given["test_fraction"] is not None:
            train, held_out = train.split(given["test_fraction"], args.seed)
        if held_out is not None:
            _refuse_strange(train.comparisons, held_out.comparisons, args.by)
        if args.process_index == 0:
            self._same_data(train.comparisons)
        device = "cpu" if args.use_cpu else None
        reference = open_reference(given["reference"], given["model"], dtype=dtype, device=device)
        self.progress("scoring the reference", 0, 0)
        trainer = MixDPOTrainer(
            model=model,
            args=args,
            train_dataset=train,
            eval_dataset=held_out,
            ref_model=reference,
            processing_class=tokenizer,
        )
        trainer.remove_callback(PrinterCallback)  # standard output may be for JSON
        trainer.add_callback(Telling(self.progress))
        return trainer

    def _read(self, data: Any, tokenizer: Any, args: MixDPOConfig) -> PreferenceData:
        how: Any = {**self.reading, **self.columns}
        how["groups"] = [*args.by]
        return PreferenceData.read(
            data,
            tokenizer,
            max_length=args.max_length,
            truncation=args.truncation_mode,
            **how,
        )

    def _same_data(self, data: Comparisons) -> None:
        """Refuse data that have changed since an earlier call; note them for a later one."""
        file, record = self.path / "data.json", data_record(data)
        if file.is_file():
            before = json.loads(file.read_text(encoding="utf-8"))
            if before["sha256"] != record["sha256"]:
                raise UsageError(
                    f"{data.source} has changed since {self.path} was begun. Restore it, choose "
                    "another --output, or add --overwrite to begin anew."
                )
        write_json(file, record)

    def _result(self, trainer: MixDPOTrainer, seconds: Mapping[str, float]) -> dict[str, Any]:
        """All figures; the object of `--json` without paths."""
        history = trainer.state.log_history
        self.progress("scoring the policy", 0, 0)
        result = trainer.fit_strength(self.progress).to_dict()
        timed = {**seconds, **result["seconds"]}
        timed["total"] = sum(seconds.values()) + result["seconds"]["total"]
        result["seconds"] = {name: round(value, 3) for name, value in timed.items()}
        check = spread_check(history)
        if check is not None and not trainer.args.load_best_model_at_end:
            result["checks"] = [*result["checks"], check.to_dict()]
        result |= {"steps": trainer.state.global_step, "train": trained(history), "eval": None}
        held_out = trainer.eval_dataset
        if held_out is not None:
            found: Any = trainer.predict(held_out, metric_key_prefix="eval")
            names = ("log_score", "accuracy", "margins")
            result["eval"] = {name: found.metrics[f"eval_{name}"] for name in names}
            margin = torch.zeros(len(held_out), dtype=torch.float64)
            margin[torch.from_numpy(found.label_ids)] = torch.from_numpy(
                found.predictions
            ).double()
            scored = replace(held_out.comparisons, margin=margin)
            result["held_out"] = trainer.posterior.held_out(scored)
        return result

    def _write(self, trainer: MixDPOTrainer, aligned: Aligned, target: Path) -> None:
        """The files of the run folder."""
        settings = trainer.args.strength().to_dict()
        base = _source(self.given["model"])
        margin = aligned.posterior.to_datatree()["constant_data"]["margin"].to_numpy()
        data = replace(trainer.train_dataset.comparisons, margin=torch.from_numpy(margin))
        aligned.posterior.write(target)
        write_json(target / "data.json", data_record(data))
        write_parquet(target / "margins.parquet", judged_margins(data, margin))
        write_json(target / "summary.json", aligned.result)
        write_json(target / "checks.json", aligned.result["checks"])
        against = self.given["reference"]
        record = {
            "settings": settings,
            "model": base,
            "reference": base if against is None else _source(against),
            "max_length": trainer.args.max_length,
            "truncation": trainer.args.truncation_mode,
            "labels": {name: data.groups[name].labels for name in trainer.args.by},
            "columns": {**self.reading, **self.columns, "groups": [*trainer.args.by]},
        }
        write_json(target / "alignment.json", record)
        lines = (json.dumps(entry) + "\n" for entry in trainer.state.log_history)
        write_text(target / "metrics.jsonl", "".join(lines))
        adapter = (target / "policy" / "adapter_config.json").is_file()
        card = model_card(base, aligned.result, settings, adapter=adapter)
        write_text(target / "policy" / "README.md", card)
        if self.finish is not None:
            self.finish(target, aligned, data)


def _source(model: Any) -> str | None:
    """Folder or hub id of a model; None where it was made in memory."""
    if isinstance(model, str | Path):
        return str(model)
    return getattr(model, "name_or_path", "") or None


def _name(thing: Any) -> str | None:
    """What the configuration calls data or a model."""
    return None if thing is None else _source(thing) or type(thing).__name__


def _config(given: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """What was asked for, as `--config` takes it."""
    things = ("data", "test", "model", "reference", "tokenizer")
    said = {**given, **{name: _name(given[name]) for name in things}}
    if isinstance(said.get("labels"), Mapping):
        said["labels"] = ",".join(f"{word}={own}" for word, own in said["labels"].items())
    if said.get("lapse") is not None:
        said["lapse"] = str(said["lapse"])
    kept = {name: value for name, value in said.items() if value is not None and value != []}
    return {**kept, "output": str(path)}


def _chosen(config: Mapping[str, Any]) -> list[str]:
    """The options in a configuration that are not the defaults."""
    usual = {one.name: one.default for one in fields(MixDPOConfig)} | _USUAL
    return [name for name, value in config.items() if value != usual.get(name)]


def _saved(path: Path) -> str:
    """What an interrupted training left, in words."""
    newest = newest_whole(path, rename=False)
    if newest is None:
        return "Interrupted before a checkpoint was saved; the same command begins anew."
    return f"Interrupted; {newest} is saved, and the same command goes on from it."


def _refuse_strange(train: Comparisons, held_out: Comparisons, by: Sequence[str]) -> None:
    """Refuse held-out comparisons that the strength could not score in the end."""
    for column in by:
        known = set(train.groups[column].labels)
        strange = [label for label in held_out.groups[column].labels if label not in known]
        if strange:
            raise UsageError(
                f'The held-out comparisons have a label "{strange[0]}" in "{column}" that no '
                "comparison to train on has."
            )
    if bool((held_out.outcome == 0.5).all()):
        raise UsageError("All held-out comparisons are ties, so none can be scored.")
