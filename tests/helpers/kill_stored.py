"""Kills `segcli predict` at random moments while it writes to a store, and compares the store with a run left alone.

    PYTHONPATH=... python tests/helpers/kill_stored.py --kills 10

moto's server plays S3. Each output folder is killed again and again until a run gets through; then every object must be
the same, every record too (but for its seconds), and no photo may have been recorded twice. A killed run keeps its
lease for 90 seconds; instead of waiting for that, the lease is removed here, unless --patient is given.
"""

import argparse
import json
import logging
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import boto3
import pytest
from kill_predict import make_photos
from s3_stand_in import StandIn, stand_in

BUCKET = "bucket"
NOTE = "run.toml"
AT_REST = ("manifest.jsonl", NOTE)
"""What two runs may write in another order, or at another time."""


@dataclass
class Trial:
    """A run that is killed.

    Attributes:
        server: The stand-in for the store.
        options: Options of `segcli predict`.
        patient: Whether a lease is waited for.
        seconds: How long a run left alone works on the photos, start-up not counted.
    """

    server: StandIn
    options: tuple[str, ...]
    patient: bool = False
    seconds: float = 0.0
    client: object = field(default_factory=lambda: boto3.client("s3"))

    def start(self, output: str) -> subprocess.Popen:
        """Begin a run, and wait until it has written run.toml, which it does just before its first photo."""
        command = [sys.executable, "-m", "segcli", "predict", f"s3://{BUCKET}/in", "-o", f"s3://{BUCKET}/{output}"]
        self.server.requests.clear()
        process = subprocess.Popen([*command, "--quiet", *self.options], stdout=subprocess.DEVNULL)
        while process.poll() is None and f"PUT /{BUCKET}/{output}/{NOTE}" not in self.server.requests:
            time.sleep(0.005)
        return process

    def through(self, output: str) -> None:
        assert self.start(output).wait() == 0

    def leave_alone(self, output: str) -> None:
        process, begin = self.start(output), time.monotonic()
        assert process.wait() == 0
        self.seconds = time.monotonic() - begin

    def kill(self, output: str, moment: random.Random) -> bool:
        """Start a run, kill it within its work; False where it was through before."""
        process = self.start(output)
        time.sleep(moment.uniform(0, self.seconds))
        if process.poll() is not None:
            assert process.returncode == 0
            return False
        process.kill()
        process.wait()
        self.forget_lease(output)
        return True

    def forget_lease(self, output: str) -> None:
        if self.patient:
            time.sleep(91)
            return
        for key in self.objects(f"{output}/.segcli-lease/"):
            self.client.delete_object(Bucket=BUCKET, Key=f"{output}/.segcli-lease/{key}")

    def objects(self, prefix: str) -> dict[str, bytes]:
        """The objects below a folder, by their keys below it."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        keys = [one["Key"] for page in pages for one in page.get("Contents", ())]
        return {key.removeprefix(prefix): self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}


def compare(expected: dict[str, bytes], found: dict[str, bytes]) -> None:
    """Fails unless two output folders are the same but for times and order."""
    assert found.keys() == expected.keys()
    assert not [key for key in expected if key not in AT_REST and expected[key] != found[key]]
    assert records(found["manifest.jsonl"]) == records(expected["manifest.jsonl"])


def records(manifest: bytes) -> dict[str, dict]:
    """Each photo's record without its times, by name; a name recorded twice fails."""
    found = [json.loads(line) for line in manifest.splitlines()]
    assert len({record["name"] for record in found}) == len(found), "a photo was recorded twice"
    return {record["name"]: {key: record[key] for key in record if key != "seconds"} for record in found}


def run(trial: Trial, kills: int, seed: int = 0) -> Iterator[tuple[int, int]]:
    """Kill so many runs; yields the kills and the output folders so far, after each folder that is the same."""
    trial.leave_alone("alone")
    moment, done, outputs = random.Random(seed), 0, 0
    expected = trial.objects("alone/")
    while done < kills:
        output = f"killed{outputs}"
        while done < kills and trial.kill(output, moment):
            done += 1
        if done == kills:
            trial.through(output)
        compare(expected, trial.objects(f"{output}/"))
        outputs += 1
        yield done, outputs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--count", type=int, default=120, help="photos")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--patient", action="store_true", help="wait for the leases of killed runs")
    parser.add_argument("--model", default="street")
    arguments = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with (
        tempfile.TemporaryDirectory() as name,
        pytest.MonkeyPatch.context() as patch,
        stand_in(patch, BUCKET) as server,
    ):
        folder = Path(name)
        (folder / "tmp").mkdir()
        patch.setenv("TMPDIR", str(folder / "tmp"))  # a killed run leaves its copies there for an hour
        make_photos(folder / "photos", arguments.count, 160, 120)
        trial = Trial(server, ("--model", arguments.model), arguments.patient)
        for photo in (folder / "photos").iterdir():
            trial.client.upload_file(str(photo), BUCKET, f"in/{photo.name}")
        for kills, outputs in run(trial, arguments.kills, arguments.seed):
            sys.stdout.write(f"{kills} kills, {outputs} output folders, each the same as one left alone\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
