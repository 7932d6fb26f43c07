"""The reader of a server's answers, for tests/fuzz.py: a server on this computer answers with damaged bytes."""

import random
import socket
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from unittest import mock

from fuzz_engine import Reader, Seed

from segcli.files import download, pace

BODY = bytes(range(256)) * 8
_HEADERS = (
    b'HTTP/1.1 200 OK\r\nContent-Length: 2048\r\nETag: "abc"\r\nAccept-Ranges: bytes\r\n',
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nLast-Modified: Thu, 26 Nov 2026 12:00:00 GMT\r\n",
    b'HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 1024-2047/2048\r\nContent-Length: 1024\r\nETag: "abc"\r\n',
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n",
    b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */2048\r\nContent-Length: 0\r\n",
    b"HTTP/1.1 200 OK\r\n",
)


class _Server:
    """A server that sends what it is told, whatever it is asked, and hangs up.

    Attributes:
        answer: The bytes to send.
        url: Its address.
    """

    def __init__(self) -> None:
        self.answer = b""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/weights.bin"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            with connection:
                try:
                    connection.recv(65536)
                    connection.sendall(self.answer)
                except OSError:
                    pass


@cache
def _server() -> _Server:
    return _Server()  # in the worker: threads do not survive a fork


def _answers(folder: Path) -> Sequence[Seed]:
    chunks = b"400\r\n" + BODY[:1024] + b"\r\n400\r\n" + BODY[1024:] + b"\r\n0\r\n\r\n"
    bodies = (BODY, chunks, BODY[1024:], b"", b"", BODY)
    part = {"weights.bin.part": BODY[:1024], "weights.bin.part.etag": b'"abc"'}
    seeds = [Seed("answer", head + b"\r\n" + body, form="") for head, body in zip(_HEADERS, bodies, strict=True)]
    seeds += [Seed("answer", seed.content, part) for seed in seeds[:5]]
    return [*seeds, *(Seed(name, content, {**part, "answer": seeds[2].content}) for name, content in part.items())]


def header_lies(data: bytes, chance: random.Random) -> bytes:
    """A header says something else."""
    lines = data.split(b"\r\n")
    places = [index for index, line in enumerate(lines[:6]) if b": " in line]
    if not places:
        return data
    place = chance.choice(places)
    name = lines[place].partition(b": ")[0]
    values = (
        b"-1",
        b"0",
        b"99999999999999999999",
        b"x" * 3000,
        b"\xff\xfe",
        b"bytes 0-0/0",
        b"gzip",
        b"",
        b'W/"x"',
        b"1;1",
    )
    lines[place] = name + b": " + chance.choice(values)
    if chance.random() < 0.2:
        lines.insert(place, lines[place])
    return b"\r\n".join(lines)


def _read_answer(folder: Path, seed: Seed) -> None:
    server = _server()
    server.answer = (folder / "answer").read_bytes()
    with (
        mock.patch.object(download, "PAUSE", 0.0),
        mock.patch.object(download, "TIMEOUT", 1.0),
        mock.patch.object(pace, "SECONDS", 1.0),
    ):
        download.download(server.url, folder / "weights.bin")


ANSWERS = (Reader("HTTP answers", _answers, _read_answer, (header_lies, header_lies), keeps=False),)
"""The reader of answers."""
