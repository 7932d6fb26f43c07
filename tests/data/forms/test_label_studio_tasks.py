import json

import pytest

from segcli.data.forms import label_studio, label_studio_tasks
from segcli.data.forms.label_studio_tasks import decoded
from segcli.errors import DatasetError


@pytest.mark.parametrize(
    ("link", "path"),
    [
        ("/data/upload/1/0a1b2c3d-plant_01.jpg", "0a1b2c3d-plant_01.jpg"),
        ("/data/upload/12/0a1b2c3d-a%20b%C3%BC.jpg", "0a1b2c3d-a bü.jpg"),
        ("/data/local-files/?d=plants%2Fx%20y.jpg", "plants/x y.jpg"),
        ("/data/local-files/?d=plants/x.jpg", "plants/x.jpg"),
        (r"/data/local-files/?d=plants\x.jpg", "plants/x.jpg"),
        ("http://localhost:8080/data/local-files/?d=a/%2B.jpg", "a/+.jpg"),
        ("s3://bucket/plants/x.jpg", "plants/x.jpg"),
        ("https://host/plants/x%231.jpg?token=abc", "plants/x#1.jpg"),
        ("/tasks/7/resolve/?fileuri=czM6Ly9idWNrZXQvcGxhbnRzL3guanBn", "plants/x.jpg"),
        ("/tasks/7/resolve/?fileuri=%FF", ""),
        ("file:///home/me/x.jpg", "home/me/x.jpg"),
        (r"C:\photos\x.jpg", "C:/photos/x.jpg"),
        ("plants/100% #1?.jpg", "plants/100% #1?.jpg"),
        ("data:image/png;base64,AAAA", ""),
        ("http://[broken/x.jpg", ""),
        (7, ""),
        (None, ""),
    ],
)
def test_links_are_paths(link, path):
    assert decoded(link) == path


@pytest.fixture
def photo(tmp_path):
    """The photo of a task with this data."""

    def read(data, to_name=None, **more):
        result = [{"to_name": to_name, "value": {"x": 1}}] if to_name else []
        task = {"id": 7, "data": data, "annotations": [{"id": 1, "result": result}]} | more
        (tmp_path / "export.json").write_text(json.dumps([task]))
        return label_studio_tasks.read([tmp_path / "export.json"])[0].photo()

    return read


def test_the_photo_is_the_value_that_ends_like_a_picture(photo):
    assert photo({"text": "no.txt", "plot": "/data/upload/1/0a1b2c3d-x.TIFF", "number": 3}) == "0a1b2c3d-x.TIFF"


def test_of_several_pictures_it_is_the_one_that_was_drawn_on(photo):
    assert photo({"before": "a.jpg", "after": "b.jpg"}, "after") == "b.jpg"
    assert photo({"mask": "a.png", "image": "b.jpg"}) == "b.jpg"
    with pytest.raises(DatasetError, match=r"task 7 names several pictures \(before, after\)"):
        photo({"before": "a.jpg", "after": "b.jpg"})


def test_a_photo_without_a_suffix_is_known_by_its_key(photo):
    assert photo({"image": "https://host/pictures/17", "note": "x"}) == "pictures/17"
    assert photo({"any": "data:image/png;base64,AAAA"}, file_upload="0a1b2c3d-x.jpg") == "0a1b2c3d-x.jpg"
    with pytest.raises(DatasetError, match="task 7 names no photo"):
        photo({"note": "x"})


def test_a_task_without_a_photo_does_not_hide_the_others(tmp_path):
    done = {"annotations": [{"id": 1, "result": []}]}
    tasks = [{"id": 7, "data": {}} | done, {"id": 8, "data": {"image": "x.jpg"}} | done]
    (tmp_path / "export.json").write_text(json.dumps(tasks))
    broken, whole = label_studio.load([tmp_path / "export.json"]).records
    assert (broken.photo, whole.photo, whole.shapes((1, 1))) == ("task 7", "x.jpg", [])
    with pytest.raises(DatasetError, match="task 7 names no photo"):
        broken.shapes((1, 1))
