"""Keeps the API's records on the disk: the `Records` port on SQLite."""
