"""GET /files: a sandbox's file as an HTTP answer."""

from __future__ import annotations

import os
from collections.abc import Mapping

from fake_e2b.backend.entries import base_name
from fake_e2b.backend.envd import Envd
from fake_e2b.backend.transfer import open_download, path_to_download
from fake_e2b.data_plane.asgi import Headers, Receive, Scope, Send, answer, read_headers
from fake_e2b.data_plane.envd.access import envd_of
from fake_e2b.data_plane.envd.file_access import admit
from fake_e2b.data_plane.envd.replies import answer_error, answer_text
from fake_e2b.data_plane.streaming import PIECE_BYTES, pieces_of, read_piece
from fake_e2b.domain.clock import SECOND_NS
from fake_e2b.domain.envd_errors import EnvdError, EnvdKind
from fake_e2b.domain.file_ports import ByteFile
from fake_e2b.wire.accept_encoding import choose_encoding
from fake_e2b.wire.file_query import QueryError, parse_file_query
from fake_e2b.wire.gzip_stream import GzipStream
from fake_e2b.wire.media_types import (
    SNIFFED_BYTES,
    UNKNOWN,
    inline_as,
    type_by_content,
    type_by_name,
)
from fake_e2b.wire.ranges import (
    FORCES_IDENTITY,
    ByteRange,
    RangeError,
    http_date,
    judge,
    parse_ranges,
)

_VARY = (b"vary", b"Accept-Encoding")
# Up to this the daemon's HTTP library knows the length before it sends the headers.
_BUFFERED_BYTES = 2048


async def download(scope: Scope, receive: Receive, send: Send) -> None:
    """Send one file. Facts: envd.files.download.*"""
    headers = read_headers(scope)
    try:
        query = parse_file_query(scope["query_string"])
    except QueryError as error:
        await answer_text(send, 400, str(error))
        return
    envd = envd_of(scope)
    try:
        admit(envd, query, headers, "read")
        user = envd.user(query.username)
        path = path_to_download(envd, query.path or "", user)
        encoding = _encoding(scope, headers)
        file = open_download(envd, path)
    except EnvdError as error:
        await answer_error(send, error)
        return
    name = base_name(path)
    common: Headers = [(b"content-disposition", inline_as(name)), _VARY]
    with file:
        if encoding == "gzip":
            await _send_packed(file, name, common, receive, send)
        else:
            await _serve_plain(envd, file, name, common, headers, receive, send)


def _encoding(scope: Scope, headers: Mapping[str, str]) -> str:
    accepted = ",".join(
        value.decode("latin-1") for name, value in scope["headers"] if name == b"accept-encoding"
    )
    choice = choose_encoding(accepted)
    if choice.encoding is None:
        raise EnvdError(EnvdKind.ENCODING_UNACCEPTABLE)
    if any(name in headers for name in FORCES_IDENTITY):
        if not choice.identity_allowed:
            raise EnvdError(EnvdKind.IDENTITY_UNACCEPTABLE)
        return "identity"
    return choice.encoding


async def _send_packed(
    file: ByteFile, name: str, headers: Headers, receive: Receive, send: Send
) -> None:
    """Pack while sending; what is never seekable can be sent so, too."""
    kind = type_by_name(name) or UNKNOWN
    headers += [(b"content-type", kind.encode()), (b"content-encoding", b"gzip")]
    stream = GzipStream()
    piece = read_piece(file, PIECE_BYTES)
    start = stream.feed(piece) if piece else b""
    piece = read_piece(file, PIECE_BYTES) if piece else b""  # most often the end
    if not piece:
        body = start + stream.finish()
        if len(body) <= _BUFFERED_BYTES:
            await answer(send, 200, headers, body)
        else:
            await _start(send, 200, headers)
            await _send(send, body, more=False)
        return
    await _start(send, 200, headers)
    await _send(send, start + stream.feed(piece), more=True)
    async for piece in pieces_of(file, None, receive):
        await _send(send, stream.feed(piece), more=True)
    await _send(send, stream.finish(), more=False)


async def _serve_plain(
    envd: Envd,
    file: ByteFile,
    name: str,
    headers: Headers,
    request: Mapping[str, str],
    receive: Receive,
    send: Send,
) -> None:
    """The file or parts of it as they are. Facts: envd.files.range.*, envd.files.conditional"""
    status = os.fstat(file.fileno())
    modified = http_date(status.st_mtime_ns // SECOND_NS * SECOND_NS)
    dated = [] if modified is None else [(b"last-modified", modified.encode())]
    verdict = judge(request, status.st_mtime_ns)
    if verdict.status is not None:
        await _answer_condition(send, verdict.status, headers + dated)
        return
    try:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
    except OSError:
        await answer_text(send, 500, "seeker can't seek", headers)
        return
    start = b""
    kind = type_by_name(name)
    if kind is None:
        # A small file is read by this already.
        start = read_piece(file, max(SNIFFED_BYTES, min(size, PIECE_BYTES)))
        kind = type_by_content(start)
    try:
        ranges = parse_ranges(verdict.range_header, size)
    except RangeError as error:
        if not error.overlaps:
            headers.append((b"content-range", b"bytes */%d" % size))
        await answer_text(send, 416, str(error), headers)
        return
    headers += [*dated, (b"accept-ranges", b"bytes")]
    if len(ranges) > 1:
        await _send_parts(envd, file, kind, size, ranges, headers, receive, send)
        return
    headers.append((b"content-type", kind.encode()))
    wanted, code = ByteRange(0, size), 200
    if ranges:
        wanted, code = ranges[0], 206
        headers.append((b"content-range", wanted.content_range(size).encode()))
    if wanted.start or not start:
        file.seek(wanted.start)
        start = read_piece(file, min(wanted.length, PIECE_BYTES))
    start = start[: wanted.length]
    if len(start) == wanted.length:
        await answer(send, code, headers, start)
        return
    await _start(send, code, [*headers, (b"content-length", b"%d" % wanted.length)])
    await _send(send, start, more=True)
    left = wanted.length - len(start)
    async for piece in pieces_of(file, left, receive):
        left -= len(piece)
        await _send(send, piece, more=left > 0)


async def _send_parts(
    envd: Envd,
    file: ByteFile,
    kind: str,
    size: int,
    ranges: list[ByteRange],
    headers: Headers,
    receive: Receive,
    send: Send,
) -> None:
    """Several ranges in one answer, as `multipart/byteranges`."""
    boundary = envd.ids.hex_token(60)
    intros = [
        f"\r\n--{boundary}\r\nContent-Range: {each.content_range(size)}\r\n"
        f"Content-Type: {kind}\r\n\r\n".encode()
        for each in ranges
    ]
    intros[0] = intros[0].removeprefix(b"\r\n")
    outro = f"\r\n--{boundary}--\r\n".encode()
    length = sum(map(len, intros)) + sum(each.length for each in ranges) + len(outro)
    headers += [
        (b"content-type", f"multipart/byteranges; boundary={boundary}".encode()),
        (b"content-length", b"%d" % length),
    ]
    await _start(send, 206, headers)
    for intro, wanted in zip(intros, ranges, strict=True):
        await _send(send, intro, more=True)
        file.seek(wanted.start)
        sent = 0
        async for piece in pieces_of(file, wanted.length, receive):
            sent += len(piece)
            await _send(send, piece, more=True)
        if sent < wanted.length:
            return  # the file shrank: the connection ends short of the length that was promised
    await _send(send, outro, more=False)


async def _answer_condition(send: Send, status: int, headers: Headers) -> None:
    await _start(send, status, headers if status == 304 else [*headers, (b"content-length", b"0")])
    await _send(send, b"", more=False)


async def _start(send: Send, status: int, headers: Headers) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def _send(send: Send, body: bytes, *, more: bool) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})
