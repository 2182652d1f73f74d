"""Stubbed programs in a guest: what stands on PATH, and the way from there to the server.

`program` runs inside the guest: standard library only, and of that what starts fast.
"""
