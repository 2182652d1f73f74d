"""Reason phrases as the service's HTTP library writes them. Pure.

Python's own texts change between its versions; Go's do not.

Fact: proxy.answer.status-line
"""

from __future__ import annotations

import http

_OWN = {
    413: "Request Entity Too Large",
    414: "Request URI Too Long",
    416: "Requested Range Not Satisfiable",
    418: "I'm a teapot",
    422: "Unprocessable Entity",
}


def phrase(status: int) -> bytes:
    """The phrase of any status of three digits, also of those that nobody has registered.

    >>> phrase(404), phrase(799)
    (b'Not Found', b'status code 799')
    """
    if status in _OWN:
        return _OWN[status].encode()
    try:
        return http.HTTPStatus(status).phrase.encode()
    except ValueError:
        return b"status code %d" % status
