"""Runs of `predict_folder` with a small model, for pictures that are done in parts."""

from heard import Heard
from tiny import tiny_model

from segcli.inference.options import ModelOptions
from segcli.inference.segmenter import Segmenter
from segcli.pipeline.model import Model
from segcli.pipeline.predict_folder import predict_folder
from segcli.pipeline.progress import unwatched

KINDS = ("mask", "overlay", "gallery", "probs")


def model(**options) -> Model:
    wanted = ModelOptions(**{"size": 0, "tile": 129, "engine": "torch", **options})
    return Model(Segmenter(tiny_model(), size=wanted.size, tile=wanted.tile, flip=wanted.flip), wanted)


def run(inputs, output, *, use=None, save=KINDS, listener=None, watch=unwatched, **options):
    work = predict_folder(inputs, output, model=use or model(), save=save, listener=listener or Heard(), **options)
    work.watch = watch
    found = list(work)
    work.finish()
    return found
