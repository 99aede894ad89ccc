"""Special tokens that texts spell out: what somebody wrote must not steer a model unnoticed."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["Specials"]


class Specials:
    """The special tokens of a tokenizer, found in texts and among token ids.

    Attributes:
        ids: Their ids, without that of unknown words, which any text may lead to.

    Example:
        >>> from tokenizers import Tokenizer, models
        >>> from transformers import PreTrainedTokenizerFast
        >>> words = Tokenizer(models.WordLevel({"</s>": 0, "yes": 1}))
        >>> tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="</s>")
        >>> specials = Specials(tokenizer)
        >>> specials.first_of(["yes", "no</s>"]), specials.first_of(["yes"]), specials.ids
        ('</s>', '', frozenset({0}))
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        found = dict(zip(tokenizer.all_special_tokens, tokenizer.all_special_ids, strict=True))
        added = getattr(tokenizer, "added_tokens_decoder", {})
        found |= {str(token): number for number, token in added.items() if token.special}
        self.ids = frozenset(found.values()) - {tokenizer.unk_token_id}
        longest_first = sorted(filter(None, found), key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    def first_of(self, texts: Iterable[str]) -> str:
        """The first special token that one of the texts spells out, or an empty text."""
        matches = (self._pattern.search(text) for text in texts)
        return next((match[0] for match in matches if match), "")
