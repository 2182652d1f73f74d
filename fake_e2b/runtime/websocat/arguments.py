"""The command line, as `websocat` 1.x takes it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from .handshake import Header

VERSION = "1.14.0"
"""The release whose command line this follows."""

HELP = f"""\
websocat {VERSION} (the stand-in of fake-e2b)
Joins WebSockets, TCP and standard input and output.

USAGE:
    websocat ws://URL | wss://URL               a client on standard input and output
    websocat -s [HOST:]PORT                     a server on standard input and output
    websocat [OPTIONS] ADDRESS1 ADDRESS2        joins two addresses

ADDRESSES:
    ws://URL  wss://URL            WebSocket client
    ws-l:HOST:PORT                 WebSocket server (also ws-listen: listen-ws: l-ws:)
    tcp:HOST:PORT                  TCP client (also tcp-connect: connect-tcp: tcp-c: c-tcp:)
    tcp-l:HOST:PORT                TCP server (also tcp-listen: listen-tcp: l-tcp:)
    unix:PATH  unix-l:PATH         the same on UNIX sockets
    ws-c:ADDRESS                   WebSocket client over another address; see --ws-c-uri
    -  stdio:                      standard input and output
    sh-c:COMMAND  cmd:COMMAND      a program's standard input and output
    exec:PROGRAM                   the same without a shell; see --exec-args
    mirror:                        what comes in goes out

A first address that listens serves any number of connections at once.

OPTIONS:
    -b, --binary                   send binary messages, and take bytes as they come
    -t, --text                     send text messages; each line is one
    -B, --buffer-size BYTES        the largest message to send (65536)
    -E, --exit-on-eof              the end of one direction ends the other
    -n, --no-close                 don't close the WebSocket at the end of the input
    -1, --one-message              send one message, receive one message
        --oneshot                  serve one connection only
    -u, --unidirectional           only from ADDRESS1 to ADDRESS2
    -U, --unidirectional-reverse   only from ADDRESS2 to ADDRESS1
        --no-line                  lines are no messages, even with --text
        --linemode-strip-newlines  messages go without the line's end
    -0, --null-terminated          a zero byte ends a line
    -H, --header 'NAME: VALUE'     a header of the client's request
        --server-header 'NAME: VALUE'   a header of the server's answer
        --protocol NAME            ask for a subprotocol
        --server-protocol NAME     agree to a subprotocol
        --origin URL               the Origin header
        --basic-auth BASE64        Authorization: Basic
        --ws-c-uri URL             what ws-c: asks for (ws://0.0.0.0/)
        --restrict-uri PATH        serve that path only
        --conncap N                serve at most N connections at once
        --stdout-announce-listening-ports   print where it listens; port 0 takes a free one
        --ping-interval SECONDS    send pings
        --ping-timeout SECONDS     give up when no pong came for so long
        --close-status-code CODE   close with this status
        --close-reason TEXT        and this reason
    -k, --insecure                 take any certificate
        --tls-domain NAME          the name that the certificate must be for
        --exec-args ARGUMENTS...   the rest of the line goes to exec:
    -s, --server-mode   -q   -v    -V, --version   -h, --help
"""

_FLAGS = {
    "binary": "b",
    "text": "t",
    "exit-on-eof": "E",
    "no-close": "n",
    "one-message": "1",
    "oneshot": "",
    "unidirectional": "u",
    "unidirectional-reverse": "U",
    "no-line": "",
    "linemode-strip-newlines": "",
    "null-terminated": "0",
    "insecure": "k",
    "server-mode": "s",
    "stdout-announce-listening-ports": "",
    "version": "V",
    "quiet": "q",
    "verbose": "v",
    # Without meaning here, or what is done anyway.
    "async-stdio": "",
    "no-async-stdio": "",
    "no-fixups": "",
    "no-exit-on-zeromsg": "",
    "websocket-ignore-zeromsg": "",
}
_VALUES = {
    "buffer-size": "B",
    "header": "H",
    "server-header": "",
    "protocol": "",
    "server-protocol": "",
    "origin": "",
    "basic-auth": "",
    "ws-c-uri": "",
    "restrict-uri": "",
    "conncap": "",
    "ping-interval": "",
    "ping-timeout": "",
    "close-status-code": "",
    "close-reason": "",
    "tls-domain": "",
    "max-ws-frame-length": "",
    "max-ws-message-length": "",
    "queue-len": "",
}
_SHORT = {letter: name for table in (_FLAGS, _VALUES) for name, letter in table.items() if letter}
_ADDRESS = re.compile(r"^(-|[a-z0-9_-]+:.*)$", re.DOTALL)


class ArgumentError(Exception):
    """The command line is not understood."""


@dataclass
class Arguments:
    """What was asked for.

    Attributes:
        flags: The long names of what is on.
        values: Long name to what was given, in order.
    """

    flags: set[str] = field(default_factory=set)
    values: dict[str, list[str]] = field(default_factory=dict)
    addresses: list[str] = field(default_factory=list)
    exec_args: list[str] = field(default_factory=list)
    help: bool = False

    def on(self, name: str) -> bool:
        """Whether a flag is given."""
        return name in self.flags

    def one(self, name: str) -> str | None:
        """The last value of an option."""
        return self.values[name][-1] if name in self.values else None

    def number(self, name: str, otherwise: int | None = None) -> int | None:
        """An option's value as a number above 0.

        Raises:
            ArgumentError: It is none.
        """
        text = self.one(name)
        if text is None:
            return otherwise
        if not text.isdecimal() or not int(text):
            raise ArgumentError(f"Invalid value for '--{name}': {text!r}")
        return int(text)

    def headers(self, name: str) -> list[Header]:
        """`NAME: VALUE` pairs.

        Raises:
            ArgumentError: One is no such pair.
        """
        pairs = []
        for text in self.values.get(name, ()):
            key, colon, value = text.partition(":")
            if not colon or not key.strip() or "\n" in text or "\r" in text:
                raise ArgumentError(f"Invalid value for '--{name}': {text!r}")
            pairs.append((key.strip(), value.strip()))
        return pairs

    @property
    def requested_headers(self) -> list[Header]:
        """All headers that a client adds to its request."""
        found = self.headers("header")
        if protocol := self.one("protocol"):
            found.append(("Sec-WebSocket-Protocol", protocol))
        if origin := self.one("origin"):
            found.append(("Origin", origin))
        if credentials := self.one("basic-auth"):
            found.append(("Authorization", f"Basic {credentials}"))
        return found


def parse(argv: Sequence[str]) -> Arguments:
    """Take a command line apart.

    Raises:
        ArgumentError: It is not understood; the text says which part.
    """
    found, left = Arguments(), list(argv)
    while left:
        word = left.pop(0)
        if word == "--exec-args":
            found.exec_args, left = left, []
        elif word == "--":
            found.addresses += left
            left = []
        elif word.startswith("--"):
            _long(word[2:], left, found)
        elif word.startswith("-") and word != "-":
            _short(word[1:], left, found)
        else:
            found.addresses.append(word)
    return found


def _long(word: str, left: list[str], found: Arguments) -> None:
    name, equals, value = word.partition("=")
    if name == "help":
        found.help = True
    elif name in _FLAGS and not equals:
        found.flags.add(name)
    elif name in _VALUES:
        if not equals:
            if not left:
                raise ArgumentError(f"The argument '--{name}' requires a value")
            value = left.pop(0)
        found.values.setdefault(name, []).append(value)
    else:
        raise ArgumentError(f"Found argument '--{word}' which wasn't expected")


def _short(letters: str, left: list[str], found: Arguments) -> None:
    while letters:
        letter, letters = letters[0], letters[1:]
        name = _SHORT.get(letter)
        if letter == "h":
            found.help, letters = True, ""
        elif name in _FLAGS:
            found.flags.add(name)
        elif name in _VALUES:
            value = letters.removeprefix("=")
            _long(f"{name}={value}" if letters else name, left, found)
            letters = ""
        else:
            raise ArgumentError(f"Found argument '-{letter}' which wasn't expected")


def complete(found: Arguments) -> tuple[str, str]:
    """The two addresses, those that are left out filled in.

    Raises:
        ArgumentError: There are none, too many, or a first one that is no WebSocket.
    """
    addresses = list(found.addresses)
    if not addresses:
        raise ArgumentError("No URL specified. Use `websocat --help` to show the help message.")
    if len(addresses) > 2:
        raise ArgumentError(f"Found argument {addresses[2]!r} which wasn't expected")
    if found.on("server-mode"):
        if len(addresses) != 1:
            raise ArgumentError("--server-mode takes one address")
        place = addresses[0] if ":" in addresses[0] else f"127.0.0.1:{addresses[0]}"
        return f"ws-l:{place}", "-"
    if len(addresses) == 1:
        if not addresses[0].startswith(("ws://", "wss://")):
            raise ArgumentError("Specify ws:// or wss:// URI to connect to a websocket")
        return "-", addresses[0]
    for address in addresses:
        if not _ADDRESS.match(address):
            raise ArgumentError(f"Unknown address or overlay type of `{address}`")
    return addresses[0], addresses[1]
