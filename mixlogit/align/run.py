"""`mixlogit.align`: from comparisons of texts and a language model to an aligned policy."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mixlogit.align.aligned import Aligned
from mixlogit.align.job import Finish, Job
from mixlogit.lm.load import quiet_transformers
from mixlogit.run import Progress, silent

__all__ = ["align"]


def align(
    data: Any,
    *,
    model: Any,
    output: str | Path,
    reference: Any = None,
    tokenizer: Any = None,
    by: Sequence[str] = (),
    test: Any = None,
    test_fraction: float | None = None,
    lora: int | None = None,
    dtype: str = "float32",
    seed: int = 0,
    overwrite: bool = False,
    command: Sequence[str] = (),
    progress: Progress | None = None,
    finish: Finish | None = None,
    **options: Any,
) -> Aligned:
    """Align a language model through the model of preference strength.

    The same call again goes on from the newest checkpoint, and of a finished run it returns
    what is there.

    Args:
        data: Comparisons of texts, as `mixlogit.texts` takes them.
        model: The policy: a model, or the folder or hub id of one.
        output: The run folder.
        reference: The reference; default: the policy as it is before the training.
        tokenizer: The tokenizer, if not the model's.
        by: Group columns with effects on strength.
        test: Held-out comparisons, in the same columns.
        test_fraction: Share of the prompts to hold out.
        lora: Rank of an adapter to train in place of all weights.
        dtype: Of models that are loaded.
        seed: Seed of everything random.
        overwrite: Begin an earlier run anew.
        command: What `run.json` tells as the command.
        progress: Called with a stage, steps done and steps in all.
        finish: Called with the folder of results before they take their place, to add files.
        **options: `schema`, `split`, `labels`, `bad_rows` and column names as for
            `mixlogit.texts`; arguments of `MixDPOConfig` and of `transformers.TrainingArguments`.

    Raises:
        DataError: A row is malformed.
        Interrupted: A signal ended the training; says what was saved.
        StorageError: The folder is something else, in use, or cannot be written.
        UsageError: Something cannot be used or loaded, or the run was begun otherwise.
    """
    given: dict[str, Any] = {"data": data, "test": test, "test_fraction": test_fraction}
    given |= {"model": model, "reference": reference, "tokenizer": tokenizer, "by": list(by)}
    given |= {"lora": lora, "dtype": dtype, "seed": seed, **options}
    job = Job(given, Path(output), progress or silent, finish)
    with quiet_transformers():
        return job.run(overwrite=overwrite, command=command)
