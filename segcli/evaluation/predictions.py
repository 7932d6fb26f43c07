"""Predictions: label maps in a folder, in the form that each benchmark's server takes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from segcli.data.dataset import Dataset, Sample, count_ids, ids_of, map_ids
from segcli.data.layouts import cityscapes_ids
from segcli.errors import InputError
from segcli.files.atomic import write_whole
from segcli.files.paths import shown
from segcli.files.sources import label_maps
from segcli.images import masks
from segcli.labels import CITYSCAPES, CITYSCAPES_LABEL_IDS, VOID, LabelSet

LABEL_IDS = "_labelIds"
"""The end of the names of files that hold Cityscapes' own ids instead of its 19 classes."""

MASKS = (".png", ".tif")
"""The suffixes of the masks that segcli writes: GeoTIFF of photos that are GeoTIFFs, else PNG."""
_RUN = "segcli:run"


@dataclass(frozen=True)
class Predictions:
    """A folder with one predicted label map for each sample of a dataset.

    VOC's lie where its devkit expects them, `results/VOC2012/Segmentation/comp6_val_cls/2007_000033.png`; archive
    `results` to submit them. Cityscapes' hold the ids of its label files, as its server and its own evaluation script
    want them: `frankfurt_000000_000294_labelIds.png`. Those of other datasets are palette PNGs of the sample's name.

    Attributes:
        folder: The folder that holds them.
        dataset: The dataset whose samples they answer.
        run: One word, such as a digest, for what they were made with; only maps of the same run count as there.
    """

    folder: Path
    dataset: Dataset
    run: str

    def path(self, sample: Sample) -> Path:
        """The file that holds this sample's label map."""
        if self.dataset.name == "voc2012":
            results = self.folder / "results" / "VOC2012" / "Segmentation"
            return results / f"comp6_{self.dataset.split}_cls" / f"{sample.name}.png"
        ending = LABEL_IDS if self.dataset.name.startswith("cityscapes") else ""
        return self.folder / f"{sample.name}{ending}.png"

    def write(self, sample: Sample, label_map: np.ndarray) -> None:
        """Write one label map, uint8 (H, W) in 0..K-1, whole or not at all; OSError where the disk does not let it."""
        path = self.path(sample)
        if path.stem.endswith(LABEL_IDS):
            _write_label_ids(path, label_map, self.run)
        else:
            masks.write_label_map(path, label_map, self.dataset.labels, {"run": self.run})

    def has(self, sample: Sample) -> bool:
        """Whether this run has written the sample's label map, and it is still whole."""
        try:
            with Image.open(self.path(sample), formats=["PNG"]) as image:
                return image.info.get(_RUN) == self.run and image.load() is not None
        except Exception:  # absent, or damaged in one of the ways that decoders report
            return False

    def read(self, sample: Sample) -> np.ndarray:
        """Read the sample's classes, uint8 (H, W) in 0..K-1 or VOID; InputError if there is none."""
        return read_classes(self.path(sample), self.dataset.labels)


def read_classes(path: Path, labels: LabelSet) -> np.ndarray:
    """Read a predicted label map of any origin as classes, uint8 (H, W) in 0..K-1 or VOID.

    Files named `*_labelIds.png` are taken to hold Cityscapes' own ids if `labels` are Cityscapes'.

    Raises:
        InputError: The file is no label map or holds ids that are no classes.
    """
    is_server_form = labels == CITYSCAPES and path.stem.endswith(LABEL_IDS)
    legal = cityscapes_ids() if is_server_form else ids_of(labels) | {VOID: VOID}
    classes, illegal = map_ids(masks.read_label_map(path, labels), legal)
    if illegal:
        message = f"{shown(path)} holds {count_ids(illegal)}"
        raise InputError(message, f"Was it made with other labels? {labels.name} has {len(labels)} classes.")
    return classes


def _write_label_ids(path: Path, label_map: np.ndarray, run: str) -> None:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text(_RUN, run)
    ids = np.zeros(VOID + 1, np.uint8)  # void becomes 0, which Cityscapes calls unlabeled
    ids[: len(CITYSCAPES_LABEL_IDS)] = CITYSCAPES_LABEL_IDS
    with write_whole(path) as file:
        Image.fromarray(ids[label_map]).save(file, "PNG", pnginfo=chunks)


def find(folder: Path) -> dict[str, Path]:
    """The label maps in a folder of predictions, by name.

    In an output folder of segcli they are those in `masks`. A map's name is its file's, without the suffix and
    without `_labelIds`, or its path below the folder where two files share a name.
    """
    root = label_maps(folder)
    files = (path for path in sorted(root.rglob("*")) if path.suffix in MASKS and not path.name.startswith("."))
    paths = [path for path in files if path.is_file()]
    plain = {path.stem.removesuffix(LABEL_IDS): path for path in paths}
    if len(plain) == len(paths):
        return plain
    return {path.relative_to(root).with_suffix("").as_posix().removesuffix(LABEL_IDS): path for path in paths}
