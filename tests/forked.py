"""Processes that are forked from a small one, in which the libraries are loaded: no seconds of imports for each.

It is small, since a fork of the process of all tests copies what they all hold. Signals and kills reach a process of
its own, and its end is the operating system's.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping
from functools import cache
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import pytest


@cache
def processes() -> ForkServerContext:
    """The context of `multiprocessing` that starts them, each with a function of a module. Its server is started."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["loaded_libraries"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # Python 3.11 does not tell it where modules lie
        forkserver.ensure_running()
    return context


def start_amends(*arguments: str, printed: Path, said: Path) -> ForkServerProcess:
    """Starts the real entry point, as a shell does in the foreground. What it prints and says goes to two files."""
    process = processes().Process(target=_amends, args=(arguments, Path.cwd(), dict(os.environ), printed, said))
    process.start()
    return process


def _amends(
    arguments: tuple[str, ...], directory: Path, environment: Mapping[str, str], printed: Path, said: Path
) -> None:
    for descriptor, path in ((1, printed), (2, said)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job, and what it starts, ignores it
    sys.argv = ["amends", *arguments]
    from amends.__main__ import main

    main()
