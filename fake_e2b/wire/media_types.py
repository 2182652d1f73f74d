"""Content types of files, by name and by content, and how a file's name stands in a header.

Facts: envd.files.content-type, envd.files.content-disposition
"""

from __future__ import annotations

import mimetypes
import re

SNIFFED_BYTES = 512
"""How much of a file is looked at."""

UNKNOWN = "application/octet-stream"
_TEXT = "text/plain; charset=utf-8"
_HTML = "text/html; charset=utf-8"

# The standard library's own list, without the machine's files: the same answer everywhere.
_KNOWN = mimetypes.MimeTypes()
# Where that list differs between Python's versions, or from that of the sandbox's Debian; ""
# stands for an extension that is not known there.
_OVERRIDES = {
    ".avif": "image/avif",
    ".bat": "",
    ".c": "text/x-csrc",
    ".cpp": "text/x-c++src",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".go": "",
    ".gz": "application/gzip",
    ".h": "text/x-chdr",
    ".ico": "image/vnd.microsoft.icon",
    ".java": "text/x-java",
    ".js": "text/javascript",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".rb": "application/x-ruby",
    ".sh": "text/x-sh",
    ".sql": "application/sql",
    ".tgz": "application/x-gtar-compressed",
    ".toml": "",
    ".ts": "text/vnd.trolltech.linguist",
    ".wasm": "application/wasm",
    ".webp": "image/webp",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".xml": "application/xml",
    ".yaml": "",
    ".yml": "",
}


def type_by_name(name: str) -> str | None:
    """The content type for a file's extension; None for one that is not known."""
    dot = name.rfind(".")
    if dot < 0:
        return None
    extension = name[dot:].lower()
    found = _OVERRIDES.get(extension)
    if found is None:
        found = _KNOWN.types_map[True].get(extension) or _KNOWN.types_map[False].get(extension)
    if not found:
        return None
    return f"{found}; charset=utf-8" if found.startswith("text/") else found


_TAGS = (
    b"<!DOCTYPE HTML", b"<HTML", b"<HEAD", b"<SCRIPT", b"<IFRAME", b"<H1", b"<DIV", b"<FONT",
    b"<TABLE", b"<A", b"<STYLE", b"<TITLE", b"<B", b"<BODY", b"<BR", b"<P", b"<!--",
)  # fmt: skip
_PREFIXES = (
    (b"%PDF-", "application/pdf"),
    (b"%!PS-Adobe-", "application/postscript"),
    (b"\xfe\xff", "text/plain; charset=utf-16be"),
    (b"\xff\xfe", "text/plain; charset=utf-16le"),
    (b"\xef\xbb\xbf", _TEXT),
    (b"\x00\x00\x01\x00", "image/x-icon"),
    (b"\x00\x00\x02\x00", "image/x-icon"),
    (b"BM", "image/bmp"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"ID3", "audio/mpeg"),
    (b"OggS\x00", "application/ogg"),
    (b"MThd\x00\x00\x00\x06", "audio/midi"),
    (b"\x1a\x45\xdf\xa3", "video/webm"),
    (b"\x00\x01\x00\x00", "font/ttf"),
    (b"OTTO", "font/otf"),
    (b"ttcf", "font/collection"),
    (b"wOFF", "font/woff"),
    (b"wOF2", "font/woff2"),
    (b"\x1f\x8b\x08", "application/x-gzip"),
    (b"PK\x03\x04", "application/zip"),
    (b"Rar!\x1a\x07\x00", "application/x-rar-compressed"),
    (b"Rar!\x1a\x07\x01\x00", "application/x-rar-compressed"),
    (b"\x00\x61\x73\x6d", "application/wasm"),
)
# Form: at the start, then four bytes that may be anything, then these.
_FORMS = (
    (b"RIFF", b"WEBPVP", "image/webp"),
    (b"FORM", b"AIFF", "audio/aiff"),
    (b"RIFF", b"AVI ", "video/avi"),
    (b"RIFF", b"WAVE", "audio/wave"),
)
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")


def type_by_content(start: bytes) -> str:
    """The content type for a file's first bytes, by the WHATWG's sniffing rules as Go has them."""
    data = start[:SNIFFED_BYTES]
    text = data.lstrip(b"\t\n\x0c\r ")
    upper = text[:16].upper()
    for tag in _TAGS:
        if upper.startswith(tag) and text[len(tag) : len(tag) + 1] in (b" ", b">"):
            return _HTML
    if text.startswith(b"<?xml"):
        return "text/xml; charset=utf-8"
    for prefix, found in _PREFIXES:
        if data.startswith(prefix):
            return found
    for first, second, found in _FORMS:
        if data.startswith(first) and data[8:].startswith(second):
            return found
    if _is_mp4(data):
        return "video/mp4"
    if data[34:36] == b"LP" and not data[:34].strip(b"\0"):
        return "application/vnd.ms-fontobject"
    return UNKNOWN if _BINARY.search(data) else _TEXT


def _is_mp4(data: bytes) -> bool:
    if len(data) < 12 or data[4:8] != b"ftyp":
        return False
    box = int.from_bytes(data[:4], "big")
    if box % 4 or len(data) < box:
        return False
    brands = (data[at : at + 3] for at in range(8, box, 4) if at != 12)
    return b"mp4" in brands


_TOKEN = re.compile(r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+", re.ASCII)
_NEEDS_CODING = re.compile(r"[^\t -~]")
_PLAIN_IN_CODING = re.compile(rb"[!#$&+\-.0-9A-Z^_`a-z{|}~]")


def inline_as(name: str) -> bytes:
    """The Content-Disposition of a download, e.g. ``inline; filename="a b.txt"``."""
    if _TOKEN.fullmatch(name):
        value = f"filename={name}"
    elif _NEEDS_CODING.search(name):
        coded = "".join(
            chr(byte) if _PLAIN_IN_CODING.match(bytes((byte,))) else f"%{byte:02X}"
            for byte in name.encode(errors="surrogateescape")
        )
        value = f"filename*=utf-8''{coded}"
    else:
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        value = f'filename="{escaped}"'
    return f"inline; {value}".encode()
