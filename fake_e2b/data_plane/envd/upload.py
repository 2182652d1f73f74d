"""POST /files: from the request's body to the sandbox's files."""

from __future__ import annotations

import asyncio

from fake_e2b.backend.transfer import Upload, check_metadata
from fake_e2b.data_plane.asgi import ClientGoneError, Receive, Scope, Send, answer, read_headers
from fake_e2b.data_plane.envd.access import envd_of
from fake_e2b.data_plane.envd.file_access import admit
from fake_e2b.data_plane.envd.replies import answer_error, answer_text
from fake_e2b.data_plane.envd.request_body import BodyEndsEarlyError, RequestBody
from fake_e2b.domain.envd_errors import EnvdError, EnvdKind
from fake_e2b.wire.file_query import FileQuery, QueryError, parse_file_query
from fake_e2b.wire.go_json import go_json
from fake_e2b.wire.multipart import (
    MultipartError,
    MultipartReader,
    PartEnd,
    PartStart,
    parse_parameters,
)

_METADATA_HEADER = b"x-metadata-"
_FIELD = "file"
# Not JSON: the daemon names no type, and its HTTP library sees text.
_ANSWER_TYPE = (b"content-type", b"text/plain; charset=utf-8")


async def upload(scope: Scope, receive: Receive, send: Send) -> None:
    """Write the files of one request. Facts: envd.files.upload.*"""
    headers = read_headers(scope)
    try:
        query = parse_file_query(scope["query_string"])
    except QueryError as error:
        await answer_text(send, 400, str(error))
        return
    envd = envd_of(scope)
    body = RequestBody(receive, headers.get("content-encoding", ""))
    try:
        admit(envd, query, headers, "write")
        await body.open()
        user = envd.user(query.username)
        metadata = _metadata(scope)
        check_metadata(metadata)
        with Upload(envd, user, metadata, _length(headers)) as files:
            await _take(files, query, headers.get("content-type", ""), body)
    except EnvdError as error:
        await body.drain()
        await answer_error(send, error)
        return
    except ClientGoneError:
        return  # nobody is there to be answered; the part that came stays
    shown = [
        {
            **({"metadata": dict(sorted(each.metadata.items()))} if each.metadata else {}),
            "name": each.name,
            "path": each.path,
            "type": "file",
        }
        for each in files.written
    ]
    await answer(send, 200, [_ANSWER_TYPE], go_json(shown))


def _length(headers: dict[str, str]) -> int | None:
    text = headers.get("content-length", "")
    return int(text) if text.isdecimal() else None


def _metadata(scope: Scope) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for name, value in scope["headers"]:
        if name.startswith(_METADATA_HEADER) and len(name) > len(_METADATA_HEADER):
            found.setdefault(name[len(_METADATA_HEADER) :].decode("latin-1"), value)
    return found


async def _take(files: Upload, query: FileQuery, content_type: str, body: RequestBody) -> None:
    kind, parameters = parse_parameters(content_type)
    if kind == "application/octet-stream":
        await _take_raw(files, query.path, body)
    elif kind.startswith("multipart/"):
        boundary = parameters.get("boundary", "")
        if not boundary:
            raise EnvdError(EnvdKind.UPLOAD_WITHOUT_BOUNDARY)
        await _take_form(files, query.path, boundary, body)
    else:
        raise EnvdError(EnvdKind.UPLOAD_CONTENT_TYPE, content_type=content_type)


async def _take_raw(files: Upload, path: str | None, body: RequestBody) -> None:
    if path is None:
        raise EnvdError(EnvdKind.UPLOAD_WITHOUT_PATH)
    await _begin(files, path)
    try:
        async for piece in body.pieces():
            files.write(piece)
    except BodyEndsEarlyError as error:
        raise EnvdError(EnvdKind.UPLOAD_WRITE_FAILED, reason=str(error)) from error
    files.end()


async def _take_form(files: Upload, path: str | None, boundary: str, body: RequestBody) -> None:
    reader = MultipartReader(boundary.encode(errors="surrogateescape"))
    is_wanted = False
    try:
        async for piece in body.pieces():
            for event in reader.feed(piece):
                if isinstance(event, PartStart):
                    is_wanted = event.name == _FIELD
                    if is_wanted:
                        await _begin(files, _target(path, event))
                elif not is_wanted:
                    continue
                elif isinstance(event, PartEnd):
                    files.end()
                else:
                    files.write(event)
        reader.end()
    except MultipartError as error:
        raise _broken(str(error), in_content=error.in_content and is_wanted) from error
    except BodyEndsEarlyError as error:
        in_content = is_wanted and reader.is_in_content
        reason = str(error) if in_content else f"multipart: NextPart: {error}"
        raise _broken(reason, in_content=in_content) from error


async def _begin(files: Upload, path: str) -> None:
    if files.begin(path):
        # Whoever watches the folders above takes the new ones up now, so that the content
        # that is about to come is seen. It takes the event loop two rounds: poll, then act.
        await asyncio.sleep(0)
        await asyncio.sleep(0)


def _target(path: str | None, part: PartStart) -> str:
    if path is not None:
        return path
    if part.filename is None:
        raise EnvdError(EnvdKind.UPLOAD_PART_UNNAMED)
    return part.filename


def _broken(reason: str, *, in_content: bool) -> EnvdError:
    kind = EnvdKind.UPLOAD_WRITE_FAILED if in_content else EnvdKind.UPLOAD_FORM_BROKEN
    return EnvdError(kind, reason=reason)
