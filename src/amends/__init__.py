"""amends: make a language model safer from its own mistakes."""

import os
import sys

__version__ = "0.1.0"

# TRL's trainers send telemetry otherwise. The hub's library reads this once, when it is imported: perhaps before amends.
if os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1") == "1" and "huggingface_hub.constants" in sys.modules:
    sys.modules["huggingface_hub.constants"].HF_HUB_DISABLE_TELEMETRY = True  # type: ignore[attr-defined]
