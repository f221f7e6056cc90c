"""amends: make a language model safer from its own mistakes."""

import os

__version__ = "0.1.0"

# Before anything imports the hub's library, which reads it once: TRL's trainers send telemetry otherwise.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
