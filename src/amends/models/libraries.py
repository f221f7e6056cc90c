"""What the libraries print is left out: amends shows its own progress, and errors of its own."""

import logging
import warnings


def quiet_libraries() -> None:
    """Silences the libraries' own progress bars and advice: amends shows its own progress."""
    from transformers.utils import logging as transformers_logging

    for category in (FutureWarning, UserWarning):
        warnings.filterwarnings("ignore", category=category, module=r"(transformers|trl|peft)\..*")
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    for name in ("trl", "peft", "accelerate", "datasets"):
        logging.getLogger(name).setLevel(logging.ERROR)
