"""Processes, terminals, files, watchers and kernels on the machine."""
