"""The strength on disk."""

from pathlib import Path

import pytest
import torch

from mixlogit.align import AlignSettings, Objective, make_objective
from mixlogit.align.state import STATE_FILES, load_strength, save_strength
from mixlogit.data import Comparisons, Labels
from mixlogit.errors import StorageError, UsageError

N = 30


def objective(n: int = N, **settings: object) -> Objective:
    who = Labels(torch.arange(n) % 5, tuple("abcde"))
    data = Comparisons(outcome=torch.ones(n), margin=torch.zeros(n), respondent=who)
    return make_objective(data, AlignSettings(**settings))  # type: ignore[arg-type]


def step(trained: Objective, k: int) -> None:
    generator = torch.Generator().manual_seed(k)
    trained.step(torch.randn(10, generator=generator), torch.randperm(N, generator=generator)[:10])


@pytest.mark.parametrize(
    "settings",
    [{}, {"panel": False}, {"family": "fixed"}, {"contrarians": True, "lapse": "learned"}],
)
def test_it_continues_bit_for_bit(settings: dict[str, object], tmp_path: Path) -> None:
    whole, cut, resumed = (objective(**settings) for _ in range(3))
    for k in range(6):
        step(whole, k)
        if k < 3:
            step(cut, k)
    save_strength(cut, tmp_path)
    load_strength(resumed, tmp_path)
    for k in range(3, 6):
        step(resumed, k)
    wanted, found = whole.state_dict(), resumed.state_dict()
    assert wanted.keys() == found.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    save_strength(objective(), tmp_path)
    with pytest.raises(UsageError) as error:
        load_strength(objective(beta=0.2, family="gamma"), tmp_path)
    assert str(error.value) == (
        f"{tmp_path} was trained otherwise: family (was 'lognormal', is 'gamma'), beta (was 0.1, "
        "is 0.2). Restore this, or choose another --output."
    )
    with pytest.raises(UsageError) as error:
        load_strength(objective(n=31), tmp_path)
    assert str(error.value) == (
        f"{tmp_path} was trained otherwise: comparisons (was 30, is 31). Restore this, or choose "
        "another --output."
    )


@pytest.mark.parametrize("name", STATE_FILES)
def test_damage_is_told(name: str, tmp_path: Path) -> None:
    save_strength(objective(), tmp_path)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(StorageError, match=f"{name} is missing or damaged"):
        load_strength(objective(), tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(StorageError, match=f"{name} is missing or damaged"):
        load_strength(objective(), tmp_path)
