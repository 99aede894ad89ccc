"""`mixlogit margins`: from texts and two language models to margins."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixlogit.cli.invocation import Invocation
from mixlogit.cli.options import Dtype, Truncation, model_option
from mixlogit.cli.terminal import Terminal
from mixlogit.errors import Interrupted
from mixlogit.run.words import plural

if TYPE_CHECKING:
    from mixlogit.lm import Margins

__all__ = ["margins"]

_WORK = "How the work is done"


def _work(text: str, metavar: str = "N") -> Any:
    return typer.Option(help=text, metavar=metavar, rich_help_panel=_WORK)


def margins(
    call: Invocation,
    *,
    policy: Annotated[str, model_option("The policy: a folder or hub id, also of an adapter.")],
    reference: Annotated[
        str | None, model_option("The reference; default: the policy without its adapter.")
    ] = None,
    tokenizer: Annotated[str | None, model_option("The tokenizer, if not the policy's.")] = None,
    dtype: Annotated[
        Dtype, model_option("Of the weights; auto: bfloat16 on a GPU.", "DTYPE")
    ] = "auto",
    device: Annotated[str | None, model_option("Such as cpu or cuda:0.", "DEVICE")] = None,
    max_length: Annotated[
        int | None, _work("Most tokens of a prompt with an answer; default: the model's.")
    ] = None,
    truncation: Annotated[
        Truncation, _work("What remains: keep_start or keep_end.", "SIDE")
    ] = "keep_start",
    batch_tokens: Annotated[int | None, _work("Tokens in a batch, padding included.")] = None,
    shard_rows: Annotated[int, _work("Rows in a shard.")] = 1000,
    cache: Annotated[
        str, _work("Folder of reference scores; auto: the user's; none: no cache.", "DIR")
    ] = "auto",
) -> None:
    """Log-ratios of a policy to a reference, chosen minus rejected: --output margins.parquet.

    A run that was stopped continues when the same command is given again.
    """
    import mixlogit as ml

    terminal = call.terminal
    try:
        with terminal.progress("margins", "comparisons") as show:
            found: Margins = ml.margins(
                **call.columns,
                policy=policy,
                reference=reference,
                output=call.output or Path("margins.parquet"),
                tokenizer=tokenizer,
                dtype=dtype,
                device=device,
                max_length=max_length,
                truncation=truncation,
                batch_tokens=batch_tokens,
                shard_rows=shard_rows,
                cache=None if cache == "none" else cache,
                overwrite=call.overwrite,
                progress=show,
            )
    except KeyboardInterrupt:
        message = "Interrupted; the same command continues where it stopped."
        raise Interrupted(message) from None
    _tell(terminal, found)
    terminal.result(found.to_dict())


def _tell(terminal: Terminal, found: "Margins") -> None:
    """What was done, in words."""
    terminal.say(
        f"margins  {plural(found.pairs, 'comparison')}, {found.pairs_per_second:,.3g} a second"
    )
    if found.counts.dropped:
        terminal.say(f"dropped  {plural(len(found.counts.dropped), 'row')}, the first ones:")
    for row in found.counts.dropped[:3]:
        terminal.say(f"         {row.file}, row {row.row}: {row.reason}")
    for reason, count in found.left_out.items():
        terminal.say(f"left out {plural(count, 'comparison')}: {reason}")
    if found.cache_hits:
        terminal.say(f"cache    reference scores of {plural(found.cache_hits, 'comparison')}")
    if found.fallback:
        terminal.say(f"slower   {found.fallback}")
    if found.positive is not None:
        terminal.say(f"choice   {found.positive:.0%} of margins agree with it")
    if found.longer_chosen is not None:
        terminal.say(f"length   the longer answer was chosen in {found.longer_chosen:.0%}")
    terminal.say(f"Wrote {found.output}")
