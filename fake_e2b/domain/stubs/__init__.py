"""Command stubs: programs in sandboxes whose answers a test has given in advance."""
