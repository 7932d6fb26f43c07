"""Readers of what segcli itself leaves behind, for tests/fuzz.py: records, parts, journals, films' segments."""

import io
import json
import random
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import geotiffs
import numpy as np
from fuzz_engine import Reader, Seed
from fuzz_settings import OLD_WORK, json_absurd, nested
from small_runs import smooth

from segcli.files.sources import Source
from segcli.files.workplaces import GIANTS
from segcli.films.workshop import Segment, Workshop
from segcli.images import gallery, polygons
from segcli.images.geo import geojson
from segcli.images.geo.place import read_place
from segcli.images.probabilities import read_probabilities, write_probabilities
from segcli.labels import CAMVID
from segcli.pipeline import tables
from segcli.pipeline.giants.journal import Journal
from segcli.pipeline.ledger import Ledger, merge
from segcli.pipeline.mergers import MERGERS

SIZE = (12, 16)
KEY, NAME = {"settings": "x"}, "sub/a"
CLIP = Source(Path("clip.mp4"), PurePosixPath("clip"))


def _manifests(folder: Path) -> Sequence[Seed]:
    """Records of earlier runs; a short file stands for each output, as its size and hash are not looked at here."""
    return [
        Seed("manifest.jsonl", path.read_bytes(), {"photos/a.jpg": b"x"})
        for path in (OLD_WORK / "plain/manifest.jsonl", OLD_WORK / "everything/manifest.jsonl")
    ]


def _read_manifest(folder: Path, seed: Seed) -> None:
    """Read records, and do with them what a run does."""
    (folder / "manifest.0.jsonl").write_bytes((folder / seed.path).read_bytes())
    ledger = Ledger(folder)
    for record in ledger.records.values():
        source = Source(folder / "photos/a.jpg", PurePosixPath(record.name))
        ledger.proves_done(source, record.settings, verify=True)
        ledger.other_input(source)
        for kind in record.outputs:
            found = ledger.file(record, kind)
            if found is not None and not found.resolve().is_relative_to(folder.resolve()):
                raise AssertionError(f"{found} is not in the folder")
        json.dumps(record.to_dict(), allow_nan=False)
    tables.write_areas(folder / "areas.csv", ledger.records.values())
    tables.write_review(folder / "review.csv", tuple(ledger.records.values()))
    merge(folder)


def _label_map() -> np.ndarray:
    ids = np.zeros(SIZE, np.uint8)
    ids[2:9, 3:12], ids[4:6, 5:8] = 1, 2
    return ids


def _parts(folder: Path) -> Sequence[Seed]:
    """A photo's part of each file that sums up a run."""
    ids, rgb = _label_map(), smooth(1, *SIZE[::-1])
    polygons.write_polygons(folder / "a.json", "a.jpg", ids, CAMVID)
    gallery.write_entry(folder / "g.json", gallery.Entry("a.jpg", rgb, ids, {"Sky": 9}, 0.5), CAMVID)
    place, _ = read_place(geotiffs.write(folder / "x.tif", geotiffs.PLACES["utm"], *SIZE, smooth(3, *SIZE[::-1])))
    geojson.write(folder / "a.geojson", ids, CAMVID, place, "own", "a.jpg")
    cvat = b'<image id="0" name="a.jpg" width="16" height="12"><polygon label="Sky" points="1,2;3,4;5,6"/></image>'
    task = {"data": {"image": "a.jpg"}, "predictions": [{"result": [], "model_version": "x"}]}
    texts = {
        "polygons": (folder / "a.json").read_bytes(),
        "gallery": (folder / "g.json").read_bytes(),
        "geojson": (folder / "a.geojson").read_bytes(),
        "label-studio": json.dumps(task).encode(),
        "cvat": cvat,
        "yolo": json.dumps({"stem": "a", "sha256": ["0" * 64]}).encode(),
        "objects": _objects(),
    }
    return [Seed("a.part", text, form=kind) for kind, text in texts.items()]


def _objects() -> bytes:
    from segcli.pipeline.objects import HEADINGS

    row = ("a.jpg", "", "Sky", 1, 9, "", "1.00", "2.00", 1, 2, 3, 4, "3.00", "", "0.9000", 0)
    return tables.table(HEADINGS, [row[: len(HEADINGS)]])


def _read_part(folder: Path, seed: Seed) -> None:
    name, merge_parts = MERGERS[seed.form]
    merge_parts(folder / "all" / name, [folder / seed.path], CAMVID)


def _journals(folder: Path) -> Sequence[Seed]:
    journal = Journal(folder, NAME, KEY)
    journal.spool("labels").append_chunk(b"one")
    journal.note({"row": 2}, {"ring": np.arange(300.0)})
    journal.close()
    home = folder / GIANTS / NAME
    whole = {f"{GIANTS}/{NAME}/{path.name}": path.read_bytes() for path in home.iterdir()}
    return [Seed(name, whole[name], whole) for name in whole]


def _read_journal(folder: Path, seed: Seed) -> None:
    """What is found is what was noted, or nothing."""
    journal = Journal(folder, NAME, KEY)
    if journal.facts:
        assert journal.facts["row"] == 2, journal.facts
        assert journal.arrays["ring"].tolist() == list(range(300))
    list(journal.spool("labels").chunks())
    journal.close()


def _segments(folder: Path) -> Sequence[Seed]:
    shop = Workshop.of(folder, CLIP, ("mask",), "key")
    for number in range(2):
        shop.picture("mask").write_bytes(b"pictures")
        facts = Segment((2 * number, 2 * number + 1), (0, 10), ({"Sky": 3}, {}), raw=number, listed=(1, 2))
        shop.add(facts, {"grey": np.full(300, number)})
    whole = {f"{shop.folder.name}/{path.name}": path.read_bytes() for path in shop.folder.iterdir()}
    return [Seed(name, whole[name], whole) for name in whole if not name.endswith(".mkv")]


def _read_segments(folder: Path, seed: Seed) -> None:
    shop = Workshop.of(folder, CLIP, ("mask",), "key")
    state = shop.state()
    if state and set(state["grey"].tolist()) != {len(shop.segments) - 1}:
        raise AssertionError(f"another state: {state}")


def _probabilities(folder: Path) -> Sequence[Seed]:
    values = np.random.default_rng(0).dirichlet(np.ones(11), SIZE).transpose(2, 0, 1)
    write_probabilities(folder / "a.npz", values, CAMVID)
    return [
        Seed("a.npz", (folder / "a.npz").read_bytes()),
        Seed("a.npz", (OLD_WORK / "everything/probs/avenue.npz").read_bytes()),
    ]


def rezipped(data: bytes, chance: random.Random) -> bytes:
    """A zip one of whose members is damaged before it is packed: its checksum fits."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {info.filename: archive.read(info) for info in archive.infolist()}
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError, EOFError):
        return data[::-1]
    if not members:
        return data
    name = chance.choice(list(members))
    changed = bytearray(members[name] or b"\0")
    reach = len(changed) if chance.random() < 0.5 else min(len(changed), 128)  # the headers
    for _ in range(chance.randint(1, 4)):
        changed[chance.randrange(reach)] = chance.randrange(256)
    members[name] = bytes(changed)
    if chance.random() < 0.1:
        del members[name]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return buffer.getvalue()


_JSON = (json_absurd, json_absurd, nested)
RECORDS = (
    Reader("manifest.jsonl", _manifests, _read_manifest, _JSON, 2, keeps=False),
    Reader("parts", _parts, _read_part, _JSON, 3),
    Reader("journal", _journals, _read_journal, keeps=False),
    Reader("film's segments", _segments, _read_segments, (json_absurd,), keeps=False),
    Reader("probabilities", _probabilities, lambda f, s: read_probabilities(f / s.path), (rezipped,)),
)
"""The readers of what earlier runs have left."""
