"""The helper process: a warm zygote that forks one agent per guest.

`__main__`, `zygote`, `agent`, `spawn`, `tree`, `frames`, `folders` and `sandbox_root` run inside
the helper, started with `python -I -S`: they use the standard library only and never import the
rest of the package. `helper` and `client` are the server's side of the same sockets.
"""
