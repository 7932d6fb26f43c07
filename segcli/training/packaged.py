"""The recipes that come with segcli, and what a recipe's name or path means."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from segcli.errors import UsageError, nearest
from segcli.files.paths import shown
from segcli.training import recipe
from segcli.training.recipe import Recipe

FOLDER = Path(__file__).parent / "recipes"
LISTED = "`segcli recipes` lists those that come with segcli."


@dataclass(frozen=True)
class PackagedRecipe:
    """A recipe that comes with segcli.

    Attributes:
        name: What `segcli train --config` calls it.
        path: Its TOML file.
        text: The file's text.
    """

    name: str
    path: Path
    text: str

    @property
    def description(self) -> str:
        """One line on what it is for: the first line of the file, a comment."""
        return self.text.partition("\n")[0].removeprefix("#").strip()

    def read(self) -> Recipe:
        """The recipe itself."""
        return recipe.read(self.path)


@cache
def all_recipes() -> Mapping[str, PackagedRecipe]:
    """Every recipe that comes with segcli, by name."""
    paths = sorted(FOLDER.glob("*.toml"))
    return {path.stem: PackagedRecipe(path.stem, path, path.read_text(encoding="utf-8")) for path in paths}


def get(name: str) -> PackagedRecipe:
    """The recipe of that name; UsageError where there is none."""
    if name not in all_recipes():
        raise UsageError(f"no recipe is called {name!r}", nearest(name, all_recipes(), LISTED))
    return all_recipes()[name]


def is_packaged(reference: str | Path) -> bool:
    """Whether a recipe's name or path means one that comes with segcli."""
    return isinstance(reference, str) and reference in all_recipes() and find(reference).parent == FOLDER


def find(reference: str | Path) -> Path:
    """The file of a recipe.

    Args:
        reference: The name of a recipe that comes with segcli, or the path of a file. Text with a slash or the suffix
            .toml, and any Path, is a path first and last; other text is a name first.

    Raises:
        UsageError: There is no such recipe.
    """
    path = Path(reference).expanduser()
    if isinstance(reference, str) and "/" not in reference and "\\" not in reference and path.suffix != ".toml":
        return path if reference not in all_recipes() and path.is_file() else get(reference).path
    if not path.exists():
        near = nearest(path.stem, all_recipes(), LISTED)
        hint = f"It comes with segcli: --config {path.stem}" if path.stem in all_recipes() else near
        raise UsageError(f"cannot read the recipe {shown(path)}: No such file or directory", hint)
    return path
