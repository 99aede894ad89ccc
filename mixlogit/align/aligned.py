"""`Aligned`: an alignment that is done, as `mixlogit.align` returns it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mixlogit.models import Posterior, open_run
from mixlogit.models.verdict import Check
from mixlogit.run import refuse_damage
from mixlogit.run.notebook import html_table

__all__ = ["Aligned"]


@dataclass(frozen=True, eq=False)
class Aligned:
    """An alignment that is done.

    Attributes:
        path: Its run folder.
        posterior: Strength fitted freely on the finished policy's margins, as by `mixlogit.fit`.
        result: All figures: those of the posterior, and `steps`, `train`, `eval`, `held_out`.
    """

    path: Path
    posterior: Posterior
    result: Mapping[str, Any]

    @property
    def policy(self) -> Path:
        """The folder of the policy, for `from_pretrained`."""
        return self.path / "policy"

    @property
    def steps(self) -> int:
        """Steps of the policy's optimiser."""
        return int(self.result["steps"])

    @property
    def checks(self) -> list[Check]:
        """Every check, of the posterior and of the training."""
        return [Check(**check) for check in self.result["checks"]]

    def to_dict(self) -> dict[str, Any]:
        """The object of `mixlogit align --json`."""
        return {"run": str(self.path), "policy": str(self.policy), **self.result}

    def __repr__(self) -> str:
        """The policy's folder, the steps and the posterior in one line."""
        return f"Aligned({self.policy}, {self.steps:,} steps, {self.posterior!r})"

    def _repr_html_(self) -> str:
        """In notebooks: the policy's folder, and the posterior."""
        title = f"Aligned in {self.steps:,} steps: {self.policy}"
        return html_table(title, [], []) + self.posterior._repr_html_()

    @classmethod
    def read(cls, path: str | Path) -> "Aligned":
        """A finished alignment from its run folder.

        Raises:
            StorageError: If the folder is no run, or a file of it is damaged.
        """
        posterior = open_run(path)
        refuse_damage(path, "policy")
        result = json.loads((Path(path) / "summary.json").read_text(encoding="utf-8"))
        return cls(Path(path), posterior, result)
