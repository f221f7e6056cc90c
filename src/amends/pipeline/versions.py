"""The number of each step's own code, and the settings that change nothing of what a step writes: for fingerprints."""

CODE = {
    "data": 4,
    "look": 1,
    "make": 8,
    "compose": 3,
    "train": 4,
    "respond": 4,
    "reference": 4,
    "own_verdicts": 1,
    "judge": 1,
    "agree": 1,
    "results": 4,
}
"""Raised by a change after which a step writes something else from the same: what it wrote before is made anew."""


OF_STOPPING = {"stop_at_verdict", "verdict_steps"}
"""Settings of a training that say nothing where `stop_at_verdict` is null: they void nothing of before they were."""

OF_WEIGHING = {"verdict_weight"}
"""So where it is 1."""

UNTOLD = {"save_steps", "max_length", "gradient_checkpointing", "processes", "report_to"}
"""Settings of a training that change nothing of what it writes: what is refused, memory, what an interruption costs."""
