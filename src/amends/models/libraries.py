"""What the libraries print is left out: amends shows its own progress, and errors of its own."""

import logging
import os
import sys
import warnings
from contextlib import redirect_stdout


def quiet_libraries() -> None:
    """Silences the libraries' own progress bars and advice: amends shows its own progress."""
    from transformers.utils import logging as transformers_logging

    for category in (FutureWarning, UserWarning):
        warnings.filterwarnings("ignore", category=category, module=r"(transformers|trl|peft)\..*")
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    for name in ("trl", "peft", "accelerate", "datasets", "bitsandbytes"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if os.environ.get("WANDB_MODE") == "offline":  # importing it prints a line; standard output has the result alone
        with redirect_stdout(sys.stderr):
            import transformers.integrations.integration_utils  # noqa: F401
