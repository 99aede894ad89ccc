"""A finished alignment, read from its run folder and ready to score."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mixlogit.align.dataset import PreferenceData
from mixlogit.align.settings import AlignSettings
from mixlogit.data import Comparisons, Labels, load
from mixlogit.errors import StorageError, UsageError
from mixlogit.lm.pairing import Pairing, open_pairing
from mixlogit.models import Priors
from mixlogit.models.held_out import recode
from mixlogit.run import refuse_damage
from mixlogit.run.manifest import MANIFEST

__all__ = ["Run"]


@dataclass(frozen=True, eq=False)
class Run:
    """A run folder of `mixlogit align`, ready to score.

    Attributes:
        path: The folder.
        settings: How strength entered.
        record: The rest of `alignment.json`.
    """

    path: Path
    settings: AlignSettings
    record: Mapping[str, Any]

    @classmethod
    def open(cls, path: str | Path) -> "Run":
        """Read what an alignment noted of itself.

        Raises:
            StorageError: The folder is not that of a finished alignment, or is damaged.
        """
        file = Path(path) / "alignment.json"
        if file.is_file() or (Path(path) / MANIFEST).is_file():
            refuse_damage(path)
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            message = f'{path} is not a finished run of "mixlogit align": {file.name} is missing.'
            if (Path(path).parent / file.name).is_file():
                message += f" Did you mean {Path(path).parent}?"
            raise StorageError(message, file=file) from error
        saved = record["settings"]
        priors = Priors(**{**saved["priors"], "lapse": tuple(saved["priors"]["lapse"])})
        settings = AlignSettings(**{**saved, "by": tuple(saved["by"]), "priors": priors})
        return cls(Path(path), settings, record)

    def margins(self) -> Comparisons:
        """The training comparisons with the finished policy's margins, labels as they were."""
        columns: Any = {"groups": [*self.settings.by]}
        data = load(self.path / "margins.parquet", **columns)
        groups = {}
        for name, found in data.groups.items():
            known = tuple(self.record["labels"][name])
            groups[name] = Labels(recode(found.labels, known, "group")[found.codes], known)
        return replace(data, groups=groups)

    def pairing(self, reference: Any, tokenizer: Any, **how: Any) -> Pairing:
        """The policy and its reference, loaded."""
        policy, record = self.path / "policy", self.record
        refuse_damage(self.path, "policy")
        adapted = (policy / "adapter_config.json").is_file()
        if reference is None and not (adapted and record["reference"] == record["model"]):
            reference = record["reference"]
            if reference is None:
                raise UsageError(f"{self.path} does not name its reference: add --reference.")
        lengths = {"max_length": record["max_length"], "truncation": record["truncation"]}
        return open_pairing(policy, reference, tokenizer, **lengths, **how)

    def read(self, data: Any, tokenizer: Any, by: Sequence[str], **columns: Any) -> PreferenceData:
        """Comparisons of texts, in the columns of the training unless others are named."""
        saved = {} if columns.get("schema") else dict(self.record["columns"])
        groups = dict.fromkeys([*self.settings.by, *saved.pop("groups", []), *by])
        how: Any = {**saved, **columns, "groups": [*groups]}
        return PreferenceData.read(
            data,
            tokenizer,
            max_length=self.record["max_length"],
            truncation=self.record["truncation"],
            **how,
        )
