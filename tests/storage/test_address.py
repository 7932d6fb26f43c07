"""Addresses: what counts as one, what they are shown as, and that none of them holds a secret."""

import pytest

from segcli.errors import UsageError
from segcli.storage import address
from segcli.storage.address import are_stored, is_address, parse, plain


@pytest.mark.parametrize(
    ("text", "shown", "name"),
    [
        ("s3://bucket/photos/", "s3://bucket/photos", "photos"),
        ("S3://bucket/a b?.jpg", "s3://bucket/a b?.jpg", "a b?.jpg"),
        ("https://host:8443/a%20b.jpg?X-Amz-Signature=abc#top", "https://host:8443/a%20b.jpg", "a b.jpg"),
        ("http://[::1]:9000/x.png", "http://[::1]:9000/x.png", "x.png"),
        ("hf://datasets/user/name@v1/x.jpg", "hf://datasets/user/name@v1/x.jpg", "x.jpg"),
    ],
)
def test_an_address_is_shown_without_its_query(text, shown, name):
    found = parse(text)
    assert (str(found), found.name, plain(text)) == (shown, name, shown)
    assert "abc" not in repr(found)


def test_the_whole_address_is_there_for_the_store():
    assert parse("https://host/x.jpg?sig=1&b=2#top").url == "https://host/x.jpg?sig=1&b=2"


@pytest.mark.parametrize(
    "text",
    [
        "s3://AKIA:se/cret@bucket/photos",
        "s3://AKIA:secret@bucket",
        "gs://secret@bucket/x",
        "https://me:secret@host/x.jpg",
        "https://me:se/cret@host/x.jpg",
    ],
)
def test_an_address_with_credentials_is_refused_and_not_repeated(text):
    with pytest.raises(UsageError, match="holds credentials") as error:
        parse(text)
    assert not {"cret", "AKIA", "secret"} & set(str(error.value).replace("/", " ").replace(":", " ").split())


@pytest.mark.parametrize("text", ["ftp://host/x", "s3:///x", "s3://", "zip://a.jpg::s3://b/c.zip", "file:///tmp/x"])
def test_what_names_no_store_is_refused(text):
    with pytest.raises(UsageError):
        parse(text)


@pytest.mark.parametrize("text", ["photos/", "C://photos", "a.jpg", "s3:/bucket", "./s3:/x"])
def test_paths_stay_paths(text):
    assert not is_address(text)


def test_photos_here_and_in_a_store_are_two_runs():
    assert are_stored(["s3://b/a"])
    assert not are_stored(["photos"])
    with pytest.raises(UsageError, match="photos lies on this computer"):
        are_stored(["s3://b/a", "photos"])


def test_a_store_whose_package_is_missing_names_the_extra(monkeypatch):
    monkeypatch.setattr(address, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="s3fs") as error:
        address.require_package(parse("s3://b/x"))
    assert "pip install 'segcli[cloud]'" in error.value.hint
