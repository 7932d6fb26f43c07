"""Prints a constraint for pip of each dependency in pyproject.toml: the lowest version that it allows."""

import re
import sys
import tomllib
from pathlib import Path

LOWEST = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?>=([0-9][0-9.]*)")


def constraints(pyproject: Path) -> list[str]:
    """The lines NAME==VERSION, of the dependencies that every installation has."""
    declared = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["dependencies"]
    return [f"{found[1]}=={found[2]}" for found in map(LOWEST.match, declared) if found]


if __name__ == "__main__":
    sys.stdout.write("\n".join(constraints(Path(__file__).parents[1] / "pyproject.toml")) + "\n")
