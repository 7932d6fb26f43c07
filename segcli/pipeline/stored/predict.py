"""Labelling photos in stores, or into one: found by listings, and then done as those of a folder are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

from segcli.errors import SegcliError, UsageError
from segcli.files.exclusion import Exclusion
from segcli.files.listing import Source
from segcli.pipeline import predict
from segcli.pipeline.int8 import TRIED
from segcli.pipeline.job import PredictJob
from segcli.pipeline.listener import SILENT, Listener
from segcli.pipeline.reading import required
from segcli.pipeline.run import Invocation
from segcli.pipeline.stored.destination import CORRECTED_THERE, Destination, require_writable
from segcli.pipeline.stored.run import StoredRun
from segcli.pipeline.stored.staging import Staging
from segcli.storage.address import Address, are_stored, parse, plain
from segcli.storage.scratch import Scratch
from segcli.storage.search import FoundObjects, Stores, find


def made(
    job: PredictJob,
    inputs: Sequence[str],
    output: Address | None = None,
    *,
    listener: Listener = SILENT,
    invocation: Invocation | None = None,
    **options: Any,
) -> StoredRun:
    """A run that labels photos in stores, or writes to one; its copies are removed by `close`, or with it.

    Args:
        job: What is asked for; its folder does not count where `output` is given.
        inputs: Addresses; or, with `output`, paths of this computer.
        output: The output folder, where it lies in a store.
        listener: Hears how far listings are, of the device, downloads and remarks.
        invocation: The inputs and options as typed.
        options: The other options of `predict.run`.

    Raises:
        UsageError: An address cannot be used, or the job asks for what is not done with stores.
        InputError: There are no photos.
        StoreError: A store cannot be reached, or refuses.
    """
    is_stored = are_stored(inputs)
    _check(job, is_stored, output)
    stores, scratch = Stores(), Scratch()
    try:
        ends: dict[str, Any] = {"scratch": scratch}
        if output is not None:
            ends["destination"] = Destination(output, stores.of(output), scratch.folder / "out", listener)
            job = replace(job, folder=ends["destination"].folder)
        if is_stored:
            found, ends["staging"] = _found(job, list(map(parse, inputs)), stores, scratch, output, listener)
            options["first"] = partial(_first, ends["staging"], found)
        else:
            found = job.reading.find(inputs, None, invocation and invocation.inputs)
        told = invocation and Invocation([plain(text) for text in invocation.inputs], invocation.options)
        run_of = partial(StoredRun, **ends)
        return predict.run(job, found, listener=listener, invocation=told, run_of=run_of, **options)
    except BaseException:
        scratch.close()
        raise


@contextmanager
def opened(job: PredictJob, inputs: Sequence[str], output: Address | None, **options: Any) -> Iterator[StoredRun]:
    """The run that `made` makes, closed when the block ends."""
    run = made(job, inputs, output, **options)
    try:
        yield run
    except BaseException:
        with suppress(SegcliError):  # the block's error is the one to be told
            run.close()
        raise
    run.close()


def _check(job: PredictJob, is_stored: bool, output: Address | None) -> None:
    """Refuse what is not done with stores, before any request; raises UsageError."""
    if is_stored and job.reading.pages:
        message = "--pages opens every file before the first is done, and those in stores are not opened"
        raise UsageError(message, "Copy them to this computer first, or leave it out.")
    if output is not None:
        require_writable(output)
    kinds = sorted(job.saving.kinds.intersection(CORRECTED_THERE)) if output else []
    if kinds:
        message = f"--save {kinds[0]}: people correct such files, which is not possible in a store"
        raise UsageError(message, "Name a folder of this computer with --output.")


def _found(
    job: PredictJob, inputs: list[Address], stores: Stores, scratch: Scratch, output: Address | None, listener: Listener
) -> tuple[FoundObjects, Staging]:
    """The photos in stores, and what copies them."""
    films = job.reading.films.kinds
    exclude = Exclusion(job.reading.exclude)
    details = {"output": output, "films": films != "none", "exclude": exclude, "tell": listener.note}
    found = find(inputs, stores, scratch.folder / "in", **details)
    required(found, inputs)
    return found, Staging(stores, scratch, found.objects, films, job.reading.photos.max_pixels)


def _first(staging: Staging, found: FoundObjects) -> Iterator[Source]:
    """The first photos of a run, copied for as long as they are looked at."""
    for staged in staging.staged(islice(found.photos, TRIED)):
        if staged.error is None and staged.is_picture:
            yield staged.source
        staging.release(staged.source)
