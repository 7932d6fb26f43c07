"""Labelling a folder of photos from Python, as `segcli predict` does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from segcli.crf.settings import CRF, CRFSettings
from segcli.films.options import FilmKinds, FilmOptions
from segcli.images.geo.units import GeoJsonCrs
from segcli.images.overlay_style import PLAIN, OverlayStyle
from segcli.images.reading import MAX_PIXELS, Alpha, PhotoReading, ValueRange
from segcli.labels import Colour
from segcli.pipeline.job import DEFAULT_FOLDER, PredictJob, Saving
from segcli.pipeline.kinds import DEFAULT_KINDS, KINDS
from segcli.pipeline.listener import SILENT, Listener
from segcli.pipeline.model import Model, meant_model
from segcli.pipeline.outputs import names_of, one_of
from segcli.pipeline.predict import run
from segcli.pipeline.reading import Reading
from segcli.pipeline.run import FolderRun, Invocation
from segcli.storage.address import are_stored, is_address, parse
from segcli.weights.reference import DEFAULT_MODEL


def predict_folder(
    inputs: str | Path | Sequence[str | Path],
    output: str | Path = DEFAULT_FOLDER,
    *,
    model: str | Path | Model = DEFAULT_MODEL,
    crf: CRF = None,
    save: Iterable[str] = DEFAULT_KINDS,
    classes: Iterable[str] | None = None,
    cutout_background: Colour | None = None,
    overlay_size: int | None = None,
    overlay: OverlayStyle = PLAIN,
    min_area: int = 0,
    fill_holes: bool = False,
    geojson_crs: GeoJsonCrs = "wgs84",
    gsd: float | None = None,
    value_range: ValueRange = None,
    bands: Iterable[str | int] = (),
    alpha: Alpha | None = None,
    exclude: Iterable[str] = (),
    max_pixels: int = MAX_PIXELS,
    pages: bool = False,
    films: FilmKinds = "auto",
    stride: int = 1,
    start: float | None = None,
    end: float | None = None,
    steady: bool = True,
    batch: int = 1,
    verify: bool = False,
    cluster: str | None = None,
    listener: Listener = SILENT,
    **options: object,
) -> FolderRun:
    """Label a folder of photos as `segcli predict` does; iterate over what it returns to work.

    Each step gives the `Record` of one photo as soon as its files are whole. A run that was stopped goes on where it
    stopped when it is begun again; what is done already is not done again. After the last record call `finish()`,
    which writes areas.csv and review.csv and gives the `Summary`.

    Args:
        inputs: Files, folders (with all their subfolders) or patterns; or addresses in stores, such as "s3://bucket/in".
        output: The output folder, which may be such an address.
        model: A name, a checkpoint or exported .onnx, or a model from `load`.
        crf: True or settings: refine the outlines with the fully connected CRF.
        save: Any of mask, overlay, cutout, classes, polygons, geojson, labelme, label-studio, cvat, yolo, objects,
            gallery, probs, and frames of films.
        classes: Names of the classes to keep; the others become background, or void. None: all.
        cutout_background: (red, green, blue) of what is cut away; None leaves it transparent.
        overlay_size: Longest side of an overlay in pixels; None: as `overlay` says.
        overlay: How overlays look.
        min_area: Connected regions of fewer pixels are left out of label files and objects, though not out of masks.
        fill_holes: Background that one region surrounds is part of it in label files and objects, though not in masks.
        geojson_crs: The coordinates of polygons on a map: "wgs84", or the photo's "own".
        gsd: The centimetres of ground that a pixel shows the network, for photos with a place; None: the model's size.
        value_range: Values of photos of more than 8 bits that become black and white: "auto", measured over all of
            them, or (low, high); None: the model's.
        bands: The bands that become grey (one) or red, green, blue (three), by number from 1 on or by name.
        alpha: "over-white", "ignore" or "mask"; None: as the format and the values suggest.
        exclude: Patterns of files and folders to leave out, such as "masks" or "*_mask.png".
        max_pixels: Photos with more pixels are done in parts, at full size.
        pages: Every page of TIFF and GIF files, or plane of a stack.
        films: What is a film: "auto" video files, "all" moving GIF and WebP pictures too, "none" nothing.
        stride: Every so manieth frame of a film is used.
        start: Seconds from a film's beginning; frames before it are left out.
        end: Seconds from a film's beginning; frames at or after it are left out.
        steady: Average each frame's classes with those of the frames before.
        batch: Photos a step on a GPU; it never changes a mask.
        verify: Compare contents, not times, to see what is done.
        cluster: The address of a Dask scheduler whose workers do it, "tcp://HOST:PORT" or "tls://HOST:PORT", or the
            path of the file that it writes; None does it in this process.
        listener: Hears of the device, downloads and remarks.
        options: The options of `load`, for a model that is not loaded yet: device, engine, output_stride, size, scales,
            flip, tile, precision, calibrate.

    Raises:
        UsageError: Something is asked for that cannot be.
        InputError: There are no photos.
        SegcliError: The model cannot be had, or the output folder cannot be written to.
    """
    meant, applied = meant_model(model, options)
    loaded, reference = (meant, None) if isinstance(meant, Model) else (None, meant)
    named = None if classes is None else names_of(classes)
    kinds = one_of("save", names_of(save), KINDS)
    saving = Saving(kinds, named, cutout_background, overlay.of_size(overlay_size), min_area, geojson_crs, fill_holes)
    of_films = FilmOptions(films, stride, start, end, steady)
    reading = Reading(
        PhotoReading.of(value_range, bands, alpha, max_pixels),
        pages,
        gsd=gsd,
        films=of_films,
        exclude=names_of(exclude),
    )
    job = PredictJob(reference, applied, CRFSettings.of(crf), reading, saving, Path(output))
    job.check()
    given = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    texts = list(map(str, given))
    details = {"invocation": Invocation(texts), "batch": batch, "verify": verify, "model": loaded, "listener": listener}
    if cluster is not None:
        from segcli.pipeline.cluster import address
        from segcli.pipeline.cluster import predict as clustered

        clustered.refuse_stores(texts, str(output))
        scheduler = address.parse(str(cluster))
        return clustered.made(job, reading.find(given, job.folder), scheduler, **details)
    store = parse(str(output)) if is_address(output) else None
    if store or are_stored(texts):
        from segcli.pipeline.stored.predict import made

        return made(job, texts, store, **details)
    return run(job, reading.find(given, job.folder), **details)
