"""8-bit forms that are made once and kept beside the other conversions."""

from collections.abc import Callable

from segcli.errors import SegcliError
from segcli.export import onnx_cache
from segcli.export.calibration import Calibration
from segcli.export.int8 import exported
from segcli.images.reading import PhotoReading
from segcli.weights.model_io import LoadedModel


def obtain(
    model: LoadedModel,
    calibration: Calibration,
    reading: PhotoReading,
    tell: Callable[[str], None] = lambda remark: None,
) -> LoadedModel:
    """The 8-bit form of a model under onnxruntime, made where it is not kept; other processes wait meanwhile.

    Args:
        model: As loaded; not one that was exported already.
        calibration: The photos to calibrate on.
        reading: How these are read.
        tell: Hears that it is made, before that begins.

    Raises:
        SegcliError: It cannot be made, or the cache cannot be written to.
    """
    form = calibration.facts
    if ready := onnx_cache.accelerated(model, form):
        return ready
    tell(f"making the 8-bit form of {model.spec.name}, once: calibrating it on {form.photos} photos")
    with onnx_cache.alone():
        if not onnx_cache.kept(model, form):
            onnx_cache.store(model, exported(model, calibration, reading)[1], form)
    if ready := onnx_cache.accelerated(model, form):
        return ready
    raise SegcliError("the 8-bit form was damaged at once", "Is the disk of SEGCLI_CACHE_DIR damaged?")
