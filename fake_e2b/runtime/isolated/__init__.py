"""Sandboxes in Linux namespaces: own root, users, processes, ports; no network."""

from fake_e2b.runtime.isolated.runtime import IsolatedRuntime

__all__ = ["IsolatedRuntime"]
