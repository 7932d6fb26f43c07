import geotiffs
from in_parts import model

from segcli.files.sources import find
from segcli.images.reading import PhotoReading
from segcli.pipeline.giants.foresight import foreseen
from segcli.pipeline.job import PredictJob
from segcli.pipeline.reading import Reading


def forecast(path, use):
    job = PredictJob(None, use.options, reading=Reading(PhotoReading(max_pixels=30_000)))
    stages = job.stages(use)
    (source,) = find([path]).files
    assert stages.is_giant(source)
    return foreseen(stages.giants(), source)


def test_time_and_memory_are_foretold_by_one_window(tmp_path):
    use, asked = model(), []
    use.segmenter.network.register_forward_hook(lambda network, args, result: asked.append(args[0].shape[-2:]))
    path = geotiffs.write(tmp_path / "a.tif", geotiffs.PLACES["utm"], 3000, 170, tile=(64, 64))
    one = forecast(path, use)
    assert "1 megapixels (170 x 3000), done in parts: 92 windows of 129 at full size" in one.how
    assert asked == [(97, 97), (129, 129), (129, 129)]
    assert one.seconds > 0
    assert 10**6 < one.memory < 10**9


def test_what_cannot_be_done_is_foretold_too(tmp_path):
    path = geotiffs.write(tmp_path / "a.tif", geotiffs.PLACES["utm"], 300, 170)
    one = forecast(path, model(flip=True))
    assert "cannot be done" in one.how
    assert "--flip" in one.how
    assert not one.seconds
