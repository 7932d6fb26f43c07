"""Workplaces: those of what is done go, those of what is to do stay."""

from pathlib import Path, PurePosixPath

from segcli.files import workplaces
from segcli.files.listing import Source


def source(tree: str, film: bool = False) -> Source:
    return Source(Path(tree), PurePosixPath(tree), film=film)


def left(output: Path) -> set[str]:
    return {path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file()}


def begun(output: Path) -> list[Source]:
    """Sources, each with a workplace."""
    sources = [source("a"), source("deep/b"), source("deep/c"), source("x", film=True), source("y", film=True)]
    for one in sources:
        place = (workplaces.of_film if one.film else workplaces.of_giant)(output, str(one.tree))
        place.mkdir(parents=True)
        (place / "labels").write_bytes(b"1")
    return sources


def test_what_a_run_left_that_was_killed_after_its_last_record_goes(tmp_path):
    a, b, c, x, y = begun(tmp_path)
    workplaces.clear(tmp_path, [a, b, c, x, y], [b, y])
    film = workplaces.of_film(tmp_path, "y").name
    assert left(tmp_path) == {f"{workplaces.GIANTS}/deep/b/labels", f"{film}/labels"}
    workplaces.clear(tmp_path, [a, b, c, x, y], [])
    assert not list(tmp_path.iterdir())


def test_those_of_other_inputs_stay_and_so_do_those_below_a_folder_with_a_photo_s_name(tmp_path):
    a, b, *_ = begun(tmp_path)
    workplaces.clear(tmp_path, [a, source("deep"), b], [b])
    assert f"{workplaces.GIANTS}/deep/b/labels" in left(tmp_path)
    assert f"{workplaces.GIANTS}/deep/c/labels" in left(tmp_path)
    assert f"{workplaces.GIANTS}/a/labels" not in left(tmp_path)
