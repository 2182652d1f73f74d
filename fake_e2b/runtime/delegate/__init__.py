"""File access where the files of a sandbox belong to ids that are not the server's own.

There the helper lives in a user namespace whose root may do to them what the sandbox's root may,
and the server may not. `service` runs in the helper's namespace, one process for each connection;
`client` and what is built on it are the server's side.
"""
