"""`MixDPOTrainer`: a thin subclass of `transformers.Trainer`.

Overridden are the loss, the strength's step behind the optimiser's, what is logged and measured,
and how checkpoints are written and read.
"""

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import EvalPrediction, Trainer, TrainerState
from transformers.trainer_utils import TrainOutput, rotate_checkpoints

from mixlogit.align.checkpoint import newest_whole, reading, writing
from mixlogit.align.config import MixDPOConfig
from mixlogit.align.dataset import PreferenceData
from mixlogit.align.model import drop_nothing, load_weights
from mixlogit.align.objective import Objective, make_objective
from mixlogit.align.ratios import log_ratios
from mixlogit.align.refit import refit, spread_warning
from mixlogit.align.signals import StopOnSignal
from mixlogit.align.state import load_strength, save_strength
from mixlogit.align.stepping import StrengthStep
from mixlogit.align.units import units_in
from mixlogit.errors import NumericsWarning
from mixlogit.lm import Row, Scorer
from mixlogit.lm.load import load_model, load_tokenizer
from mixlogit.lm.reference import Reference
from mixlogit.models import Posterior
from mixlogit.run import Progress, write_manifest

__all__ = ["MixDPOTrainer"]


class MixDPOTrainer(Trainer):
    """Aligns a causal language model through the model of preference strength.

    Args:
        model: The policy: a model, a `PeftModel`, or the folder or hub id of one.
        args: The arguments.
        train_dataset: Comparisons as `mixlogit.data.texts` takes them, or a `PreferenceData`.
        eval_dataset: The same, to evaluate on.
        ref_model: The reference; None: the policy as it is now (without its adapter, if it has
            one).
        processing_class: The policy's tokenizer; None: the one that lies with it.
        **others: As for `transformers.Trainer`.

    Attributes:
        objective: The strength that is learned.
        scorer: Scores answers by the policy.
        reference: Log-ratios of the reference, of chosen against rejected, by data set.

    Example:
        >>> MixDPOTrainer("no/such/model", MixDPOConfig(output_dir="runs/y"), None)
        Traceback (most recent call last):
        mixlogit.errors.UsageError: no/such/model: no such folder of a model.
    """

    args: MixDPOConfig
    train_dataset: PreferenceData
    eval_dataset: Any

    def __init__(
        self,
        model: Any,
        args: MixDPOConfig,
        train_dataset: Any,
        eval_dataset: Any = None,
        ref_model: Any = None,
        processing_class: Any = None,
        **others: Any,
    ) -> None:
        if isinstance(model, str | Path):
            processing_class = processing_class or load_tokenizer(model)
            model = load_model(model, device="cpu")
        if args.disable_dropout:
            drop_nothing(model)
        self.scorer = Scorer(model)
        train = self._read(train_dataset, processing_class, args)
        evaluated = None
        if eval_dataset is not None:
            evaluated = self._read(eval_dataset, processing_class, args)
        super().__init__(
            model=model,
            args=args,
            data_collator=self._collate,
            train_dataset=train,
            eval_dataset=evaluated,
            processing_class=processing_class,
            compute_metrics=self._metrics,
            **others,
        )
        self.model_accepts_loss_kwargs = False  # our loss is a mean over the batch
        self.objective: Objective = make_objective(train.comparisons, args.strength())
        adapted = hasattr(model, "disable_adapter")
        other = ref_model if ref_model is not None else None if adapted else model
        reference = Reference(self.scorer, other)
        self.reference = {"train": self._log_ratios(reference, train)}
        if evaluated is not None:
            self.reference["eval"] = self._log_ratios(reference, evaluated)
            self._judges = units_in(self.objective.votes, train.comparisons, evaluated.comparisons)
        self._step = StrengthStep(self.objective, self.accelerator, args.beta)
        self._stop = StopOnSignal()
        for callback in (self._step, self._stop):  # the step before anything is logged or saved
            self.add_callback(callback)
        self._watched: tuple[list[float], list[float]] = ([], [])
        self._posterior: Posterior | None = None

    def _read(self, data: Any, tokenizer: Any, args: MixDPOConfig) -> PreferenceData:
        if isinstance(data, PreferenceData):
            return data
        return PreferenceData.read(
            data,
            tokenizer,
            max_length=args.max_length,
            truncation=args.truncation_mode,
            respondent=args.respondent,
            groups=args.by,
            outcome=args.outcome,
            weight=args.weight,
        )

    def _collate(self, items: list[tuple[int, Row]]) -> dict[str, Tensor]:
        index, rows = zip(*items, strict=True)
        return {**self.scorer.collate(rows), "index": torch.tensor(index)}

    def _log_ratios(self, scored: Any, data: PreferenceData) -> Tensor:
        return log_ratios(scored, data.rows, self.accelerator, tokens=self.args.score_tokens)

    def _margins(self, model: nn.Module, inputs: dict[str, Any], which: str) -> Any:
        """Margins of a batch and their positions."""
        index = inputs["index"]
        scores = model(**{name: part for name, part in inputs.items() if name != "index"})
        chosen, rejected = scores.logp.view(-1, 2).unbind(-1)
        before = self.reference[which][index.cpu()].to(chosen)
        return chosen - rejected - before, index

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """The policy's loss at this step's draw of the strength."""
        margin, index = self._margins(model, inputs, "train")
        loss = self._step.loss(margin, index)
        return (loss, {"margin": margin}) if return_outputs else loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds the strength, and means since the last log, to what is logged of training."""
        if "loss" in logs:
            logs |= self._step.told()
        super().log(logs, start_time)

    def prediction_step(
        self, model: nn.Module, inputs: dict[str, Any], *arguments: Any, **others: Any
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Minus the log score of a batch, its margins, and their positions."""
        inputs = self._prepare_inputs(inputs)
        with torch.no_grad(), self.compute_loss_context_manager():
            margin, index = self._margins(model, inputs, "eval")
        return -self._scores(margin, index).mean().to(margin), margin, index

    def _scores(self, margin: Tensor, index: Tensor) -> Tensor:
        """Log predictive of what was recorded, a `comparison`-vector."""
        index = index.cpu()
        unit, block = (part[index] for part in self._judges)
        first, second = (
            self.objective.log_predictive(sign * margin, unit, block) for sign in (1, -1)
        )
        outcome: Tensor = self.eval_dataset.comparisons.outcome[index]
        return outcome * first + (1 - outcome) * second

    def _metrics(self, found: EvalPrediction) -> dict[str, float]:
        margin, index = map(torch.from_numpy, (found.predictions, found.label_ids))
        signed = margin * (2 * self.eval_dataset.comparisons.outcome[index] - 1)
        decided = signed[self.eval_dataset.comparisons.outcome[index] != 0.5]
        return {
            "log_score": float(self._scores(margin, index).mean()),
            "accuracy": float((decided > 0).double().mean()),
            "margins": float(signed.mean()),
            "strength_cv": self.objective.describe()["cv"],
        }

    def evaluate(self, *arguments: Any, **others: Any) -> dict[str, float]:
        """Log score, accuracy and margins; warns of a spread that grows with overfitting."""
        metrics: dict[str, float] = super().evaluate(*arguments, **others)
        spread, score = self._watched
        spread.append(self.objective.describe()["cv"])
        score.append(next(v for name, v in metrics.items() if name.endswith("log_score")))
        words = spread_warning(spread, score)
        if words is not None:
            warnings.warn(words, NumericsWarning, stacklevel=2)
        return metrics

    @property
    def posterior(self) -> Posterior:
        """The strength fitted freely on the policy's present margins."""
        return self.fit_strength()

    def fit_strength(self, progress: Progress | None = None) -> Posterior:
        """The posterior, fitted once after each training.

        Args:
            progress: Called with a stage, steps done and steps in all.
        """
        if self._posterior is None:
            data = self.train_dataset
            margin = self._log_ratios(self.scorer, data) - self.reference["train"]
            settings = self.args.strength()
            self._posterior = refit(data.comparisons, margin, settings, progress=progress)
        return self._posterior

    def train(
        self,
        resume_from_checkpoint: Any = None,
        trial: Any = None,
        ignore_keys_for_eval: list[str] | None = None,
    ) -> Any:
        """Train; `resume_from_checkpoint="auto"` goes on from the newest whole checkpoint.

        Raises:
            KeyboardInterrupt: If a signal ended it; a checkpoint was saved.
        """
        self._posterior = None
        if resume_from_checkpoint == "auto":
            rename = self.args.should_save
            found = newest_whole(str(self.args.output_dir), rename=rename)
            resume_from_checkpoint = None if found is None else str(found)
        if isinstance(resume_from_checkpoint, str):
            with reading(resume_from_checkpoint):
                state = TrainerState.load_from_json(f"{resume_from_checkpoint}/trainer_state.json")
            if 0 < self.args.max_steps <= state.global_step:
                return self._as_it_ended(resume_from_checkpoint, state)
        output = super().train(resume_from_checkpoint, trial, ignore_keys_for_eval)
        if self._stop.received is not None:
            raise KeyboardInterrupt
        return output

    def _as_it_ended(self, checkpoint: str, state: TrainerState) -> TrainOutput:
        """What a training left that had made all its steps; transformers would add one."""
        self.state = state
        best = state.best_model_checkpoint if self.args.load_best_model_at_end else None
        self._load_from_checkpoint(best or checkpoint)
        return TrainOutput(state.global_step, 0.0, {})

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """Model, optimiser and strength, then the manifest; only then are older ones removed."""
        output = Path(self._get_output_dir(trial=trial))
        folder = output / f"checkpoint-{self.state.global_step}"
        kept, self.args.save_total_limit = self.args.save_total_limit, None
        try:
            with writing(folder):
                super()._save_checkpoint(model, trial)
                self.accelerator.wait_for_everyone()  # whose files the manifest lists
                if self.args.should_save:
                    save_strength(self.objective, folder)
                    write_manifest(folder)
        finally:
            self.args.save_total_limit = kept
        if self.args.should_save:
            rotate_checkpoints(
                output_dir=str(output),
                save_total_limit=kept,
                best_model_checkpoint=self.state.best_model_checkpoint,
                use_mtime=True,
            )

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        with reading(resume_from_checkpoint):
            self._load_weights(resume_from_checkpoint, model or self.model)
        load_strength(self.objective, resume_from_checkpoint)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        with reading(checkpoint):
            super()._load_optimizer_and_scheduler(checkpoint)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        with reading(checkpoint):
            super()._load_rng_state(checkpoint)

    def _load_best_model(self) -> None:
        self._load_from_checkpoint(str(self.state.best_model_checkpoint))

    def _load_weights(self, folder: str, model: Any) -> None:
        if self.is_fsdp_enabled or hasattr(model, "peft_config"):
            super()._load_from_checkpoint(folder, model)
            return
        load_weights(model, folder)
