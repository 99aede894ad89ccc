"""Modules of the benchmarks, which import each other from their own folder."""

import importlib
import sys
from collections.abc import Callable
from types import ModuleType

import pytest
from tree import ROOT


@pytest.fixture(scope="session")
def benchmark_module() -> Callable[[str], ModuleType]:
    """Import a module of benchmarks/ by name."""

    def load(name: str) -> ModuleType:
        sys.path.insert(0, str(ROOT / "benchmarks"))
        try:
            return importlib.import_module(name)
        finally:
            sys.path.remove(str(ROOT / "benchmarks"))

    return load
