"""Commented: a recipe as a TOML file that says in plain words what each key does, for people who will change it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tomli_w

from segcli.training.recipe import Recipe

WORDS: Mapping[str, str] = {
    "model.init": "the weights to start from: a name of `segcli models`, or a checkpoint of yours",
    "model.output_stride": "the pixels between two features as it learns: 16 is fast, 8 is finer; 0: the model's own",
    "model.eval_output_stride": "the same when it is scored, and when it predicts",
    "model.freeze_backbone": "in the first so many iterations only the last layers learn",
    "data.images": "the folder of your photos; paths count from the folder in which you give the command",
    "data.masks": "the folder of their labels, or one label file; empty: they lie beside the photos",
    "data.labels": "your classes in the order of their numbers; empty: the labels name them",
    "data.val_images": "photos to score the model by, with their labels in val_masks; empty: some are held out",
    "data.val_masks": "the labels of val_images",
    "data.holdout": "the share of the photos that the model is scored by and does not learn from",
    "data.size": "the longer side of a photo for the network, in pixels; larger finds smaller things, slower",
    "schedule.minutes": "the training ends after so many minutes; 0: after all iterations",
    "schedule.iterations": "how many steps the model learns; more is better, and takes longer",
    "schedule.batch": "how many pieces of photos it looks at in a step; halve it where memory runs out",
    "schedule.rate": "how much it changes in a step; a third of it where the score jumps up and down",
    "augment.crop": "the side of these pieces, in pixels; smaller needs less memory",
    "augment.scale": "photos are shrunk and enlarged by factors between these two",
    "augment.flip": "mirror photos left to right; false where left and right differ, as in text",
    "augment.flip_vertical": "mirror them upside down too: right for cells and for fields from above",
    "augment.quarter_turns": "turn them by quarters too: right for the same",
    "augment.colour": "change brightness and colour by up to this share; 0: not at all",
    "loss.lovasz": "1.0 makes small classes count as much as large ones; 0: off",
    "run.device": "auto, cpu, or cuda for an NVIDIA card",
    "run.seed": "another number makes other random choices",
    "run.validate_every": "after so many iterations the model is scored, and kept if it is the best",
    "run.patience": "the training ends after so many scores without a gain; 0: never",
}
"""What the keys that a beginner may change do, a line each."""


def text(recipe: Recipe, head: Sequence[str] = ()) -> str:
    """A recipe as TOML: the keys of WORDS with their comments, and those that are not at their default.

    Args:
        recipe: Any recipe; reading the text gives an equal one.
        head: Lines of comment for the head of the file.
    """
    lines = [f"# {line}".rstrip() for line in head]
    plain = Recipe().to_dict()
    for name, table in recipe.to_dict().items():
        kept = {key: value for key, value in table.items() if _is_told(name, key, value, plain[name])}
        if kept:
            lines += ["", *_table(name, kept)]
    return "\n".join(lines).lstrip("\n") + "\n"


def _is_told(name: str, key: str, value: Any, plain: Mapping[str, Any]) -> bool:
    return f"{name}.{key}" in WORDS or key not in plain or plain[key] != value


def _table(name: str, values: Mapping[str, Any]) -> Iterator[str]:
    """The lines of a table; tables within it come last, as TOML wants it."""
    yield f"[{name}]"
    for key, value in values.items():
        if isinstance(value, dict):
            continue
        if f"{name}.{key}" in WORDS:
            yield f"# {WORDS[f'{name}.{key}']}"
        yield tomli_w.dumps({key: value}).rstrip("\n")
    for key, value in values.items():
        if isinstance(value, dict):
            yield tomli_w.dumps({name: {key: value}}).rstrip("\n")
