"""The strength inside TRL's `DPOTrainer`, for who trains with TRL already: `mixlogit[trl]`."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer

from mixlogit.align.objective import Objective, make_objective
from mixlogit.align.settings import AlignSettings
from mixlogit.align.state import KeepStrength
from mixlogit.align.stepping import StrengthStep
from mixlogit.align.units import units_in
from mixlogit.data import Comparisons, load
from mixlogit.errors import UsageError

__all__ = ["TRLMixDPOTrainer"]

_INDEX = "position of comparison"  # column that leads from a batch to who judged
_MARGIN = "margin of training"  # a column that `load` needs and nobody reads
_TEXTS = ("prompt", "chosen", "rejected", "tools", "chat_template_kwargs")
_PLAIN = {
    **{"loss_type": ["sigmoid"], "label_smoothing": 0.0, "ld_alpha": None},
    **{"use_weighting": False, "f_divergence_type": "reverse_kl"},
}


class TRLMixDPOTrainer(DPOTrainer):
    """TRL's trainer with the loss and the strength's step of `MixDPOTrainer`; sends nothing home.

    Args:
        model: As for `DPOTrainer`.
        args: TRL's arguments; `beta` and `seed` are the strength's too.
        train_dataset: A `datasets.Dataset` of texts and of columns that `columns` names.
        eval_dataset: The same, or None.
        strength: How strength enters.
        columns: Column names by role, as `mixlogit.load` takes them: `respondent` and so on.
        **others: As for `DPOTrainer`.

    Attributes:
        objective: The strength that is learned.

    Raises:
        UsageError: For a loss of TRL's that is not plain DPO.

    Example:
        >>> from datasets import Dataset
        >>> data = Dataset.from_list([{"prompt": "why", "chosen": "so", "rejected": "no"}])
        >>> plain = {"use_cpu": True, "bf16": False, "gradient_checkpointing": None}
        >>> args = DPOConfig(loss_type=["ipo"], **plain)
        >>> TRLMixDPOTrainer("gpt2", args, data)
        Traceback (most recent call last):
        mixlogit.errors.UsageError: loss_type must stay ['sigmoid'], not ['ipo']: strength takes \
the place of TRL's own losses.
    """

    def __init__(
        self,
        model: Any,
        args: DPOConfig,
        train_dataset: Any,
        eval_dataset: Any = None,
        *,
        strength: AlignSettings | None = None,
        columns: dict[str, Any] | None = None,
        **others: Any,
    ) -> None:
        for name, plain in _PLAIN.items():
            if getattr(args, name) != plain:
                raise UsageError(
                    f"{name} must stay {plain!r}, not {getattr(args, name)!r}: strength takes the "
                    "place of TRL's own losses."
                )
        args.remove_unused_columns = False  # the position must reach the loss
        train = _judged(train_dataset, columns or {})
        settings = replace(strength or AlignSettings(), beta=args.beta, seed=args.seed)
        self.objective: Objective = make_objective(train, settings)
        if eval_dataset is not None:
            held_out = _judged(eval_dataset, columns or {})
            self._judges = units_in(self.objective.votes, train, held_out)
            eval_dataset = eval_dataset.add_column(_INDEX, range(len(eval_dataset)))
        train_dataset = train_dataset.add_column(_INDEX, range(len(train_dataset)))
        super().__init__(
            model, args=args, train_dataset=train_dataset, eval_dataset=eval_dataset, **others
        )
        collate = self.data_collator

        def with_index(rows: list[dict[str, Any]]) -> dict[str, Tensor]:
            return {**collate(rows), _INDEX: torch.tensor([row[_INDEX] for row in rows])}

        self.data_collator = with_index
        self._step = _Step(self.objective, self.accelerator, args.beta)
        self._step.logged = self._metrics["train"]
        for callback in (self._step, KeepStrength(self.objective)):
            self.add_callback(callback)

    def _send_telemetry(self) -> None:
        """Send nothing."""

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """The policy's loss; in evaluation, minus the log predictive."""
        index = inputs[_INDEX]
        inputs = {name: part for name, part in inputs.items() if name != _INDEX}
        kept = ("completion_mask", "ref_chosen_logps", "ref_rejected_logps")
        forward = {name: part for name, part in inputs.items() if name not in kept}
        labels = inputs["input_ids"].masked_fill(inputs["completion_mask"] == 0, -100)
        scores = model(**forward, labels=labels, fused_lm_head=True, use_cache=False).log_probs
        chosen, rejected = scores.sum(-1).chunk(2)
        if self.precompute_ref_logps:
            before = inputs["ref_chosen_logps"] - inputs["ref_rejected_logps"]
        else:
            reference = self.ref_model or self.model
            # a method of TRL's without annotations
            first, second = self.compute_ref_log_probs(reference, inputs)  # type: ignore[no-untyped-call]
            before = first - second
        margin = chosen - rejected - before
        if model.training:
            loss = self._step.loss(margin, index)
        else:
            unit, block = (part[index.cpu()] for part in self._judges)
            loss = -self.objective.log_predictive(margin, unit, block).mean().to(margin)
        return (loss, model(**forward)) if return_outputs else loss


class _Step(StrengthStep):
    """The strength's step, told to TRL's log."""

    logged: Any

    def on_step_end(self, *arguments: Any, **others: Any) -> None:
        super().on_step_end()
        for name, value in self.told().items():
            earlier = [] if name.startswith("strength/") else self.logged[name]  # TRL takes means
            self.logged[name] = [*earlier, value]


def _judged(data: Any, columns: dict[str, Any]) -> Comparisons:
    """Everything but the texts and the margins, which are not known yet."""
    table = data.remove_columns([name for name in _TEXTS if name in data.column_names])
    return load(table.add_column(_MARGIN, [1.0] * len(data)), margin=_MARGIN, **columns)
