"""Labelling photos on a cluster: found and planned here, done by workers, recorded here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from segcli.errors import UsageError
from segcli.files.paths import shown
from segcli.files.sources import Found
from segcli.pipeline import predict
from segcli.pipeline.cluster.address import SchedulerAddress
from segcli.pipeline.cluster.driver import Driver
from segcli.pipeline.cluster.engine import decided
from segcli.pipeline.cluster.run import ClusterRun
from segcli.pipeline.cluster.scheduler import Scheduler
from segcli.pipeline.job import Job, PredictJob
from segcli.pipeline.listener import SILENT, Listener
from segcli.pipeline.model import announce
from segcli.pipeline.predict import Preparation
from segcli.storage.address import Address, are_stored, is_address

WITHOUT = "Give the command without --cluster."


def made(
    job: PredictJob, found: Found, address: SchedulerAddress, *, listener: Listener = SILENT, **options: Any
) -> ClusterRun:
    """A run of photos on a cluster; `close`, or its end, parts from the cluster.

    Args:
        job: What is asked for.
        found: The photos.
        address: The scheduler.
        listener: Hears of the cluster, downloads and remarks.
        options: The other options of `predict.run`.

    Raises:
        UsageError: The job asks for what is not done on a cluster.
    """
    if options.pop("model", None) is not None:
        message = "a model that is loaded cannot be sent to a cluster"
        raise UsageError(message, "Give predict_folder its name, or its checkpoint's path.")
    _check(job, found)
    if address.is_open:
        risk = "whoever reaches it can run programs on its workers, and read what is sent"
        listener.warn(
            f"{address} has no password and no encryption: {risk}. In a network that others use too, take tls://"
        )
    driver = Driver(Scheduler(address, listener), listener)
    details = {"run_of": partial(ClusterRun, driver=driver), "prepared": partial(_prepared, driver)}
    return predict.run(job, found, listener=listener, **details, **options)


@contextmanager
def opened(job: PredictJob, found: Found, address: SchedulerAddress, **options: Any) -> Iterator[ClusterRun]:
    """The run that `made` makes, closed when the block ends."""
    run = made(job, found, address, **options)
    try:
        yield run
    finally:
        run.close()


def refuse_stores(inputs: Sequence[str], output: Address | str | Path) -> None:
    """Raise UsageError where photos or results lie in a store."""
    if isinstance(output, Address) or is_address(output) or are_stored(inputs):
        message = "--cluster takes photos and an output folder that all its computers reach by paths, not stores"
        raise UsageError(message, WITHOUT)


def _check(job: PredictJob, found: Found) -> None:
    if job.options.precision == "int8":
        message = "--precision int8 is not done on a cluster: its labels are compared on one computer"
        raise UsageError(message, "Leave it out, or give the command without --cluster.")
    if found.films:
        message = f"--cluster does photos, and {shown(found.films[0].path)} is a film"
        raise UsageError(message, "Do films without --cluster; --films none leaves them out.")
    if found.files and all(map(job.giants.wants, found.files)):
        message = f"{shown(found.files[0].path)}: it is too large for memory, and a cluster cannot do pictures in parts"
        raise UsageError(message, WITHOUT)


def _prepared(driver: Driver, preparation: Preparation) -> Job:
    """The job of a run, once the cluster's workers have answered; its paths are absolute."""
    driver.scheduler.connect()
    stations = driver.stations()
    facts = decided(preparation, stations.values())
    announce(facts, preparation.listener)
    asked = preparation.asked_of(facts)
    path, engine = asked.reference.path, "auto" if asked.reference.is_exported else facts.engine
    asked = replace(
        asked,
        options=replace(asked.options, engine=engine),
        reference=replace(asked.reference, path=path and path.absolute()),
        folder=asked.folder.absolute(),
        keep_engine=(),
    )
    return Job.of(asked, facts, preparation.batch)
