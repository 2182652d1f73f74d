"""The handle that tests hold: `FakeE2B`."""
