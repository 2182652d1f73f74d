"""Queries and bodies of the content API of volumes.

Fact: volumes.content.parameters
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from fake_e2b.domain.volume import MAX_MODE
from fake_e2b.domain.volume_errors import VolumeError, VolumeKind
from fake_e2b.wire.json_scanner import InvalidJSONError
from fake_e2b.wire.service_json import decode

_DIGITS = re.compile(r"[0-9]+", re.ASCII)
_MOST_DIGITS = 20  # of a number in range, some zeros before it included
_MOST = {"uid": 2**32 - 1, "gid": 2**32 - 1, "depth": 2**32 - 1, "mode": MAX_MODE}
_TRUTHS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a request says of owner and mode; None for what it leaves open."""

    uid: int | None = None
    gid: int | None = None
    mode: int | None = None


@dataclass(frozen=True, slots=True)
class VolumeQuery:
    """What a URL says."""

    path: str
    attributes: Attributes
    depth: int | None = None
    force: bool = False


def read_query(query: bytes) -> VolumeQuery:
    """Read a query string; further parameters are ignored.

    Raises:
        VolumeError: BAD_PARAMETER: the path is missing, or one is not what it must be.
    """
    given: dict[str, str] = {}
    for name, value in parse_qsl(
        query.decode("latin-1"), keep_blank_values=True, errors="surrogateescape"
    ):
        if name in given:
            raise _bad(name, f"multiple values for single value parameter '{name}'")
        given[name] = value
    if "path" not in given:
        raise VolumeError(
            VolumeKind.BAD_PARAMETER, name="path", reason="query parameter 'path' is required"
        )
    if "\0" in given["path"]:
        raise _bad("path", "invalid argument")
    return VolumeQuery(
        path=given["path"],
        attributes=Attributes(*(_number(given, name) for name in ("uid", "gid", "mode"))),
        depth=_number(given, "depth"),
        force=_truth(given, "force"),
    )


def _number(given: Mapping[str, str], name: str) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if not _DIGITS.fullmatch(text):
        raise _bad(name, f'strconv.ParseUint: parsing "{text}": invalid syntax')
    if len(text) > _MOST_DIGITS or int(text) > _MOST[name]:
        raise _bad(name, f'strconv.ParseUint: parsing "{text}": value out of range')
    return int(text)


def _truth(given: Mapping[str, str], name: str) -> bool:
    text = given.get(name)
    if text is None:
        return False
    if text not in _TRUTHS:
        raise _bad(name, f'strconv.ParseBool: parsing "{text}": invalid syntax')
    return _TRUTHS[text]


def _bad(name: str, reason: str) -> VolumeError:
    return VolumeError(VolumeKind.BAD_PARAMETER, name=name, reason=reason)


def read_attributes(body: bytes) -> Attributes:
    """Read the body of an update.

    Raises:
        VolumeError: BAD_BODY: it is no object of whole numbers in their ranges.
    """
    try:
        value: Any = decode(body)
    except InvalidJSONError as error:
        raise VolumeError(VolumeKind.BAD_BODY, reason=str(error)) from None
    if not isinstance(value, dict):
        raise VolumeError(VolumeKind.BAD_BODY, reason="the body must be an object")
    for name in ("uid", "gid", "mode"):
        number = value.get(name)
        is_whole = isinstance(number, int) and not isinstance(number, bool)
        if number is not None and not (is_whole and 0 <= number <= _MOST[name]):
            reason = f"{name} must be a whole number from 0 to {_MOST[name]}"
            raise VolumeError(VolumeKind.BAD_BODY, reason=reason)
    return Attributes(value.get("uid"), value.get("gid"), value.get("mode"))
