"""Run a program without some system calls, as containers do: `seccomp.py CALL[,CALL…] PROGRAM…`.

`namespaces` stands for the calls that make or enter namespaces; plain forks and threads go on.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_FILTER_MODE = 2
_LOAD, _IF_EQUAL, _IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NUMBER, _FIRST_ARGUMENT = 0, 16
_NEW_NAMESPACES = 0x7E020000
# clone, clone3, unshare, setns, mount
_CALLS = {"x86_64": (56, 435, 272, 308, 165), "aarch64": (220, 435, 97, 268, 40)}


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)


def _refuse(number: int, reason: int) -> bytes:
    return _instruction(_IF_EQUAL, number, 0, 1) + _instruction(_RETURN, _ERRNO | reason)


def filter_program(names: list[str]) -> bytes:
    """The kernel's program for these calls."""
    clone, clone3, unshare, setns, mount = _CALLS[platform.machine()]
    program = _instruction(_LOAD, _NUMBER)
    if "mount" in names:
        program += _refuse(mount, errno.EPERM)
    if "namespaces" in names:
        program += _refuse(unshare, errno.EPERM) + _refuse(setns, errno.EPERM)
        program += _refuse(clone3, errno.ENOSYS)  # its flags are out of reach: callers try clone
        program += _instruction(_IF_EQUAL, clone, 0, 3)
        program += _instruction(_LOAD, _FIRST_ARGUMENT)
        program += _instruction(_IF_ANY_BIT, _NEW_NAMESPACES, 0, 1)
        program += _instruction(_RETURN, _ERRNO | errno.EPERM)
    return program + _instruction(_RETURN, _ALLOW)


def install(names: list[str]) -> None:
    """Forbid the calls to this process and its children."""
    libc = ctypes.CDLL(None, use_errno=True)
    code = filter_program(names)
    buffer = ctypes.create_string_buffer(code)
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    for operation in (
        (_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (_PR_SET_SECCOMP, _FILTER_MODE, ctypes.c_char_p(program), 0, 0),
    ):
        if libc.prctl(*operation) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    install(sys.argv[1].split(","))
    os.execvp(sys.argv[2], sys.argv[2:])
