"""A stand-in for `websocat`, of the same command line: it joins WebSockets, TCP and standard I/O.

Sandboxes of machines without `websocat` have it, and ``python -m fake_e2b.runtime.websocat`` is the
same program outside of them. Standard library only, and imports within the folder only: a sandbox's
Python runs the folder by itself.

Fact: fake.websocat
"""
