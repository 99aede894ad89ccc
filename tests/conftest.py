"""Fixtures shared by all tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _seed() -> Iterator[None]:
    """Seed every test, and fail one that leaves torch's global state changed."""
    torch.manual_seed(0)
    validate, dtype = torch.distributions.Distribution._validate_args, torch.get_default_dtype()
    yield
    assert torch.distributions.Distribution._validate_args == validate
    assert torch.get_default_dtype() == dtype


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout; a test that needs it skips without it."""
    folder = Path(os.environ.get("MIXLOGIT_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}")
    return folder
