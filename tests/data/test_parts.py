"""split.toml: what it says of photos, how it is read, and what is refused."""

from hashlib import sha256
from pathlib import Path

import pytest

from segcli.data import parts
from segcli.data.dataset import Dataset, Sample
from segcli.data.parts import Parts
from segcli.errors import DatasetError
from segcli.labels import VOC

A, B, C = ("a" * 64, "b" * 64, "c" * 64)


def dataset(folder, contents):
    samples = []
    for name, content in contents.items():
        path = folder / f"{len(list(folder.iterdir()))}.bin"
        path.write_bytes(content)
        samples.append(Sample(name, path, None))
    return Dataset("folder", "train", VOC, tuple(samples), {})


def test_a_photo_is_known_by_its_content(tmp_path):
    train, val = dataset(tmp_path, {"a": b"one", "b": b"two"}), dataset(tmp_path, {"c": b"three"})
    found = Parts.of(train, val, "by hand")
    assert found.train == {"a": sha256(b"one").hexdigest(), "b": sha256(b"two").hexdigest()}
    kinds = [found.kind(sha256(content).hexdigest()) for content in (b"one", b"three", b"four")]
    assert kinds == ["train", "held-out", "new"]
    assert found.kind(None) == "new"


def test_every_file_of_a_label_counts(tmp_path):
    """A photo may have a mask for each class; one label file may serve many photos."""
    first, second, shared = (tmp_path / name for name in ("first.png", "second.png", "all.json"))
    for file in (first, second, shared):
        file.write_bytes(file.name.encode())
    samples = [Sample("a", tmp_path / "a.jpg", first, (second,)), Sample("b", tmp_path / "b.jpg", shared)]
    before = parts.label_contents([*samples, Sample("c", tmp_path / "c.jpg", None)])
    second.write_bytes(b"other")
    after = parts.label_contents(samples)
    assert set(before) == set(samples)
    assert [before[sample] == after[sample] for sample in samples] == [False, True]
    second.unlink()
    assert set(parts.label_contents(samples)) == {samples[1]}


def test_what_is_written_is_read(tmp_path):
    odd = 'a "b"\n\udcff/é'
    found = Parts.of(dataset(tmp_path, {odd: b"1", "x/y": b"2"}), dataset(tmp_path, {}), 'how "so"')
    parts.write(tmp_path / "run", found)
    assert parts.read(tmp_path / "run") == found
    assert parts.read(tmp_path / "run").has_names_of(dataset(tmp_path, {odd: b"5", "x/y": b""}), dataset(tmp_path, {}))
    assert not found.has_names_of(dataset(tmp_path, {"x/y": b""}), dataset(tmp_path, {odd: b""}))


@pytest.mark.parametrize("line", ["[train]", "[held_out]", 'a = "', "checksum", "before", "how"])
def test_what_was_changed_by_hand_is_refused(tmp_path, line):
    parts.write(tmp_path, Parts({"a": A}, {"b": B}, "by hand"))
    path = tmp_path / parts.SPLIT
    text = path.read_text()
    swapped = text.replace("[train]", "[x]").replace("[held_out]", "[train]").replace("[x]", "[held_out]")
    lines = [kept for kept in text.splitlines() if not kept.startswith(line)]
    for changed in (swapped, "\n".join(lines)):
        path.write_text(changed)
        with pytest.raises(DatasetError, match=r"split\.toml (was changed after the run wrote it|is damaged)"):
            parts.read(tmp_path)


def test_a_copy_is_held_out_in_vain(tmp_path):
    train, val = dataset(tmp_path, {"a": b"one"}), dataset(tmp_path, {"b": b"one", "c": b"two"})
    found = Parts.of(train, val, "")
    assert found.seen_before == ["b"]
    assert found.kind(sha256(b"one").hexdigest()) == "train"


def test_photos_that_the_first_weights_learned_from_are_learned_from(tmp_path):
    first = Parts({"old": A}, {"kept": B}, before=(C,))
    found = Parts.of(dataset(tmp_path, {"new": b"one"}), dataset(tmp_path, {}), "", first)
    assert found.before == (A, C)
    assert [found.kind(content) for content in (A, B, C)] == ["train", "new", "train"]


def test_photos_that_cannot_be_read_are_left_out(tmp_path):
    data = dataset(tmp_path, {"a": b"one", "b": b"two"})
    data.samples[0].image.unlink()
    assert list(Parts.of(data, dataset(tmp_path, {}), "").train) == ["b"]


def test_a_model_belongs_to_the_run_whose_folder_it_lies_in(tmp_path):
    parts.write(tmp_path / "run", Parts({"a": A}, {}))
    assert parts.beside(tmp_path / "run" / "best.safetensors").train == {"a": A}
    assert parts.beside(tmp_path / "run" / "checkpoints" / "000500.safetensors").train == {"a": A}
    assert parts.beside(tmp_path / "other" / "best.safetensors") is None


def test_a_model_belongs_to_its_run_whatever_way_leads_to_it(tmp_path, monkeypatch):
    file = tmp_path / "run" / "checkpoints" / "000500.safetensors"
    file.parent.mkdir(parents=True)
    file.touch()
    parts.write(tmp_path / "run", Parts({"a": A}, {}))
    (tmp_path / "link.safetensors").symlink_to(file)
    assert parts.beside(tmp_path / "link.safetensors").train == {"a": A}
    monkeypatch.chdir(file.parent)
    assert parts.beside(Path(file.name)).train == {"a": A}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "lacks train"),
        ("[train]\n", "lacks held_out"),
        ("train = 3\n[held_out]", "train cannot be 3"),
        (f'[held_out]\n[train]\na = "{A[1:]}"', "train cannot be"),
        (f'[held_out]\n[train]\na = "{A.upper()}"', "train cannot be"),
        ("[held_out]\n[train]\na = 1", "train cannot be"),
        (f'before = ["{A}x"]\n[held_out]\n[train]', "before cannot be"),
        ("[held_out]\n[train]\n[more]", "unknown more"),
        ("[held_out]\n[train", "is damaged"),
        ("a = " + "[" * 5000, "is damaged"),
        ("\0", "is damaged"),
        ('version = "1"\n[held_out]\n[train]', "version cannot be"),
        ("version = 3\n[held_out]\n[train]", "was written by a newer segcli"),
    ],
)
def test_what_is_damaged_is_refused_in_one_line(tmp_path, text, said):
    (tmp_path / "split.toml").write_text(text)
    with pytest.raises(DatasetError, match=said) as caught:
        parts.read(tmp_path)
    assert "split.toml" in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_a_split_toml_that_is_no_file_is_refused(tmp_path):
    (tmp_path / "split.toml").mkdir()
    with pytest.raises(DatasetError, match="cannot be read"):
        parts.read(tmp_path)
