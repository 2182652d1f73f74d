"""The pytest plugin of fake-e2b."""
