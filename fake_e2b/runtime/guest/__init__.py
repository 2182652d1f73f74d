"""The helper process: a warm zygote that forks one agent per guest.

`__main__`, `zygote`, `agent`, `init`, `spawn`, `tree`, `frames`, `folders` and what they import run
inside the helper, started with `python -I -S`: they use the standard library only and never import
the rest of the package. Of the library they take what is small, no `typing` and no `dataclasses`:
every module costs the first sandbox time and each guest memory. `helper` and `client` are the
server's side of the same sockets.
"""
