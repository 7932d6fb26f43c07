"""Trouble: what goes wrong with a store, told in one line without secrets; what passes is tried again a few times."""

from __future__ import annotations

import errno
import random
import re
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from segcli.errors import InputError, SegcliError
from segcli.files.atomic import FULL
from segcli.files.pace import StalledError
from segcli.storage.address import Address

Result = TypeVar("Result")

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""The most seconds before each further try of what a store refuses for the moment; about half a minute with the tries
themselves, in which a store that slows its users down has let others through."""
PASSING = (409, 429, 500, 502, 503, 504)
"""The HTTP answers that another try may change: another writer was at it, or the store has too much to do."""
GONE, REFUSED, TAKEN = (404, 410), (401, 403), 412
_CUT = frozenset({"ClientPayloadError", "IncompleteRead", "IncompleteReadError", "ProtocolError", "CutError"})
_NETWORK = frozenset(
    {"ClientConnectionError", "HTTPClientError", "FSTimeoutError", "ResponseParserError", "ServerTimeoutError", *_CUT}
)
"""The names, in aiohttp, botocore and fsspec, of errors of the network; none of them need be installed."""
_CREDENTIALS = re.compile(r"credential|expired|token|signature|access key|not authenticated", re.IGNORECASE)
_SECRETS = re.compile(r"\?[^\s'\"<>]*|(?<=://)[^/@\s]*@")


class CutError(Exception):
    """Fewer bytes came than the store had announced."""

    def __str__(self) -> str:
        return "the connection was cut"


class ChangedError(Exception):
    """An object was replaced while it was read."""

    def __str__(self) -> str:
        return "it was replaced while it was read"


class StoreError(SegcliError):
    """A store cannot be reached, or refuses what a whole run needs."""


def patiently(call: Callable[[], Result]) -> Result:
    """What a call gives or raises; where the trouble may pass it is made again after a pause, a few times."""
    for pause in PAUSES:
        try:
            return call()
        except Exception as error:
            if not is_passing(error):
                raise
            time.sleep(pause * random.uniform(0.5, 1))
    return call()


def is_passing(error: BaseException) -> bool:
    """Whether another try may go well: the store is slowing down, the network is disturbed, or a download was cut."""
    return _status(error) in PASSING or _is_network(error) or any(isinstance(one, ChangedError) for one in _all(error))


def is_gone(error: BaseException) -> bool:
    """Whether an error says that there is no such object, or no such bucket."""
    status = _status(error)
    return status in GONE or (not status and isinstance(error, FileNotFoundError) and not _is_network(error))


def is_taken(error: BaseException) -> bool:
    """Whether an error says that an object is there already, where one was to be made."""
    return isinstance(error, FileExistsError) or _status(error) == TAKEN


def of_object(error: Exception, address: Address) -> SegcliError:
    """The error for one object: an InputError where it alone is concerned, else a StoreError."""
    if is_gone(error):
        return InputError(f"{address} is not there any more", "Was it removed, or renamed?")
    of_web = address.kind.has_query  # each of the web's addresses is a matter of its own
    if _is_refused(error) and (of_web or not _CREDENTIALS.search(str(error))):
        hint = "A signed address holds for a while only." if of_web else "Who may read it is set in the store."
        return InputError(f"{address} may not be read ({reason(error)})", hint)
    if of_web or _is_cut(error) or any(isinstance(one, StalledError | ChangedError) for one in _all(error)):
        return InputError(f"{address} cannot be fetched: {reason(error)}", "Give the same command again.")
    return of_store(error, address)


def of_store(error: Exception, address: Address) -> SegcliError:
    """The error for a store, or for a place that a whole run needs."""
    if isinstance(error, SegcliError):
        return error
    if isinstance(error, OSError) and error.errno in FULL:
        hint = "Free some space, or set TMPDIR to another disk, and give the same command again."
        return SegcliError(f"the temporary folder is full: {error.strerror}", hint)
    return StoreError(*_of_store(error, address))


def _of_store(error: Exception, address: Address) -> tuple[str, str]:
    """What a store's error says, and the next step."""
    why, store = reason(error), f"{address.scheme}://{address.path.partition('/')[0]}"
    if is_gone(error):
        return f"{address} is not there", "Is the bucket's name right, and its region?"
    if _is_refused(error) or _CREDENTIALS.search(str(error)):
        hint = "Which credentials count is the store's own matter: environment variables, profiles, roles."
        return f"{address} refuses: {why}", hint
    if _status(error) in PASSING:
        return f"{store} is too busy ({why})", "Give the same command again later: what is done is kept."
    if _is_network(error):
        hint = "Check the network, and AWS_ENDPOINT_URL where it is set; then give the same command again."
        return f"{store} cannot be reached ({why})", hint
    return f"{address}: {why}", "Give the same command again: what is done is kept."


def reason(error: BaseException) -> str:
    """What an error says, in one line, without the queries of addresses, which may be signatures."""
    status = _status(error)
    if _is_cut(error):
        return str(CutError())
    if isinstance(said := getattr(error, "message", None), str) and status:  # aiohttp's
        return f"HTTP {status}: {_SECRETS.sub('', said)}"
    text = str(error.args[-1] if isinstance(error, OSError) and error.args else error) or type(error).__name__
    line = _SECRETS.sub("", text.strip().partition("\n")[0])
    return f"HTTP {status}: {line}" if status and str(status) not in line else line


def _is_refused(error: BaseException) -> bool:
    return isinstance(error, PermissionError) or _status(error) in REFUSED


def _is_network(error: BaseException) -> bool:
    kinds = ConnectionError | TimeoutError | StalledError
    return any(isinstance(one, kinds) or _is(one, _NETWORK) for one in _all(error))


def _is_cut(error: BaseException) -> bool:
    return any(_is(one, _CUT) for one in _all(error))


def _is(error: BaseException, names: frozenset[str]) -> bool:
    return any(kind.__name__ in names for kind in type(error).__mro__)


def _all(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those that it came from."""
    for _ in range(10):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _status(error: BaseException) -> int:
    """The HTTP status of an error of botocore, aiohttp or gcsfs, or of the one that it came from; 0 where none says."""
    for one in _all(error):
        response = getattr(one, "response", None)
        if isinstance(response, dict):
            return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        for name in ("status", "code"):
            if isinstance(number := getattr(one, name, None), int):
                return number
        if isinstance(one, OSError) and one.errno == errno.EBUSY:  # s3fs's for SlowDown
            return 503
    return 0
