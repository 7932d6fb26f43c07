"""Downloads: a file behind a URL, whole or not at all, resumed after a cut, with an eye on the free disk."""

import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from threading import Thread
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from segcli import __version__
from segcli.errors import WeightsError
from segcli.files.pace import LEAST, Pace, StalledError

CHUNK = 1 << 18
"""The bytes that are read at once."""
TIMEOUT = 30.0
"""The seconds without a byte after which a connection counts as cut."""
RETRIES = 4
"""The number of times that a cut connection is taken up again while less than `pace.LEAST` bytes come in between."""
PAUSE = 1.0
"""The seconds before the first retry, doubled with each further one."""
LARGEST_FILE = 4 << 30
"""The size in bytes above which a file cannot be one of the manifest's."""
MEGABYTE = 1_000_000
"""The bytes that must be free for more of a file whose length the server does not say."""
HEADROOM = 64 << 20
"""The bytes of the disk to leave free."""

OWN_FILE = "`segcli predict --weights FILE` takes a checkpoint that you have."
"""What helps whoever has weights already."""

_RANGE = re.compile(r"bytes ([0-9]{1,15})-[0-9]{1,15}/([0-9]{1,15}|\*)")
_VALIDATOR = re.compile(r"[ -~]{1,200}")
"""What of a server's header is believed: a range of bytes, and what tells one state of a file from another."""

Progress = Callable[[str, int, int | None], None]
"""A function that is called as bytes arrive, with (name, bytes here so far, bytes in all or None where unknown)."""


class _CutError(Exception):
    """The connection ended before the file did, or brought next to nothing."""


class _TooLargeError(Exception):
    """The server sends more than the file it announced, or than any file that is wanted has."""


class _SafeRedirects(HTTPRedirectHandler):
    def redirect_request(self, req, fp, code, msg, headers, newurl):
        """Refuse to leave https on the way: a plain connection lets anybody exchange the weights."""
        if urlsplit(req.full_url).scheme == "https" and urlsplit(newurl).scheme != "https":
            raise WeightsError(f"{req.full_url} redirects to an unencrypted address", "Nothing was downloaded.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def require_space(folder: Path, size: int) -> None:
    """Raise WeightsError unless that many bytes fit on the disk that the existing `folder` is on."""
    free = shutil.disk_usage(folder).free
    if free < size + HEADROOM:
        left = f"{free / 1e6:.0f} MB are free, of which {HEADROOM / 1e6:.0f} stay so"
        raise WeightsError(
            f"{size / 1e6:.0f} MB do not fit into {folder}: {left}",
            "Free some space, or set SEGCLI_CACHE_DIR (HF_HOME for files of the Hub) to another disk.",
        )


def download(url: str, path: Path, progress: Progress | None = None) -> None:
    """Download a file to `path`; what an interrupted call left behind beside it is continued.

    Args:
        url: https://..., or http:// where nobody in between can be harmful (loopback).
        path: Where the file appears once it is complete; its folder is made.
        progress: Called after each piece.

    Raises:
        WeightsError: The server cannot be reached, has no such file, keeps cutting the connection, sends too much,
            or the disk is full.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _complete(url, part, progress)
        part.replace(path)
        _validator_file(part).unlink(missing_ok=True)
    except _TooLargeError:
        _forget(part)
        raise WeightsError(f"{url} sends more than the file it announced", "Nothing of it is used.") from None
    except OSError as error:
        raise WeightsError(f"{path} cannot be written ({error.strerror or error})") from error


def _complete(url: str, part: Path, progress: Progress | None) -> None:
    """Connect until `part` is the whole file; WeightsError after RETRIES with next to nothing new."""
    retries = 0
    while True:
        before = _size(part)
        try:
            return _receive(url, part, progress)
        except _CutError as error:
            retries = 0 if _size(part) >= before + LEAST else retries + 1
            if retries > RETRIES:
                hint = "Run the command again: it goes on where it stopped."
                why = f" ({error})" if str(error) else ""
                raise WeightsError(f"the download of {url} keeps being cut{why}", hint) from error
            time.sleep(PAUSE * 2 ** max(retries - 1, 0))


def _receive(url: str, part: Path, progress: Progress | None) -> None:
    """Append to `part` what one connection brings; _CutError if the file is not complete then."""
    pace = Pace()
    with _left_in_the_end(_open(url, part, pace)) as response:
        done, total = _placement(response, part)
        if total > LARGEST_FILE:
            raise _TooLargeError
        require_space(part.parent, max(total - done, 0))
        if not done:
            part.unlink(missing_ok=True)  # before its validator is replaced: the two must never disagree
        _validator_file(part).write_text(_validator(response), encoding="ascii")
        with part.open("ab") as file:
            while chunk := _read(response, pace):
                done += len(chunk)
                if done > (total or LARGEST_FILE):
                    raise _TooLargeError
                if not total:
                    _go_on(part)
                file.write(chunk)
                if progress:
                    progress(url.rpartition("/")[2], done, total or None)
    if done < total:
        raise _CutError


@contextmanager
def _left_in_the_end(response: HTTPResponse) -> Iterator[HTTPResponse]:
    """A connection that a thread of its own closes: closing waits for a read that is given up but still goes on."""
    try:
        yield response
    finally:
        Thread(target=response.close, daemon=True).start()


def _go_on(part: Path) -> None:
    """Raise WeightsError once a file without an announced length has filled the disk; nothing of it stays."""
    try:
        require_space(part.parent, MEGABYTE)
    except WeightsError:
        _forget(part)
        raise


def _open(url: str, part: Path, pace: Pace) -> HTTPResponse:
    """Ask for the file from where `part` ends, or from its start if the server's is not the same any more."""
    headers = {"User-Agent": f"segcli/{__version__}", "Accept-Encoding": "identity"}
    if _size(part) and (known := _known_validator(part)):
        headers |= {"Range": f"bytes={_size(part)}-", "If-Range": known}
    else:
        part.unlink(missing_ok=True)
    try:
        return pace.wait(lambda: build_opener(_SafeRedirects).open(Request(url, headers=headers), timeout=TIMEOUT))
    except HTTPError as error:
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and "Range" in headers:
            part.unlink()
            return _open(url, part, pace)
        raise _refused(url, error.code) from error
    except StalledError as error:
        raise _CutError(str(error)) from error
    except (OSError, HTTPException, ValueError, OverflowError) as error:  # the last two: a proxy that is no address
        reason = getattr(error, "reason", None) or error
        raise WeightsError(
            f"cannot reach {urlsplit(url).netloc} ({reason})",
            "Check the network connection, and HTTPS_PROXY if you need a proxy; then run the command again. "
            + OWN_FILE,
        ) from error


def _placement(response: HTTPResponse, part: Path) -> tuple[int, int]:
    """The bytes to keep of those in `part`, and the bytes of the whole file, 0 if unknown."""
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise WeightsError("the server packs the file in a way that nobody asked for", "Try another network.")
    length = response.length or 0  # None for a body in chunks, or where the header is no number
    if response.status != HTTPStatus.PARTIAL_CONTENT:
        return 0, length
    have = _size(part)
    found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if found is None or int(found[1]) != have:
        _forget(part)
        raise _CutError("the server sends another part of the file than it was asked for")
    if found[2] == "*":
        return have, have + length if length else 0
    return have, int(found[2])


def _read(response: HTTPResponse, pace: Pace) -> bytes:
    """The next bytes as soon as there are any; empty at the end."""
    try:
        chunk = pace.wait(lambda: response.read1(CHUNK))
    except (HTTPException, OSError, ValueError) as error:  # OSError: reset, timed out, TLS ended early
        raise _CutError from error
    except StalledError as error:
        raise _CutError(str(error)) from error
    pace.add(len(chunk))
    return chunk


def _validator(response: HTTPResponse) -> str:
    """The value for If-Range: a strong ETag or a date, in ASCII as HTTP has it; empty if there is neither."""
    etag, date = (response.headers.get(name, "") for name in ("ETag", "Last-Modified"))
    known = etag if etag.startswith('"') else date
    return known if _VALIDATOR.fullmatch(known) else ""


def _known_validator(part: Path) -> str:
    """What an earlier connection has left, which a disk may have changed; empty where it is of no use."""
    try:
        known = _validator_file(part).read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""
    return known if _VALIDATOR.fullmatch(known) else ""


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _validator_file(part).unlink(missing_ok=True)


def _validator_file(part: Path) -> Path:
    return part.with_name(part.name + ".etag")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _refused(url: str, status: int) -> WeightsError:
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        return WeightsError(
            f"{url} is not there any more (HTTP {status})",
            "`segcli models` shows other weights; if you have the file, `segcli weights convert` it.",
        )
    return WeightsError(f"the server refuses {url} (HTTP {status})", "Try again later, or from another network.")
