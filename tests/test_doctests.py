"""Every example in a docstring runs, and every public name has one."""

import doctest
import inspect
from importlib import import_module

import pytest
from tree import modules

import mixlogit


@pytest.mark.parametrize("name", modules())
def test_examples_run(name: str) -> None:
    # by import and not by --doctest-modules, which imports models/ a second time as `models`
    assert doctest.testmod(import_module(name)).failed == 0


@pytest.mark.parametrize("name", sorted(set(mixlogit.__all__) - {"__version__"}))
def test_public_names_have_an_example(name: str) -> None:
    assert ">>>" in (inspect.getdoc(getattr(mixlogit, name)) or "")


@pytest.mark.parametrize("name", modules())
def test_public_names_have_a_docstring(name: str) -> None:
    module = import_module(name)
    public = {key: getattr(module, key) for key in module.__all__}
    documented = {
        key: inspect.isroutine(value) or inspect.isclass(value) for key, value in public.items()
    }
    # what a function or class inherits does not count
    assert [key for key, asked in documented.items() if asked and not public[key].__doc__] == []
