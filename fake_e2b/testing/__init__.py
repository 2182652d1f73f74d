"""The handle that tests hold: `FakeE2B`."""

from fake_e2b.domain.due import Deadline, Happening
from fake_e2b.domain.finding import Finding, FindingKind
from fake_e2b.domain.journal import JournalRecord
from fake_e2b.domain.seed.forms import SeedError
from fake_e2b.domain.seed.outcome import Filled, SeedConflictError, SeedFailedError, SeedItem
from fake_e2b.testing.activation import activated
from fake_e2b.testing.call_sites import CallSite, CallSites
from fake_e2b.testing.clock import FakeClock
from fake_e2b.testing.commands import CallerGoneError, FakeCommands, RunningCall, Stub, StubCall
from fake_e2b.testing.fake import FakeE2B
from fake_e2b.testing.faults import FakeFaults, Fault
from fake_e2b.testing.gates import FakeGates, Gate, GateTimeoutError
from fake_e2b.testing.journal import FakeJournal, JournalFile, JournalMismatchError
from fake_e2b.testing.leaks import FakeE2BLeakWarning, FakeE2BMisuseWarning, running_sandboxes
from fake_e2b.testing.profiles import Profile
from fake_e2b.testing.webhooks import FakeWebhooks, WebhookDelivery

__all__ = [
    "CallSite",
    "CallSites",
    "CallerGoneError",
    "Deadline",
    "FakeClock",
    "FakeCommands",
    "FakeE2B",
    "FakeE2BLeakWarning",
    "FakeE2BMisuseWarning",
    "FakeFaults",
    "FakeGates",
    "FakeJournal",
    "FakeWebhooks",
    "Fault",
    "Filled",
    "Finding",
    "FindingKind",
    "Gate",
    "GateTimeoutError",
    "Happening",
    "JournalFile",
    "JournalMismatchError",
    "JournalRecord",
    "Profile",
    "RunningCall",
    "SeedConflictError",
    "SeedError",
    "SeedFailedError",
    "SeedItem",
    "Stub",
    "StubCall",
    "WebhookDelivery",
    "activated",
    "running_sandboxes",
]
