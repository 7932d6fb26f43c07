"""Runs against a stand-in for S3: the same files as on this computer, trouble told in one line, no secret anywhere."""

import json
import logging
import tempfile

import pytest
import s3_stand_in
from extras import extra
from small_runs import tree

from segcli.storage import store, trouble
from segcli.storage.address import parse

boto3 = extra("boto3")
extra("moto.server")
extra("s3fs")

SECRETS = ("AKIASTANDIN", "tell/nobody+this", "Signature", "X-Amz")


@pytest.fixture
def s3(photos, tmp_path, monkeypatch):
    """The stand-in, with the photos below bucket/in."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(trouble, "PAUSES", (0.01,) * 4)
    with s3_stand_in.stand_in(monkeypatch, "bucket") as server:
        client = boto3.client("s3")
        for name in tree(photos):
            client.upload_file(str(photos / name), "bucket", f"in/{name}")
        server.requests.clear()
        yield server
    assert list((tmp_path / "tmp").iterdir()) == []  # nothing stays on this computer


def objects(prefix):
    client = boto3.client("s3")
    found = client.list_objects_v2(Bucket="bucket", Prefix=prefix).get("Contents", [])
    return {
        one["Key"].removeprefix(prefix): client.get_object(Bucket="bucket", Key=one["Key"])["Body"].read()
        for one in found
    }


def told(result):
    """What was said, with no secret in it."""
    text = result.stdout + result.stderr
    assert not [secret for secret in SECRETS if secret in text]
    assert "Traceback" not in text
    return text


def test_the_same_files_as_on_this_computer(segcli, s3, photos, tmp_path):
    assert segcli(photos, "-o", "here").exit_code == 0
    there = segcli("s3://bucket/in", "-o", "s3://bucket/out")
    assert there.exit_code == 0, told(there)
    photos_fetched = [text for text in s3.requests if text.startswith("GET /bucket/in/")]
    assert len(photos_fetched) == 5  # one request each
    made = objects("out/")
    assert made.keys() == tree(tmp_path / "here")
    for name in made:
        if name.endswith((".png", ".jpg")):
            assert made[name] == (tmp_path / "here" / name).read_bytes()
        assert not [secret for secret in SECRETS if secret.encode() in made[name]]
    s3.requests.clear()
    assert "0 segmented, 5 done before" in told(segcli("s3://bucket/in", "-o", "s3://bucket/out"))
    assert not [text for text in s3.requests if text.startswith("GET /bucket/in/")]


def test_a_store_that_slows_down_is_waited_for(segcli, s3):
    count = iter(range(10**6))
    s3.trouble = lambda text: s3_stand_in.BUSY if next(count) % 3 == 0 else None
    result = segcli("s3://bucket/in", "-o", "s3://bucket/out")
    assert result.exit_code == 0, told(result)
    assert len(objects("out/manifest.jsonl")[""].splitlines()) == 5


def test_a_store_that_stays_busy_ends_the_run_in_one_line(segcli, s3):
    s3.trouble = lambda text: s3_stand_in.BUSY if text.startswith("PUT /bucket/out/masks") else None
    result = segcli("s3://bucket/in", "-o", "s3://bucket/out")
    assert result.exit_code == 1
    assert "error: s3://bucket is too busy (HTTP 503: Please reduce your request rate.)" in told(result)
    s3.trouble = lambda text: None
    assert segcli("s3://bucket/in", "-o", "s3://bucket/out").exit_code == 0
    names = [json.loads(line)["name"] for line in objects("out/manifest.jsonl")[""].splitlines()]
    assert (len(names), len(set(names))) == (5, 5)


def test_cut_downloads_and_vanished_objects_fail_alone(segcli, s3):
    def answer(text):
        if text.startswith("GET /bucket/in/b.png"):
            return 100
        if text.startswith("GET /bucket/in/a.jpg"):
            boto3.client("s3").delete_object(Bucket="bucket", Key="in/a.jpg")
        return None

    s3.trouble = answer
    result = segcli("s3://bucket/in", "-o", "out")
    assert result.exit_code == 3
    text = told(result)
    assert "failed: s3://bucket/in/b.png cannot be fetched: the connection was cut" in text
    assert "failed: s3://bucket/in/a.jpg is not there any more" in text
    assert "3 segmented, 2 failed" in text


@pytest.mark.parametrize("answer", [s3_stand_in.UNKNOWN_KEY, s3_stand_in.REFUSED])
def test_wrong_credentials_are_one_line(segcli, s3, tmp_path, answer):
    s3.trouble = lambda text: answer
    for output in ("s3://bucket/out", "out"):
        result = segcli("s3://bucket/in", "-o", output)
        assert result.exit_code == 1
        assert "refuses: HTTP 403" in told(result)
    assert not (tmp_path / "out").exists()


def test_signed_addresses_leave_no_signature(segcli, s3, photos, tmp_path):
    def signed(seconds):
        client = boto3.client("s3")
        parts = [{"Bucket": "bucket", "Key": f"in/{name}"} for name in ("a.jpg", "trip/day 2/ü.bmp", "none.jpg")]
        return "\n".join(client.generate_presigned_url("get_object", part, seconds) for part in parts)

    for seconds, said in ((100, "2 segmented"), (200, "2 done before")):
        result = segcli("-", "-o", "out", input=signed(seconds))
        assert result.exit_code == 3, result.stderr
        assert said in told(result)
    for name in tree(tmp_path / "out"):
        assert not [secret for secret in SECRETS if secret.encode() in (tmp_path / "out" / name).read_bytes()]
    assert {"masks/a.png", "masks/trip/day 2/ü.png"} <= tree(tmp_path / "out")


def test_a_file_that_went_up_in_pieces_is_not_put_again(s3, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "IN_ONE", 5 << 20)
    path, address = tmp_path / "areas.csv", parse("s3://bucket/out/areas.csv")
    path.write_bytes(bytes(range(256)) * (12 << 12))
    there = store.Store(address)
    there.send(address, path)
    assert there.find(address).etag.endswith("-3")
    assert there.holds(address, path)
    with path.open("r+b") as file:
        file.write(b"x")
    assert not there.holds(address, path)
