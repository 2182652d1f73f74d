"""From method and raw path to an operation of the API.

Paths are split before they are decoded, so `%2F` inside a parameter stays inside it.

Fact: control.routing
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.operations import OPERATIONS, Operation, Plane

_DEPRECATED = ("/instances", "/envs")


def is_of_old_client(path: str, content_type: str) -> bool:
    """Whether a body is what command lines sent that are too old by now. Fact: control.routing"""
    return path.startswith("/templates") and content_type.lower().startswith("multipart/")


@dataclass(frozen=True, slots=True)
class Match:
    """An operation and its path parameters, decoded."""

    operation: Operation
    parameters: dict[str, str]


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    parameter: _Node | None = None
    operations: dict[str, Operation] = field(default_factory=dict)


class Router:
    """Every operation of the control plane, built or not."""

    def __init__(self) -> None:
        self._root = _Node()
        for operation in OPERATIONS:
            if operation.plane is Plane.CONTROL:
                self._add(operation)

    def _add(self, operation: Operation) -> None:
        node = self._root
        for segment in operation.path.split("/")[1:]:
            if segment.startswith("{"):
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.literals.setdefault(segment, _Node())
        node.operations[operation.method] = operation

    def match(self, method: str, raw_path: str) -> Match:
        """The operation that a request is for.

        Raises:
            ControlError: DEPRECATED_PATH, METHOD_NOT_ALLOWED, NO_OPERATION.
        """
        if raw_path.startswith(_DEPRECATED):
            raise ControlError(ControlKind.DEPRECATED_PATH)
        segments = raw_path.split("/")[1:]
        known = False
        for node in self._nodes(self._root, segments, 0):
            known = True
            operation = node.operations.get(method)
            if operation is not None:
                return Match(operation, _parameters(operation, segments))
        kind = ControlKind.METHOD_NOT_ALLOWED if known else ControlKind.NO_OPERATION
        raise ControlError(kind)

    def knows(self, method: str, raw_path: str) -> bool:
        """Whether there is such an operation."""
        segments = raw_path.split("/")[1:]
        return any(method in node.operations for node in self._nodes(self._root, segments, 0))

    def _nodes(self, node: _Node, segments: list[str], at: int) -> Iterator[_Node]:
        """The nodes that a path leads to, literal segments preferred to parameters."""
        if at == len(segments):
            if node.operations:
                yield node
            return
        literal = node.literals.get(segments[at])
        if literal is not None:
            yield from self._nodes(literal, segments, at + 1)
        if node.parameter is not None and segments[at]:
            yield from self._nodes(node.parameter, segments, at + 1)


def _parameters(operation: Operation, segments: list[str]) -> dict[str, str]:
    return {
        name[1:-1]: unquote(segment)
        for name, segment in zip(operation.path.split("/")[1:], segments, strict=True)
        if name.startswith("{")
    }
