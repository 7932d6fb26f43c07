import pytest

from segcli.errors import UsageError
from segcli.films.options import FilmOptions, parse_time


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("1:30", 90), ("0:01:30.5", 90.5), ("2:00:00", 7200), ("0.04", 0.04)]
)
def test_times_are_read_as_people_write_them(text, seconds):
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "-1", "1:2:3:4", "1m30", "1:", "nan", "1e3"])
def test_other_texts_are_no_times(text):
    with pytest.raises(ValueError):  # noqa: PT011 - the text itself
        parse_time(text)


@pytest.mark.parametrize(
    "values", [{"stride": 0}, {"start": -1.0}, {"start": 2.0, "end": 2.0}, {"end": 0.0}, {"kinds": "some"}]
)
def test_what_cannot_be_is_refused(values):
    with pytest.raises(UsageError):
        FilmOptions(**values)


def test_which_files_are_films_is_not_part_of_what_is_made_of_one():
    assert FilmOptions("all").to_dict() == FilmOptions("auto").to_dict()
