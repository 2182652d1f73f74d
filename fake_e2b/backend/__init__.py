"""The operations, on a store, a clock, an id source and a runtime, all handed in.

Operations may be ``async`` but own no event loop and never sleep; the server waits for them.
"""
