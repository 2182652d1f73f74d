"""The only place where the parts meet: one ASGI app, one thread, start and stop."""
