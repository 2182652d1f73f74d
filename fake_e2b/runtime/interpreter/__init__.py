"""Real kernels: a warm interpreter process that is forked for each context.

`worker/` is a program of its own that runs in the user's interpreter; `host.py` and `kernel.py`
are the server's side of it.
"""
