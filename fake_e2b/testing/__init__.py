"""The handle that tests hold: `FakeE2B`."""

from fake_e2b.testing.fake import FakeClock, FakeE2B

__all__ = ["FakeClock", "FakeE2B"]
