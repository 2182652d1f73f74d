"""The kernel program: standard library and IPython only, never imported by the server.

`__main__` starts the zygote, a process with an initialised IPython shell that runs no cell. For
each kernel it forks a keeper, and the keeper forks the worker that runs the cells:

    zygote        single-threaded, warm; forks on request
      keeper      one per kernel: reaps, interrupts, pauses, and ends all that the kernel started
        worker    IPython's shell, in a session of its own, inside the guest

Each keeper holds a socket to the server. When the server stops, crashes or is killed, the
sockets close and every keeper ends its whole family, so nothing outlives the server.
"""
