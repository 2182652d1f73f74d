"""Checks JSON values against JSON Schema in the order, and with the texts, of the service.

One message comes out: of the first check that fails. Properties are visited in the order of their
names, missing ones are noticed after that. Absent properties with a default are filled in, and so
are those that are null.

Fact: control.validation.body
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from fake_e2b.wire.service_json import FloatLiteral

Schema = Mapping[str, Any]
Path = tuple[str, ...]
Check = Callable[[Any, Path, "Findings"], None]

_INT32 = range(-(2**31), 2**31)
_ARTICLE = {
    "integer": "an integer",
    "number": "a number",
    "string": "a string",
    "boolean": "a boolean",
    "array": "an array",
    "object": "an object",
}
DATE_TIME_PATTERN = (
    r"^[0-9]{4}-(0[1-9]|10|11|12)-(0[1-9]|[12][0-9]|3[01])T[0-9]{2}:[0-9]{2}:[0-9]{2}"
    r"(\.[0-9]+)?(Z|(\+|-)[0-9]{2}:[0-9]{2})?$"
)
_DATE_TIME = re.compile(DATE_TIME_PATTERN)


class SchemaError(ValueError):
    """A value does not fit; `str()` names the place, if it is inside of it, and the reason."""

    def __init__(self, path: Path, reason: str) -> None:
        where = f'Error at "/{"/".join(path)}": ' if path else ""
        super().__init__(f"{where}{reason}")


class Findings:
    """What fits the schema and still cannot be read: whole numbers written as `15.0`."""

    def __init__(self) -> None:
        self.fractions: list[tuple[Path, str, str]] = []

    def add(self, path: Path, literal: str, go_type: str) -> None:
        """Note a number, how it was written and the type that was to hold it."""
        self.fractions.append((path, literal, go_type))


def compile_schema(schema: Schema, definitions: Mapping[str, Schema]) -> Check:
    """A check for one schema.

    Args:
        definitions: What `#/$defs/…` references mean.
    """
    schema, nullable = _plain(schema, definitions)
    visit = _visitor(schema, definitions)
    allowed = schema.get("enum")

    def check(value: Any, path: Path, findings: Findings) -> None:
        if value is None:
            if not nullable:
                raise SchemaError(path, "Value is not nullable")
            return
        if allowed is not None and value not in allowed:
            shown = json.dumps(allowed, separators=(",", ":"))
            raise SchemaError(path, f"value is not one of the allowed values {shown}")
        visit(value, path, findings)

    return check


def _plain(schema: Schema, definitions: Mapping[str, Schema]) -> tuple[Schema, bool]:
    """A schema without references and null alternatives, and whether null is allowed."""
    nullable = False
    while True:
        if "$ref" in schema:
            schema = definitions[schema["$ref"].rpartition("/")[2]]
        elif "anyOf" in schema:
            alternatives = [each for each in schema["anyOf"] if each != {"type": "null"}]
            nullable = nullable or len(alternatives) < len(schema["anyOf"])
            schema = alternatives[0]
        elif "allOf" in schema:
            # How some releases of pydantic write a reference with a default beside it.
            schema = schema["allOf"][0]
        else:
            return schema, nullable


def _visitor(schema: Schema, definitions: Mapping[str, Schema]) -> Check:
    if "discriminator" in schema:
        return _one_of(schema["discriminator"], definitions)
    match schema.get("type"):
        case "object":
            return _object(schema, definitions)
        case "array":
            return _array(schema, definitions)
        case "string":
            return _string(schema)
        case "boolean":
            return _boolean
        case "integer":
            return _integer(schema)
    return _anything


def _anything(value: Any, path: Path, findings: Findings) -> None:
    return None


def _one_of(discriminator: Mapping[str, Any], definitions: Mapping[str, Schema]) -> Check:
    """One of several objects, told apart by one of their properties."""
    name: str = discriminator["propertyName"]
    checks = {
        value: compile_schema({"$ref": reference}, definitions)
        for value, reference in discriminator["mapping"].items()
    }

    def check(value: Any, path: Path, findings: Findings) -> None:
        if not isinstance(value, dict):
            raise _wrong_type(path, "object")
        if name not in value:
            raise SchemaError(path, f'input does not contain the discriminator property "{name}"')
        if not isinstance(value[name], str):
            raise SchemaError(path, f'value of discriminator property "{name}" is not a string')
        if value[name] not in checks:
            raise SchemaError(path, f'discriminator property "{name}" has invalid value')
        try:
            checks[value[name]](value, path, findings)
        except SchemaError as error:
            raise SchemaError((), f"doesn't match schema due to: {error}") from None

    return check


def _wrong_type(path: Path, expected: str) -> SchemaError:
    return SchemaError(path, f"value must be {_ARTICLE[expected]}")


def _boolean(value: Any, path: Path, findings: Findings) -> None:
    if not isinstance(value, bool):
        raise _wrong_type(path, "boolean")


def _integer(schema: Schema) -> Check:
    lowest, highest = schema.get("minimum"), schema.get("maximum")
    is_int32 = schema.get("format") == "int32"
    go_type = "int32" if is_int32 else "int"

    def check(value: Any, path: Path, findings: Findings) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise _wrong_type(path, "integer")
        if isinstance(value, float):
            if not value.is_integer():
                raise _wrong_type(path, "integer")
            literal = value.text if isinstance(value, FloatLiteral) else repr(value)
            findings.add(path, literal, go_type)
        if is_int32 and not _INT32.start <= value < _INT32.stop:
            raise SchemaError(
                path,
                'integer doesn\'t match the format "int32": value should be between '
                f"{_INT32.start} and {_INT32.stop - 1}",
            )
        if lowest is not None and value < lowest:
            raise SchemaError(path, f"number must be at least {lowest}")
        if highest is not None and value > highest:
            raise SchemaError(path, f"number must be at most {highest}")

    return check


def _string(schema: Schema) -> Check:
    longest = schema.get("maxLength")
    is_date_time = schema.get("format") == "date-time"
    pattern: str | None = schema.get("pattern")
    # In the service's language `$` is the very end.
    fits = None if pattern is None else re.compile(pattern.replace("$", r"\Z"))

    def check(value: Any, path: Path, findings: Findings) -> None:
        if not isinstance(value, str):
            raise _wrong_type(path, "string")
        if longest is not None and len(value) > longest:
            raise SchemaError(path, f"maximum string length is {longest}")
        if fits is not None and not fits.search(value):
            raise SchemaError(path, f'string doesn\'t match the regular expression "{pattern}"')
        if is_date_time and not _DATE_TIME.match(value):
            raise SchemaError(
                path,
                "string doesn't match the format \"date-time\": string doesn't match pattern "
                f'"{DATE_TIME_PATTERN}"',
            )

    return check


def _array(schema: Schema, definitions: Mapping[str, Schema]) -> Check:
    check_item = compile_schema(schema.get("items", {}), definitions)
    fewest, most = schema.get("minItems"), schema.get("maxItems")
    unique = schema.get("uniqueItems", False)

    def check(value: Any, path: Path, findings: Findings) -> None:
        if not isinstance(value, list):
            raise _wrong_type(path, "array")
        if fewest is not None and len(value) < fewest:
            raise SchemaError(path, f"minimum number of items is {fewest}")
        if most is not None and len(value) > most:
            raise SchemaError(path, f"maximum number of items is {most}")
        if unique and len({json.dumps(item) for item in value}) < len(value):
            raise SchemaError(path, "duplicate items found")
        for at, item in enumerate(value):
            check_item(item, (*path, str(at)), findings)

    return check


def _object(schema: Schema, definitions: Mapping[str, Schema]) -> Check:
    properties: Mapping[str, Schema] = schema.get("properties", {})
    checks = {name: compile_schema(each, definitions) for name, each in properties.items()}
    defaults = {
        name: each["default"]
        for name, each in properties.items()
        if each.get("default") is not None
    }
    required: list[str] = schema.get("required", [])
    further = schema.get("additionalProperties")
    check_further = (
        compile_schema(further, definitions) if isinstance(further, Mapping) else _anything
    )

    def check(value: Any, path: Path, findings: Findings) -> None:
        if not isinstance(value, dict):
            raise _wrong_type(path, "object")
        for name, default in defaults.items():
            if value.get(name) is None:
                value[name] = default
        for name in sorted(value):
            checks.get(name, check_further)(value[name], (*path, name), findings)
        for name in required:
            if name not in value:
                raise SchemaError((*path, name), f'property "{name}" is missing')

    return check
