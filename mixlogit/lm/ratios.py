"""Columns of margins: policy against reference, for encoded comparisons."""

from typing import Any

from numpy.typing import NDArray

from mixlogit.lm.encoded import Encoded
from mixlogit.lm.reference import Reference
from mixlogit.lm.rows import unique_rows
from mixlogit.lm.scorer import Scorer

__all__ = ["COLUMNS", "margin_columns"]

COLUMNS = (
    "margin",
    *("logp_chosen", "logp_rejected", "ref_logp_chosen", "ref_logp_rejected"),
    *("mean_logp_chosen", "mean_logp_rejected", "ref_mean_logp_chosen", "ref_mean_logp_rejected"),
    *("length_chosen", "length_rejected"),
)


def margin_columns(
    encoded: Encoded, policy: Scorer, reference: Reference, *, tokens: int = 2048
) -> dict[str, NDArray[Any]]:
    """Margins, and the log-probabilities and lengths that they come from.

    The margin is chosen minus rejected of the log-ratio, which is the log-probability of an
    answer under the policy minus that under the reference (Rafailov et al. 2023, eq. 5, without
    the strength). An answer that several comparisons share is scored once.

    Args:
        encoded: The comparisons.
        policy: Scores them.
        reference: Scores them too.
        tokens: Most tokens that go through a model at a time, padding included.

    Returns:
        A `comparison`-vector for each name in `COLUMNS`: `logp_` sums over the tokens of an
        answer in nats, `mean_logp_` the same per token, `length_` the tokens.

    Example:
        >>> from transformers import LlamaConfig, LlamaForCausalLM
        >>> sizes = dict(hidden_size=8, intermediate_size=8, num_attention_heads=2, vocab_size=9)
        >>> model = LlamaForCausalLM(LlamaConfig(num_hidden_layers=1, **sizes))
        >>> policy = Scorer(model)
        >>> one = Encoded(prompt=[[5, 6]], chosen=[[7, 2]], rejected=[[8, 1, 2]], row=[0])
        >>> columns = margin_columns(one, policy, Reference(policy, model))
        >>> columns["margin"].tolist(), columns["length_rejected"].tolist()
        ([0.0], [3])
    """
    rows, index = unique_rows(encoded)
    ours, theirs = policy.score(rows, tokens=tokens), reference.score(rows, tokens=tokens)
    logp, ref_logp = ours.logp.numpy()[index], theirs.logp.numpy()[index]
    length = ours.length.numpy()[index]
    ratio = logp - ref_logp
    sides = (logp, ref_logp, logp / length, ref_logp / length, length)
    values = [ratio[:, 0] - ratio[:, 1], *(part[:, side] for part in sides for side in (0, 1))]
    return dict(zip(COLUMNS, values, strict=True))
