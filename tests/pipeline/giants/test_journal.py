import numpy as np

from segcli.files.workplaces import GIANTS
from segcli.pipeline.giants.journal import Journal

KEY = {"settings": "x", "resized": [3, 4]}


def begun(folder) -> Journal:
    journal = Journal(folder, "sub/a", KEY)
    journal.spool("labels").append_chunk(b"one")
    journal.spool("labels").append_chunk(b"two")
    journal.note({"row": 2}, {"ring": np.arange(3)})
    return journal


def test_what_was_noted_is_there_again(tmp_path):
    begun(tmp_path).close()
    again = Journal(tmp_path, "sub/a", KEY)
    assert again.facts["row"] == 2
    assert again.arrays["ring"].tolist() == [0, 1, 2]
    assert list(again.spool("labels").chunks()) == [b"one", b"two"]


def test_what_was_not_noted_is_gone(tmp_path):
    journal = begun(tmp_path)
    journal.spool("labels").append_chunk(b"three")
    journal.close()
    again = Journal(tmp_path, "sub/a", KEY)
    assert list(again.spool("labels").chunks()) == [b"one", b"two"]
    again.spool("labels").append_chunk(b"four")
    assert list(again.spool("labels").chunks())[2:] == [b"four"]


def test_another_key_damage_or_a_shorter_spool_begin_anew(tmp_path):
    def another_key(folder):
        return {**KEY, "settings": "y"}

    def damaged(folder):
        (folder / "state.npz").write_bytes(b"PK damaged")
        return KEY

    def shorter(folder):
        with (folder / "labels").open("r+b") as file:
            file.truncate(5)
        return KEY

    def flipped(folder):
        content = bytearray((folder / "labels").read_bytes())
        content[9] ^= 4
        (folder / "labels").write_bytes(content)
        return KEY

    def flipped_state(folder):
        content = bytearray((folder / "state.npz").read_bytes())
        content[content.index(b"\x93NUMPY") + 130] ^= 4
        (folder / "state.npz").write_bytes(content)
        return KEY

    for number, change in enumerate((another_key, damaged, shorter, flipped, flipped_state)):
        begun(tmp_path / str(number)).close()
        again = Journal(tmp_path / str(number), "sub/a", change(tmp_path / str(number) / GIANTS / "sub" / "a"))
        assert not again.facts
        assert not list(again.spool("labels").chunks())


def test_nothing_is_left_when_all_are_done(tmp_path):
    one, other = begun(tmp_path), Journal(tmp_path, "b", KEY)
    one.remove()
    assert (tmp_path / GIANTS).exists()
    other.remove()
    assert not list(tmp_path.iterdir())
