"""Completion: what the shell offers for the words of an option; each is asked for only when the Tab key is pressed."""

from __future__ import annotations

from collections.abc import Iterable

import typer


def models(incomplete: str) -> list[str]:
    """The names that `--model` takes."""
    from segcli.weights import manifest

    entries = [entry for entry in manifest.entries() if entry.role == "segmentation"]
    plain = [entry.variant for entry in entries if entry.default]
    names = [name for entry in entries for name in (entry.alias, entry.name) if name]
    return _beginning((*plain, *names), incomplete)


def weights(incomplete: str) -> list[str]:
    """The names that `segcli weights pull` takes: of models and of backbones."""
    from segcli.weights import manifest

    return _beginning([*models(""), *(entry.name for entry in manifest.entries())], incomplete)


def recipes(incomplete: str) -> list[str]:
    """The recipes that come with segcli."""
    from segcli.training.packaged import FOLDER

    return _beginning((path.stem for path in FOLDER.glob("*.toml")), incomplete)


def classes(ctx: typer.Context, incomplete: str) -> list[str]:
    """The classes of the model that the command line names, after those that are given already."""
    given, comma, last = incomplete.rpartition(",")
    chosen = given.split(",")
    names = [name for name in _classes_of(ctx.params) if name not in chosen]
    return [given + comma + name for name in _beginning(names, last)]


def _classes_of(options: dict) -> tuple[str, ...]:
    """The classes of the model that options name; none where the file cannot be read."""
    from segcli.errors import SegcliError
    from segcli.weights import reference

    try:
        if file := options.get("weights"):
            from segcli.weights import metadata

            return metadata.read(reference.checkpoint_at(file).path).labels.names
        found = reference.named(options.get("model") or reference.DEFAULT_MODEL)
        return found.labels.names if found.labels else ()
    except (SegcliError, OSError):
        return ()


def _beginning(names: Iterable[str], start: str) -> list[str]:
    return sorted({name for name in names if name.startswith(start)})
