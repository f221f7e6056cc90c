"""Entry point: turns errors into one message and an exit code."""

import os
import signal
import sys
import threading

MEMORY_IS_FULL = (
    "the memory is full; what is finished is kept. In training lower train.micro_batch_tokens, or set "
    "train.gradient_checkpointing=true (of `amends train`: --micro-batch-tokens, --gradient-checkpointing true); "
    "elsewhere use a smaller model (a local gate lies beside it), or a GPU that nothing else uses "
    "(CUDA_VISIBLE_DEVICES)"
)


def main() -> None:
    """Runs the command line. Exit codes: 0 done, 1 a run or a gate failed, 2 usage or input, 130 interrupted."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # each of its retries is a line
    os.environ.setdefault("TQDM_DISABLE", "1")  # amends shows its own progress
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # what torch's own code advises
    from amends.errors import AmendsError, memory_is_full
    from amends.text.display import for_terminal
    from amends.training.environment import follows, prepare

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what ends a job leaves as much as Ctrl-C does

    try:
        prepare(sys.argv[1] if len(sys.argv) > 1 else "")
        _work()
    except AmendsError as error:
        if follows():  # the first one says it
            sys.exit(error.exit_code)
        print(for_terminal(f"amends: error: {error}"), file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.filename is None:  # no file's: a broken pipe, say
            raise
        said = f"amends: error: {error.filename}: {error.strerror}; check the path or choose another"
        print(for_terminal(said), file=sys.stderr)
        sys.exit(2)
    except (RuntimeError, MemoryError) as error:
        if not memory_is_full(error):
            raise
        print(f"amends: error: {MEMORY_IS_FULL}", file=sys.stderr)
        sys.exit(1)
    except (KeyboardInterrupt, SystemExit) as leaving:
        if isinstance(leaving, SystemExit) and leaving.code != 130:  # typer's code for Ctrl-C, which it leaves unsaid
            raise
        if not follows():
            print("amends: interrupted; what is finished is kept, the same command goes on from there", file=sys.stderr)
        if any(thread is not threading.main_thread() and not thread.daemon for thread in threading.enumerate()):
            sys.stderr.flush()
            os._exit(130)  # requests to a server that does not answer would be waited for
        sys.exit(130)


def _work() -> None:
    """Does what the command line says, or, beside a first process that does, what that one says."""
    from amends.training.environment import follows, launched

    if follows():
        from amends.training.processes import follow

        sys.exit(follow())
    from amends.cli.app import app

    if launched() == 1:
        app(standalone_mode=True)
    else:
        from amends.training.processes import leading

        with leading():
            app(standalone_mode=True)


if __name__ == "__main__":
    main()
