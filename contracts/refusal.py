"""Expecting a "no": the contracts are run by other test runners too, so not by `pytest.raises`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

RefusalT = TypeVar("RefusalT", bound=Exception)


def refusal_of(kind: type[RefusalT], call: Callable[[], object]) -> RefusalT:
    """The exception of `kind` that `call` raises.

    Raises:
        AssertionError: It succeeded.
    """
    try:
        answer = call()
    except kind as refused:
        return refused
    raise AssertionError(f"expected {kind.__name__}, got the answer {answer!r}")
