"""Fixtures shared by all tests."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import network  # before the hub's libraries are imported
import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]
no_network = network.no_network
REQUIRE_DATA = os.environ.get("MIXLOGIT_REQUIRE_DATA", "") not in ("", "0")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where the real data must be there (.ci/run), a skipped test is a failed one."""
    report = yield
    if REQUIRE_DATA and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, but MIXLOGIT_REQUIRE_DATA is set: {report.longrepr}"
    return report


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
