"""Packages that only an extra installs, as the oracles of tests that are skipped without them."""

import pytest

NO_EXTRA = "a package of an extra is not installed"


def extra(name):
    """The module of this name, or the reason to skip that tests/conftest.py allows."""
    return pytest.importorskip(name, reason=NO_EXTRA)
