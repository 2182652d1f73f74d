"""Message types, enums and methods, read from .proto text.

The part of proto3 that envd's two files use: messages (nested too), enums, `oneof`, `map` with
string keys, `optional`, `repeated`, services, and the scalar types in `INTEGERS` plus `string`,
`bytes`, `bool` and `google.protobuf.Timestamp`. Anything else raises when it is read.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

INTEGERS: Mapping[str, tuple[int, int]] = {
    "int32": (-(2**31), 2**31 - 1),
    "sint32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "sint64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
}
"""Integer types and their ranges."""

TIMESTAMP = "google.protobuf.Timestamp"
_SCALARS = {*INTEGERS, "string", "bytes", "bool"}
_TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"[^"]*"|[\w.]+|[{}()<>=;,]', re.DOTALL)

Label = Literal["", "optional", "repeated", "map"]


@dataclass(slots=True, eq=False)
class EnumType:
    """An enum: its numbers by name and back."""

    full_name: str
    numbers: dict[str, int] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Field:
    """One field of a message; of a map field, `kind` is that of the values.

    Attributes:
        kind: A scalar's name, or ``"message"``, ``"enum"``, ``"timestamp"``.
        presence: Whether "set to the default" differs from "not set".
    """

    name: str
    number: int
    kind: str
    label: Label = ""
    oneof: str | None = None
    message: MessageType | None = None
    enum: EnumType | None = None
    json_name: str = ""
    presence: bool = False


@dataclass(slots=True, eq=False)
class MessageType:
    """A message type.

    Attributes:
        full_name: With its package, e.g. ``"process.ProcessEvent.EndEvent"``.
        by_json_name: Fields by JSON name and by .proto name: input may use both.
        oneofs: The names of the fields of each oneof.
    """

    full_name: str
    fields: list[Field] = field(default_factory=list)
    by_number: dict[int, Field] = field(default_factory=dict)
    by_json_name: dict[str, Field] = field(default_factory=dict)
    oneofs: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC: ``/package.Service/Method``."""

    path: str
    request: MessageType
    response: MessageType
    client_streams: bool
    server_streams: bool

    @property
    def unary(self) -> bool:
        """Whether one message is answered by one message."""
        return not (self.client_streams or self.server_streams)


@dataclass(slots=True)
class Schema:
    """Everything some .proto files declare, by full name and by path."""

    messages: dict[str, MessageType] = field(default_factory=dict)
    enums: dict[str, EnumType] = field(default_factory=dict)
    methods: dict[str, Method] = field(default_factory=dict)


def read_schema(*texts: str) -> Schema:
    """Read .proto texts.

    Raises:
        ValueError: A text holds something outside the part of proto3 named above.
    """
    schema = Schema()
    for text in texts:
        _Reader(schema, text).read()
    return schema


def envd_schema() -> Schema:
    """The services of a sandbox's daemon, read from the files shipped beside this module."""
    texts = []
    for name in ("process.proto", "filesystem.proto"):
        data = pkgutil.get_data("fake_e2b.wire", f"schema/{name}")
        if data is None:
            raise FileNotFoundError(f"the package lacks wire/schema/{name}")
        texts.append(data.decode())
    return read_schema(*texts)


class _Reader:
    """A recursive-descent reader of one file; types are resolved once all names are known."""

    def __init__(self, schema: Schema, text: str) -> None:
        self._schema = schema
        self._tokens: list[str] = [
            token for token in _TOKEN.findall(text) if not token.startswith(("//", "/*"))
        ]
        self._at = 0
        self._package = ""
        self._unresolved: list[tuple[MessageType, Field, str]] = []
        self._rpcs: list[tuple[str, bool, str, bool, str]] = []

    def read(self) -> None:
        while self._at < len(self._tokens):
            self._declaration(None)
        for message, declared, type_name in self._unresolved:
            self._resolve(message, declared, type_name)
        for path, client_streams, request, server_streams, response in self._rpcs:
            self._schema.methods[path] = Method(
                path,
                self._schema.messages[f"{self._package}.{request}"],
                self._schema.messages[f"{self._package}.{response}"],
                client_streams,
                server_streams,
            )

    def _take(self) -> str:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _expect(self, *tokens: str) -> None:
        for token in tokens:
            if (found := self._take()) != token:
                raise ValueError(f"expected {token!r}, found {found!r}")

    def _skips(self, token: str) -> bool:
        if self._tokens[self._at] == token:
            self._at += 1
            return True
        return False

    def _declaration(self, scope: MessageType | None) -> None:
        word = self._take()
        if word == "message":
            self._message(scope)
        elif word == "enum":
            self._enum(scope)
        elif scope is not None:
            self._field(scope, word)
        elif word == "service":
            self._service()
        elif word in ("syntax", "import"):
            while self._take() != ";":
                pass
        elif word == "package":
            self._package = self._take()
            self._expect(";")
        else:
            raise ValueError(f"unexpected {word!r}")

    def _name(self, scope: MessageType | None) -> str:
        return f"{scope.full_name if scope else self._package}.{self._take()}"

    def _message(self, scope: MessageType | None) -> None:
        message = MessageType(self._name(scope))
        self._schema.messages[message.full_name] = message
        self._expect("{")
        while not self._skips("}"):
            self._declaration(message)

    def _enum(self, scope: MessageType | None) -> None:
        enum = EnumType(self._name(scope))
        self._schema.enums[enum.full_name] = enum
        self._expect("{")
        while not self._skips("}"):
            name = self._take()
            self._expect("=")
            enum.numbers[name] = number = int(self._take())
            enum.names[number] = name
            self._expect(";")

    def _service(self) -> None:
        service = f"{self._package}.{self._take()}"
        self._expect("{")
        while not self._skips("}"):
            self._expect("rpc")
            path = f"/{service}/{self._take()}"
            self._expect("(")
            client_streams = self._skips("stream")
            request = self._take()
            self._expect(")", "returns", "(")
            server_streams = self._skips("stream")
            response = self._take()
            self._expect(")", ";")
            self._rpcs.append((path, client_streams, request, server_streams, response))

    def _field(self, message: MessageType, word: str) -> None:
        if word == "oneof":
            oneof = self._take()
            message.oneofs[oneof] = []
            self._expect("{")
            while not self._skips("}"):
                self._add(message, self._take(), "", oneof)
        elif word == "map":
            self._expect("<", "string", ",")
            type_name = self._take()
            self._expect(">")
            self._add(message, type_name, "map", None)
        elif word == "optional":
            self._add(message, self._take(), "optional", None)
        elif word == "repeated":
            self._add(message, self._take(), "repeated", None)
        else:
            self._add(message, word, "", None)

    def _add(self, message: MessageType, type_name: str, label: Label, oneof: str | None) -> None:
        name = self._take()
        self._expect("=")
        number = int(self._take())
        self._expect(";")
        head, *rest = name.split("_")
        declared = Field(name, number, "", label, oneof)
        declared.json_name = head + "".join(part.capitalize() for part in rest)
        message.fields.append(declared)
        message.by_number[number] = declared
        message.by_json_name[declared.json_name] = message.by_json_name[name] = declared
        if oneof is not None:
            message.oneofs[oneof].append(name)
        self._unresolved.append((message, declared, type_name))

    def _resolve(self, message: MessageType, declared: Field, type_name: str) -> None:
        if type_name in _SCALARS:
            declared.kind = type_name
        elif type_name == TIMESTAMP:
            declared.kind = "timestamp"
        else:
            self._resolve_name(message.full_name, declared, type_name)
        declared.presence = declared.label not in ("repeated", "map") and (
            declared.label == "optional"
            or declared.oneof is not None
            or declared.kind in ("message", "timestamp")
        )

    def _resolve_name(self, scope: str, declared: Field, type_name: str) -> None:
        while scope:
            full_name = f"{scope}.{type_name}"
            if full_name in self._schema.messages:
                declared.kind, declared.message = "message", self._schema.messages[full_name]
                return
            if full_name in self._schema.enums:
                declared.kind, declared.enum = "enum", self._schema.enums[full_name]
                return
            scope = scope.rpartition(".")[0]
        raise ValueError(f"unknown type {type_name!r}")
