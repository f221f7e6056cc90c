"""A limit on chat templates: they are programs of somebody else's, and one that never ends would hang a run.

A process tries a template once, in a fork with limits on computing time and memory. That works where others do not: an
alarm needs the main thread, a thread cannot be stopped, and nothing within this process stops `10 ** 10 ** 9` or gives
memory back. Fork, since a new interpreter would import transformers for seconds; the child computes and ends, and holds
nothing of this process for longer. Time is the child's own computing, so that a busy machine makes no template
endless.
"""

import os
import resource
import signal
import warnings
from collections.abc import Callable
from pathlib import Path

from amends.errors import ModelError

COMPUTING_SECONDS = 10
MEMORY_BYTES = 1 << 30
_TOO_MUCH = 3
_ENDED: set[str] = set()  # the templates that did: the fork of a process that holds much takes longer than the rest


def refuse_endless(template: str, render: Callable[[], object]) -> None:
    """Raises ModelError where `render` takes more than 10 s of computing, or 1 GiB. Its other errors are left alone.

    Args:
        template: what is rendered, with all that it depends on. One that ended in this process is not tried again.
    """
    if template in _ENDED:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads: the child uses none of their locks
            child = os.fork()
    except OSError:  # no process to be had: nothing is known of the template
        return
    if child == 0:
        _try(render)
    try:
        _, status = os.waitpid(child, 0)
    except BaseException:  # Ctrl-C
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    if os.waitstatus_to_exitcode(status) in (_TOO_MUCH, -signal.SIGXCPU, -signal.SIGKILL):
        raise ModelError(
            f"its chat template does not end: a short conversation took more than {COMPUTING_SECONDS} s of computing, "
            f"or {MEMORY_BYTES >> 30} GiB; correct the template"
        )
    _ENDED.add(template)


def _try(render: Callable[[], object]) -> None:
    """In the child: ends the process, whatever happens."""
    code = 0
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (COMPUTING_SECONDS, COMPUTING_SECONDS + 1))
        sizes = Path("/proc/self/statm")
        if sizes.exists():
            used = int(sizes.read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
        render()
    except MemoryError:
        code = _TOO_MUCH
    except BaseException as error:
        code = _TOO_MUCH if isinstance(error.__cause__, MemoryError) else 0
    finally:
        os._exit(code)
