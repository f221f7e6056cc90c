"""A real pseudo-terminal of so many columns, in which commands run as a person sees them."""

import fcntl
import os
import pty
import re
import struct
import sys
import termios
from collections.abc import Callable

from conftest import run_amends

STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def in_terminal(
    columns: int, *arguments: str, typed: str = "", run: Callable[..., int] = run_amends
) -> tuple[int, str]:
    """The exit code of a command (or of `run`), and what a terminal of 24 lines shows of it, as text without colours.

    `typed` are the lines that a person types. The command runs in a process that is forked, so that its libraries are
    loaded already.
    """
    process, terminal = pty.fork()
    if process == 0:
        code = 1
        try:
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            os.environ.pop("COLUMNS", None)
            os.environ |= {"TERM": "xterm", "NO_COLOR": "1"}
            sys.stdin = open(0, closefd=False)  # noqa: SIM115 (the process ends with it)
            with open(1, "w", closefd=False) as sys.stdout, open(2, "w", closefd=False) as sys.stderr:
                code = run(*arguments)
        finally:
            os._exit(code)
    os.write(terminal, typed.encode())
    read = b""
    while True:
        try:
            piece = os.read(terminal, 65_536)
        except OSError:  # Linux's way of saying that the other end is closed
            break
        if not piece:
            break
        read += piece
    os.close(terminal)
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status), STYLE.sub("", read.decode()).replace("\r\n", "\n")
