"""The public interface: what `import segcli` offers, what it costs, and what the package brings along."""

import subprocess
import sys
from importlib import resources

import pytest

import segcli


def test_every_public_name_is_there():
    for name in segcli.__all__:
        assert getattr(segcli, name) is not None, name
    assert set(segcli.__all__) <= set(dir(segcli))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = segcli.nothing


def test_every_public_name_explains_itself():
    for name in segcli.__all__:
        value = getattr(segcli, name)
        assert name == "__version__" or value.__doc__, name


def test_importing_it_loads_neither_torch_nor_numpy():
    code = "import sys, segcli; print({'torch', 'numpy', 'PIL', 'typer'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_type_checkers_find_its_types():
    assert resources.files("segcli").joinpath("py.typed").is_file()
