"""The service's validation of requests: bodies and queries against the models of `rest`.

Every request is checked before its operation runs; the texts are those of the service's layer.

Fact: control.validation
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl

from fake_e2b.domain.errors import FakeE2BError
from fake_e2b.wire.json_scanner import InvalidJSONError
from fake_e2b.wire.rest import Shape
from fake_e2b.wire.schema_check import Findings, Schema, SchemaError, compile_schema
from fake_e2b.wire.service_json import decode
from fake_e2b.wire.timestamps import parse_instant

PREFIX = "validation error: "
_REQUEST = f"{PREFIX}error in openapi3filter.RequestError: "
_BIND = "Error when parsing request: error when parsing request: "
_JSON = "application/json"
_WHOLE = re.compile(r"[+-]?[0-9]+")
_INT64 = range(-(2**63), 2**63)

Model = TypeVar("Model", bound=Shape)


class InvalidRequestError(FakeE2BError):
    """A request that does not fit the API's document: status 400.

    Attributes:
        plain: The JSON body goes out as `text/plain`: the service has sent its headers when it
            notices what its checks let pass and its types cannot hold.
    """

    def __init__(self, message: str, *, plain: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.plain = plain


def _invalid(reason: str) -> InvalidRequestError:
    # Only the first line of a longer text gets out.
    return InvalidRequestError(_REQUEST + reason.partition("\n")[0])


def _unreadable(reason: str) -> InvalidRequestError:
    return InvalidRequestError(_BIND + reason, plain=True)


def schema_of(model: type[Shape]) -> tuple[Schema, Mapping[str, Schema]]:
    """A model's JSON Schema with wire names, and the definitions it refers to."""
    schema = model.model_json_schema(by_alias=True)
    return schema, schema.get("$defs", {})


class BodyReader(Generic[Model]):
    """Reads the bodies of one operation.

    Args:
        model: What they hold.
        required: Whether there must be one.
        typed_empty_is_eof: An empty body that calls itself JSON is a reading error.
    """

    def __init__(
        self, model: type[Model], *, required: bool, typed_empty_is_eof: bool = False
    ) -> None:
        self._model = model
        self._required = required
        self._typed_empty_is_eof = typed_empty_is_eof
        self._check = compile_schema(*schema_of(model))

    def read(self, content_type: str, data: bytes) -> Model | None:
        """The body; None when it is absent and need not be there.

        Raises:
            InvalidRequestError: It does not fit.
        """
        if not data:
            self._check_absent(content_type)
            return None
        if content_type.partition(";")[0] != _JSON:
            raise _invalid(
                "request body has an error: header Content-Type has unexpected value "
                f'"{content_type}"'
            )
        try:
            value = decode(data)
        except InvalidJSONError as error:
            raise _invalid(
                f"request body has an error: failed to decode request body: {error}"
            ) from None
        return self._bind(value)

    def _check_absent(self, content_type: str) -> None:
        if self._required:
            raise _invalid("request body has an error: value is required but missing")
        if self._typed_empty_is_eof and content_type.partition(";")[0] == _JSON:
            raise _unreadable("EOF")

    def _bind(self, value: Any) -> Model:
        name = self._model.__name__
        findings = Findings()
        # The document gives bodies no type at the top: what is no object fails in reading.
        if isinstance(value, dict) or value is None:
            try:
                self._check(value, (), findings)
            except SchemaError as error:
                raise _invalid(
                    "request body has an error: doesn't match schema "
                    f"#/components/schemas/{name}: {error}"
                ) from None
        else:
            kind = _GO_KINDS.get(type(value), "number")
            raise _unreadable(f"json: cannot unmarshal {kind} into Go value of type api.{name}")
        for path, literal, go_type in findings.fractions:
            raise _unreadable(
                f"json: cannot unmarshal number {literal} into Go struct field "
                f"{name}.{'.'.join(path)} of type {go_type}"
            )
        return self._model.model_validate(value)


_GO_KINDS: Mapping[type, str] = {list: "array", str: "string", bool: "bool"}


class QueryReader(Generic[Model]):
    """Reads the query of one operation.

    Args:
        model: One property a parameter, in the document's order.
    """

    def __init__(self, model: type[Model]) -> None:
        schema, definitions = schema_of(model)
        self._model = model
        self._parameters = [
            _Parameter(name, each, definitions, required=name in schema.get("required", ()))
            for name, each in schema["properties"].items()
        ]

    def read(self, query_string: bytes) -> Model:
        """The parameters, defaults filled in; further ones are ignored.

        Raises:
            InvalidRequestError: One does not fit.
        """
        given: dict[str, list[str]] = {}
        pairs = parse_qsl(
            query_string.decode("latin-1"), keep_blank_values=True, max_num_fields=None
        )
        for name, text in pairs:
            given.setdefault(name, []).append(text)
        values = {
            parameter.name: parameter.read(given[parameter.name])
            for parameter in self._parameters
            if parameter.is_given(given)
        }
        for parameter in self._parameters:
            parameter.bind(given.get(parameter.name, []))
        return self._model.model_validate(values)


class _Parameter:
    def __init__(
        self, name: str, schema: Schema, definitions: Mapping[str, Schema], *, required: bool
    ) -> None:
        self.name = name
        self._required = required
        self._kind = schema.get("type")
        self._explodes = schema.get("explode", False)
        self._is_date_time = schema.get("format") == "date-time"
        self._check = compile_schema(schema, definitions)

    def is_given(self, given: Mapping[str, list[str]]) -> bool:
        """Whether the query has it; it must if it is required."""
        if self.name not in given and self._required:
            raise self._wrong("value is required but missing")
        return self.name in given

    def read(self, texts: list[str]) -> Any:
        """The checked value."""
        text = texts[0]
        if not text and self._kind != "string":
            raise self._wrong("empty value is not allowed")
        value: Any = text
        if self._kind == "array":
            value = texts if self._explodes else text.split(",")
        elif self._kind == "integer":
            value = self._number(text)
        elif self._kind == "boolean":
            if text not in ("true", "false"):
                raise self._wrong(f"value {text}: an invalid boolean: invalid syntax")
            value = text == "true"
        try:
            self._check(value, (), Findings())
        except SchemaError as error:
            raise self._wrong(str(error)) from None
        return value

    def _number(self, text: str) -> int:
        if not _WHOLE.fullmatch(text):
            raise self._wrong(f"value {text}: an invalid integer: invalid syntax")
        # Longer ones are out of range whatever they are: Python refuses to read very long ones.
        number = int(text) if len(text) < 40 else _INT64.stop
        if number not in _INT64:
            raise self._wrong(f"value {text}: an invalid integer: value out of range")
        return number

    def bind(self, texts: list[str]) -> None:
        """What the layer behind the checks refuses."""
        where = f"{PREFIX}Invalid format for parameter {self.name}: "
        if len(texts) > 1 and not self._explodes:
            if self._kind == "array":
                raise InvalidRequestError(
                    f"{where}parameter '{self.name}' is not exploded, but is specified multiple "
                    "times"
                )
            raise InvalidRequestError(
                f"{where}multiple values for single value parameter '{self.name}'"
            )
        for text in texts:
            if self._is_date_time and parse_instant(text) is None:
                raise InvalidRequestError(
                    f'{where}error binding string parameter: parsing time "{text}" as '
                    '"2006-01-02T15:04:05Z07:00"'
                )

    def _wrong(self, reason: str) -> InvalidRequestError:
        return _invalid(f'parameter "{self.name}" in query has an error: {reason}')


def parse_metadata_filter(text: str) -> dict[str, str] | None:
    """The pairs in a list's `metadata` parameter, which the query layer has decoded once.

    Two more decodings follow: of the whole, then of each key and value.

    Returns:
        None when a part is no pair or an escape is broken.

    Fact: control.list.metadata-filter
    """
    whole = _unescape(text)
    if whole is None:
        return None
    pairs: dict[str, str] = {}
    for part in whole.split("&"):
        names = part.split("=")
        if len(names) != 2:
            return None
        key, value = _unescape(names[0]), _unescape(names[1])
        if key is None or value is None:
            return None
        pairs[key] = value
    return pairs


_ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})?")


def _unescape(text: str) -> str | None:
    raw = text.replace("+", " ").encode("utf-8", "surrogateescape")
    if any(match[1] is None for match in _ESCAPED.finditer(raw)):
        return None
    decoded = _ESCAPED.sub(lambda match: bytes([int(match[1], 16)]), raw)
    return decoded.decode("utf-8", "replace")
