"""The desktop SDK, on real programs of this machine."""
