"""The program that stands in for a stubbed one; `front` puts it in place with its settings.

It asks the server what to do: to say something, to read something, to exit, or to let the next
program of that name on PATH take its place. It comes to life for every call, so it takes only
modules that cost nothing.

Frames both ways: kind (1 byte), length (4 bytes, big endian), payload.
"""

import _signal  # type: ignore[import-not-found]  # `signal` takes its time
import _socket
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NoReturn

MARK = b"# stands in for a program: fake-e2b command stub"
WHERE = ""
"""The socket's name, which begins with a NUL; or the folder with a socket for each sandbox."""
SANDBOXES = ""
"""The folder with the sandboxes' own folders, in the latter case."""
FRONTS: dict[str, str] = {}
"""Folders with this program in it → where the programs are that it covers there."""

CALL, STDIN, DONE = b"C", b"I", b"D"
"""From the program: it was called (argv's length, argv, cwd, environment, NULs in between), what it
has read (nothing at the end), it is about to exit."""
STDOUT, STDERR, READ, EXIT, PASS = b"O", b"E", b"R", b"X", b"P"
"""To it: say this, read so many bytes, exit with this, be the real program."""

_HEAD = 5
_PIECE = 65536
_LONGEST_NAME = 100
_NO_SIGNAL = getattr(_socket, "MSG_NOSIGNAL", 0)
_O_PATH = getattr(os, "O_PATH", os.O_RDONLY)
_SHELLS = (b"bash", b"sh", b"dash")


def main() -> "NoReturn":
    """Ask, and do as told."""
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    for number in range(3):  # or the connection would be taken for what is closed
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    own = os.fsencode(sys.argv[0])
    argv = [os.path.basename(own), *map(os.fsencode, sys.argv[1:])]
    environment = own_environment()
    connection = connect(environment)
    if connection is not None:
        serve(connection, argv, environment)
        connection.close()
    be_the_real_one(own, argv, environment)


def own_environment() -> "dict[bytes, bytes]":
    """As it was given: Python adds to it."""
    try:
        with open("/proc/self/environ", "rb", buffering=0) as file:
            text = file.readall()
    except OSError:
        found = dict(os.environb)
        if found.get(b"LC_CTYPE") == b"C.UTF-8" and b"LANG" not in found:
            del found[b"LC_CTYPE"]
        return found
    pairs = (entry.partition(b"=") for entry in text.split(b"\0") if entry)
    return {name: value for name, _, value in pairs}


# Asking.


def connect(environment: "dict[bytes, bytes]") -> "_socket.socket | None":
    """A connection to the server; None where nobody listens any more."""
    for address in addresses(environment):
        connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            connection.connect(address)
        except OSError:
            connection.close()
        else:
            return connection
    return None


def addresses(environment: "dict[bytes, bytes]") -> "Iterator[str | bytes]":
    """Where the server may listen for this sandbox."""
    if WHERE.startswith("\0"):
        yield WHERE
        return
    above = os.fsencode(SANDBOXES) + b"/"
    named = [environment.get(b"E2B_SANDBOX_ID", b"")]
    for path in (environment.get(b"HOME", b""), working_folder()):
        if path.startswith(above):
            named.append(path[len(above) :].split(b"/")[0])
    for name in named:
        path = os.path.join(os.fsencode(WHERE), name)
        if name and b"/" not in name and os.path.exists(path):
            if len(path) <= _LONGEST_NAME:
                yield path
            else:
                yield b"/proc/self/fd/%d/%s" % (os.open(WHERE, _O_PATH), name)


def working_folder() -> bytes:
    """Empty where there is none any more."""
    try:
        return os.getcwdb()
    except OSError:
        return b""


def serve(
    connection: "_socket.socket", argv: "list[bytes]", environment: "dict[bytes, bytes]"
) -> None:
    """Do as told; returns when the real program is to run."""
    fields = [b"%d" % len(argv), *argv, working_folder()]
    fields += [name + b"=" + value for name, value in environment.items()]
    told = False
    try:
        send(connection, CALL, b"\0".join(fields))
        while True:
            head = receive(connection, _HEAD)
            kind, data = head[:1], receive(connection, int.from_bytes(head[1:], "big"))
            if kind == PASS:
                return
            told = True
            if kind == STDOUT:
                say(1, data, argv[0])
            elif kind == STDERR:
                say(2, data, argv[0])
            elif kind == READ:
                send(connection, STDIN, hear(int.from_bytes(data, "big")))
            elif kind == EXIT:
                send(connection, DONE, b"")
                os._exit(data[0])
    except ConnectionError:
        if told:
            say(2, argv[0] + b": fake-e2b went away while it answered\n", argv[0])
            os._exit(1)


def send(connection: "_socket.socket", kind: bytes, data: bytes) -> None:
    """One frame."""
    connection.sendall(kind + len(data).to_bytes(4, "big") + data, _NO_SIGNAL)


def receive(connection: "_socket.socket", size: int) -> bytes:
    """So many bytes.

    Raises:
        ConnectionError: The server has ended.
    """
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise ConnectionResetError
        data += piece
    return data


def hear(most: int) -> bytes:
    """What stdin brings next; nothing at its end."""
    while True:
        try:
            return os.read(0, min(most, _PIECE))
        except BlockingIOError:
            wait_for(0, writing=False)
        except OSError:
            return b""


def say(fd: int, data: bytes, name: bytes) -> None:
    """Write all; who does not listen any more ends this program as any other."""
    while data:
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:
            wait_for(fd, writing=True)
        except BrokenPipeError:
            _signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)
            os.kill(os.getpid(), _signal.SIGPIPE)
        except OSError as error:
            if fd == 1:
                text = os.fsencode(error.strerror or "failed")
                say(2, name + b": write error: " + text + b"\n", name)
                os._exit(1)
            return


def wait_for(fd: int, writing: bool) -> None:
    """Until it is ready: somebody else has made it non-blocking."""
    import select

    select.select([] if writing else [fd], [fd] if writing else [], [])


# The real program.


def be_the_real_one(
    own: bytes, argv: "list[bytes]", environment: "dict[bytes, bytes]"
) -> "NoReturn":
    """Give way to the next program of that name on PATH, or say that there is none."""
    for name in ("SIGPIPE", "SIGXFSZ"):  # which Python ignores, and what it starts would
        _signal.signal(getattr(_signal, name), _signal.SIG_DFL)
    denied = b""
    for path in others(argv[0], environment.get(b"PATH", os.fsencode(os.defpath))):
        if not os.access(path, os.X_OK):
            denied = denied or path
            continue
        if environment.get(b"_") == own:
            environment[b"_"] = path
        try:
            os.execve(path, argv, environment)
        except OSError as error:
            if error.errno == 8:  # a script without a first line: shells run it themselves
                os.execve(b"/bin/sh", [b"/bin/sh", path, *argv[1:]], environment)
            denied = denied or path
    shell, line = caller()
    if denied:
        complain(b"%s: %s%s: Permission denied\n" % (shell, line, denied), 126)
    if os.path.basename(shell) in (b"sh", b"dash"):
        complain(b"%s: 1: %s: not found\n" % (shell, argv[0]), 127)
    complain(b"%s: %s%s: command not found\n" % (shell, line, argv[0]), 127)


def complain(text: bytes, code: int) -> "NoReturn":
    """As the shell would."""
    say(2, text, b"")
    os._exit(code)


def others(name: bytes, search: bytes) -> "Iterator[bytes]":
    """The files of that name on PATH that are no stub, or that one covers."""
    for folder in search.split(b":"):
        path = os.path.join(folder or b".", name)
        if is_stub(path):
            covered = FRONTS.get(os.fsdecode(os.path.normpath(folder or b".")))
            if covered is None:
                continue
            path = os.path.join(os.fsencode(covered), name)
        if os.path.isfile(path):
            yield path


def is_stub(path: bytes) -> bool:
    """Whether it is this program."""
    try:
        with open(path, "rb", buffering=0) as file:
            return MARK in file.read(1024)
    except OSError:
        return False


def caller() -> "tuple[bytes, bytes]":
    """The shell that would complain, as it calls itself, and where in its text it is."""
    try:
        with open(f"/proc/{os.getppid()}/cmdline", "rb", buffering=0) as file:
            words = file.readall().split(b"\0")
    except OSError:
        words = [b""]
    shell = words[0]
    if os.path.basename(shell).lstrip(b"-") not in _SHELLS:
        return b"/bin/bash", b"line 1: "  # the SDKs' own, which became this program
    options = [word for word in words[1:] if word[:1] == b"-" and word[:2] != b"--"]
    if any(b"c" in word for word in options):
        return shell, b"line 1: "
    scripts = [word for word in words[1:] if word and word[:1] != b"-"]
    return (scripts[0], b"line 1: ") if scripts else (os.path.basename(shell), b"")


if __name__ == "__main__":
    main()
