"""Where archives of COPY steps are sent: the fake's object storage.

As with the service's presigned URLs no key is asked for, and a body without a stated length is
refused. Fact: templates.build.upload
"""

from __future__ import annotations

import re
from collections.abc import Callable

from starlette.responses import JSONResponse

from fake_e2b.domain.clock import SECOND_NS, Clock
from fake_e2b.domain.ids import IdSource
from fake_e2b.server.builder.archives import MOST_BYTES, Archives
from fake_e2b.server.streams import App, Receive, Scope, Send

PREFIX = "/_fake/uploads/"
_FORM = re.compile(
    re.escape(PREFIX) + r"([0-9a-f-]{36})/([0-9a-f]{64})/([0-9]{1,12})/([0-9a-f]{64})"
)


def upload_url(base: str, ids: IdSource) -> Callable[[str, str, int], str]:
    """Makes URLs for a team and hash that work until an instant (seconds since the epoch)."""

    def make(team_id: str, files_hash: str, until_s: int) -> str:
        what = f"{team_id}/{files_hash}/{until_s}"
        return f"{base}{PREFIX}{what}/{ids.upload_token(what)}"

    return make


def uploads_app(archives: Archives, ids: IdSource, clock: Clock) -> App:
    """Takes what is sent to such a URL by PUT."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        status, message = await _take(scope, receive)
        answer = JSONResponse({"code": status, "message": message}, status)
        await answer(scope, receive, send)

    async def _take(scope: Scope, receive: Receive) -> tuple[int, str]:
        found = _FORM.fullmatch(scope["path"])
        if found is None:
            return 404, "this is no place for an upload"
        if scope["method"] != "PUT":
            return 405, "archives are sent by PUT"
        team_id, files_hash, until_s, token = found.groups()
        if token != ids.upload_token(f"{team_id}/{files_hash}/{until_s}"):
            return 403, "the signature does not fit"
        if int(until_s) * SECOND_NS < clock.now_ns():
            return 403, "the URL has expired"
        headers = dict(scope["headers"])
        length = headers.get(b"content-length")
        if length is None or b"transfer-encoding" in headers:
            return 501, "a body without Content-Length is not implemented"
        if int(length) > MOST_BYTES:
            return 413, f"an archive has at most {MOST_BYTES} bytes"
        with_file = Archives.new()
        more = True
        try:
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    with_file.close()
                    return 400, "the archive did not come whole"
                with_file.write(message.get("body", b""))
                more = message.get("more_body", False)
        except BaseException:
            with_file.close()
            raise
        archives.keep(team_id, files_hash, with_file)
        return 200, "kept"

    return app
