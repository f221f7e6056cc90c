"""Entry point: turns errors into one message and an exit code."""

import os
import sys

MEMORY_IS_FULL = (
    "the memory is full; what is finished is kept. In training lower train.batch_size and raise "
    "train.gradient_accumulation by as much, or set train.gradient_checkpointing=true (of `amends train`: --batch-size, "
    "--gradient-accumulation, --gradient-checkpointing); elsewhere use a smaller model"
)


def main() -> None:
    """Runs the command line. Exit codes: 0 done, 1 a run or a gate failed, 2 usage or input, 130 interrupted."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # each of its retries is a line
    os.environ.setdefault("TQDM_DISABLE", "1")  # amends shows its own progress
    from amends.errors import AmendsError, memory_is_full

    try:
        from amends.cli.app import app

        app(standalone_mode=True)
    except AmendsError as error:
        print(f"amends: error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.filename is None:  # no file's: a broken pipe, say
            raise
        print(f"amends: error: {error.filename}: {error.strerror}; check the path or choose another", file=sys.stderr)
        sys.exit(2)
    except (RuntimeError, MemoryError) as error:
        if not memory_is_full(error):
            raise
        print(f"amends: error: {MEMORY_IS_FULL}", file=sys.stderr)
        sys.exit(1)
    except (KeyboardInterrupt, SystemExit) as leaving:
        if isinstance(leaving, SystemExit) and leaving.code != 130:  # typer's code for Ctrl-C, which it leaves unsaid
            raise
        print("amends: interrupted; what is finished is kept, the same command goes on from there", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
