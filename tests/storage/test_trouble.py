"""What goes wrong with a store: told apart, tried again where it may pass, and told without secrets."""

import pytest

from segcli.errors import InputError
from segcli.storage import trouble
from segcli.storage.address import parse
from segcli.storage.trouble import StoreError, of_object, of_store, patiently

PHOTO = parse("https://host/x.jpg?X-Amz-Signature=secret")


class ClientError(Exception):
    """An error of botocore's, by its shape."""

    def __init__(self, status, text):
        super().__init__(text)
        self.response = {"ResponseMetadata": {"HTTPStatusCode": status}}


class ClientPayloadError(Exception):
    """One of aiohttp's, by its name."""


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(trouble, "PAUSES", (0.001,) * 3)


@pytest.mark.parametrize(
    "error", [ClientError(503, "SlowDown"), ClientError(409, "Conflict"), ConnectionResetError(), ClientPayloadError()]
)
def test_what_may_pass_is_tried_again(error):
    answers = iter([error, error, "there"])

    def call():
        if isinstance(answer := next(answers), Exception):
            raise answer
        return answer

    assert patiently(call) == "there"


def test_tries_come_to_an_end():
    calls = []

    def call():
        calls.append(1)
        raise ClientError(503, "SlowDown")

    with pytest.raises(ClientError):
        patiently(call)
    assert len(calls) == 4


@pytest.mark.parametrize("error", [ClientError(403, "AccessDenied"), FileNotFoundError("x"), ValueError("x")])
def test_what_stays_is_not_tried_again(error):
    calls = []

    def call():
        calls.append(1)
        raise error

    with pytest.raises(type(error)):
        patiently(call)
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (ClientError(404, "NoSuchKey"), InputError, "is not there any more"),
        (ClientError(403, "Access Denied"), InputError, "may not be read (HTTP 403: Access Denied)"),
        (ClientError(403, "The AWS Access Key Id does not exist"), StoreError, "refuses"),
        (ClientError(403, "The provided token has expired."), StoreError, "refuses"),
        (ClientError(503, "SlowDown"), StoreError, "s3://b is too busy"),
        (ConnectionRefusedError("no"), StoreError, "s3://b cannot be reached"),
        (ClientPayloadError("1 of 2 bytes"), InputError, "cannot be fetched: the connection was cut"),
    ],
)
def test_one_object_fails_alone_and_a_store_as_a_whole(error, kind, said):
    told = of_object(error, parse("s3://b/x.jpg"))
    assert type(told) is kind
    assert said in told.message
    assert told.hint


def test_an_address_of_the_web_fails_alone():
    assert type(of_object(ConnectionRefusedError("no"), PHOTO)) is InputError


def test_no_line_holds_a_signature_or_a_password():
    error = FileNotFoundError("https://me:word@host/x.jpg?X-Amz-Signature=secret")
    for told in (of_object(error, PHOTO), of_store(ValueError(f"at '{error}' it failed"), PHOTO)):
        assert "secret" not in str(told)
        assert "word" not in str(told)
