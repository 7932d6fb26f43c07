"""Packages that only an extra installs, as the oracles of tests that are skipped without them."""

import importlib.util

import pytest

NO_EXTRA = "a package of an extra is not installed"


def extra(name):
    """The module of this name, or the reason to skip that tests/conftest.py allows."""
    return pytest.importorskip(name, reason=NO_EXTRA)


def installed(name: str) -> bool:
    """Whether the module of this name can be imported."""
    return importlib.util.find_spec(name) is not None
