"""Which runtime a server gets, and what each can do on this machine."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from fake_e2b.domain.errors import RuntimeUnavailableError, UsageError
from fake_e2b.domain.ports import Capability, Runtime
from fake_e2b.runtime.auto import AutoRuntime
from fake_e2b.runtime.isolated import IsolatedRuntime
from fake_e2b.runtime.isolated.parts import Part, parts
from fake_e2b.runtime.isolated.probe import Grant, probe
from fake_e2b.runtime.local import LocalRuntime


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `doctor`.

    Attributes:
        capability: What is held or not; None for a runtime as a whole.
        runtimes: Names of the runtimes that hold it here.
        advice: Why not, and how to get it; empty where all is well.
    """

    capability: Capability | None
    text: str
    runtimes: tuple[str, ...]
    advice: str = ""

    @property
    def held(self) -> bool:
        """Whether some runtime holds it on this machine."""
        return bool(self.runtimes)


RUNTIME_VARIABLE = "FAKE_E2B_RUNTIME"
"""The variable that says what ``"auto"`` means: for a CI job that wants no fallback."""


def choose_runtime(
    name: str, *, folder: str | None = None, at_start: bool = False, outlived: bool = False
) -> Runtime:
    """The runtime of that name, not yet started.

    ``"auto"`` is what the variable FAKE_E2B_RUNTIME says. Without it, it decides while the server
    already answers, see `fake_e2b.runtime.auto`. Asking for ``"isolated"`` makes and ends a guest
    first, which takes some tens of milliseconds.

    Args:
        name: ``"auto"``, ``"local"`` or ``"isolated"``.
        folder: Where it keeps its sandboxes; None takes the machine's temporary folder.
        at_start: Make no guest to see whether ``"isolated"`` can run: the runtime's start makes its
            first, and raises the same.
        outlived: Whether layers, volumes and the files of paused sandboxes outlive it.

    Raises:
        RuntimeUnavailableError: ``"isolated"`` was asked for and this machine cannot run it.
        UsageError: There is no such runtime.

    Fact: fake.runtime.demanded
    """
    origin = ""
    if name == "auto" and (told := os.environ.get(RUNTIME_VARIABLE)):
        name, origin = told, f" (as {RUNTIME_VARIABLE} says)"
    if name == "auto":
        return AutoRuntime(folder, outlived=outlived)
    if name == "local":
        return LocalRuntime(folder, outlived=outlived)
    if name != "isolated":
        raise UsageError(f"no runtime is called {name!r}{origin}: use auto, local or isolated")
    refusal = f"the isolated runtime cannot run here{origin}"
    if at_start:
        return AutoRuntime(folder, refusal=refusal, outlived=outlived)
    grant = probe(folder)
    if grant.refusal is not None:
        raise RuntimeUnavailableError(f"{refusal}: {grant.refusal}")
    return IsolatedRuntime(folder, ids=grant.ids, outlived=outlived)


@dataclass(frozen=True, slots=True)
class Survey:
    """What `doctor` shows of the runtimes.

    Attributes:
        findings: Each capability, the runtimes that hold it here, and how to get it.
        parts: What the isolated runtime is made of here.
    """

    findings: list[Finding]
    parts: list[Part]


def survey(*, folder: str | None = None) -> Survey:
    """Look at this machine; blocking, some tens of milliseconds."""
    grant = probe(folder)
    return Survey(_findings(grant, folder), parts(grant))


def _findings(grant: Grant, folder: str | None) -> list[Finding]:
    reason = grant.refusal
    runtimes: list[Runtime] = [LocalRuntime(folder)]
    if reason is None:
        runtimes.append(IsolatedRuntime(folder, ids=grant.ids))
    findings = [
        Finding(None, "local runtime: plain programs in a folder", ("local",)),
        Finding(
            None,
            "isolated runtime: Linux namespaces",
            () if reason else ("isolated",),
            reason or "",
        ),
    ]
    for capability in Capability:
        holders = tuple(each.name for each in runtimes if capability in each.capabilities)
        findings.append(
            Finding(capability, capability.value, holders, _advice(capability, holders, grant))
        )
    return findings


def _advice(capability: Capability, holders: tuple[str, ...], grant: Grant) -> str:
    if holders:
        return "" if "local" in holders else "take the isolated runtime, as auto does"
    if capability is Capability.LIVE_COPIES:
        return "live processes cannot be copied: what is forked or snapshotted has files alone"
    if capability is Capability.SEPARATE_USERS and grant.ids.advice:
        return f"an ordinary user has one id only; {grant.ids.advice}, or run as root"
    if sys.platform != "linux":
        return "needs Linux"
    return "needs the isolated runtime"
