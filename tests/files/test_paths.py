from pathlib import Path

from segcli.files.paths import shown


def test_paths_are_shown_on_one_line():
    assert shown(Path("a\nb\x1b[31m🐈")) == r"a\nb\x1b[31m🐈"
