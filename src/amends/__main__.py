"""Entry point: turns errors into one message and an exit code."""

import os
import sys


def main() -> None:
    """Runs the command line. Exit codes: 0 done, 1 a run or a gate failed, 2 usage or input, 130 interrupted."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TQDM_DISABLE", "1")  # amends shows its own progress
    from amends.errors import AmendsError

    try:
        from amends.cli.app import app

        app(standalone_mode=True)
    except AmendsError as error:
        print(f"amends: error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, SystemExit) as leaving:
        if isinstance(leaving, SystemExit) and leaving.code != 130:  # typer's code for Ctrl-C, which it leaves unsaid
            raise
        print("amends: interrupted; what is finished is kept, the same command goes on from there", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
