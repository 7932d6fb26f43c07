"""The kinds of files that are named without their writers are those that have one."""

from segcli.pipeline import kinds, label_files
from segcli.pipeline.mergers import MERGERS
from segcli.pipeline.writer import WRITERS


def test_what_can_be_asked_for_is_what_can_be_written():
    assert tuple(WRITERS) == kinds.OF_PHOTOS
    assert tuple(label_files.WRITERS) == kinds.LABEL_FILES
    assert MERGERS.keys() == kinds.JOINED
