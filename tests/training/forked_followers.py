"""Processes that follow the first one of a training, forked from a small one: no seconds of imports for each."""

import multiprocessing
import os
import sys
import threading
from collections.abc import Mapping
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from forked import processes


class Forked:
    """What `amends.training.processes.start` returns: as much of a Popen as is asked of it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.process: ForkServerProcess = processes().Process(target=_follow, args=(dict(environment), Path.cwd()))
        self.process.start()

    def poll(self) -> int | None:
        return self.process.exitcode

    def kill(self) -> None:
        self.process.kill()

    def communicate(self) -> None:
        self.process.join()


def _follow(environment: Mapping[str, str], directory: Path) -> None:
    def end_with_the_tests() -> None:
        parent = multiprocessing.parent_process()
        assert parent
        parent.join()
        os._exit(1)

    threading.Thread(target=end_with_the_tests, daemon=True).start()
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    from amends.training.processes import follow

    sys.exit(follow())
