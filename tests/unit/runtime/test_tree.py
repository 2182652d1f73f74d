"""Stopping all processes below one, whatever they do meanwhile."""

from __future__ import annotations

import os
import signal

import pytest

from fake_e2b.runtime.guest import tree
from fake_e2b.runtime.guest.tree import ProcessRow

ROOT, PARENT, CHILD = 100, 101, 102


def test_what_is_forked_while_its_parent_ends_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    # As one goes through them: the parent was seen to have ended, and its child has moved to where
    # one has looked already.
    rounds = [
        [ProcessRow(PARENT, ROOT, "R")],
        [ProcessRow(PARENT, ROOT, "Z")],
        [ProcessRow(PARENT, ROOT, "Z"), ProcessRow(CHILD, ROOT, "R")],
    ]
    last = [ProcessRow(PARENT, ROOT, "Z"), ProcessRow(CHILD, ROOT, "T")]
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(tree, "descendants", lambda *_: rounds.pop(0) if rounds else last)
    monkeypatch.setattr(tree, "_row", lambda pid, proc=None: ProcessRow(pid, ROOT, "T"))
    monkeypatch.setattr(os, "kill", lambda pid, number: told.append((pid, number)))
    assert tree.stop(ROOT) == [PARENT, CHILD]
    assert told == [(PARENT, signal.SIGSTOP), (CHILD, signal.SIGSTOP)]
