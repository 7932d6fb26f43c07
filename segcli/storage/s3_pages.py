"""Pages of S3's listings, read here: botocore itself takes longer to read a page than a store to give it."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

EVENT = "before-parse.s3.ListObjectsV2"
"""What botocore calls the moment between a page's arrival and its reading."""


def read_here(files: Any) -> None:
    """Let a file system of s3fs have its pages read by `read`; one that lacks what that takes stays as it is."""
    with suppress(ImportError, AttributeError, TypeError):
        from aiobotocore.session import AioSession

        if files.session is None:
            files.session = AioSession(**files.kwargs)
        files.session.register(EVENT, read)


def read(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """Take the objects out of a page and put them into what botocore gives; it reads what is left, or a strange page.

    Args:
        response_dict: The store's answer: "status_code" and "body".
        customized_response_dict: What botocore adds to what it reads itself.
    """
    if response_dict["status_code"] >= 300:
        return
    with suppress(ElementTree.ParseError, KeyError, TypeError, ValueError):
        rest, objects = parted(response_dict["body"])
        if objects:
            response_dict["body"] = rest
            customized_response_dict["Contents"] = objects


def parted(page: bytes) -> tuple[bytes, list[dict[str, Any]]]:
    """A page without its objects, and their keys, sizes, ETags and times, as botocore gives them.

    Raises:
        ParseError, KeyError, TypeError, ValueError: It is no page as S3 gives them.
    """
    root = ElementTree.fromstring(page)
    head = root.tag.rpartition("}")[0]
    name = f"{head}}}Contents" if head else "Contents"
    inside = len(name) - len("Contents")
    objects = [_facts({child.tag[inside:]: child.text for child in node}) for node in root if node.tag == name]
    root[:] = [node for node in root if node.tag != name]
    return ElementTree.tostring(root), objects


def _facts(texts: dict[str, str | None]) -> dict[str, Any]:
    facts: dict[str, Any] = {"Key": texts["Key"] or "", "Size": int(texts["Size"])}
    if texts.get("ETag"):
        facts["ETag"] = texts["ETag"]
    if texts.get("LastModified"):
        facts["LastModified"] = changed = datetime.fromisoformat(texts["LastModified"])
        if changed.tzinfo is None:
            raise ValueError("a time without its zone")
    return facts
