"""The number of each step's own code, and the settings that change nothing of what a step writes: for fingerprints."""

CODE = {
    "data": 5,
    "look": 1,
    "make": 9,
    "compose": 3,
    "train": 4,
    "respond": 4,
    "reference": 4,
    "own_verdicts": 1,
    "judge": 1,
    "agree": 1,
    "results": 5,
}
"""Raised by a change after which a step writes something else from the same: what it wrote before is made anew."""

IDLE: dict[str, tuple[object, set[str]]] = {
    "stop_at_verdict": (None, {"stop_at_verdict", "verdict_steps"}),
    "quantization": (None, {"quantization"}),
    "verdict_weight": (1, {"verdict_weight"}),
}
"""Settings of a training that came later: at this value these say nothing, and void nothing of before they were."""

UNTOLD = {"save_steps", "max_length", "gradient_checkpointing", "processes", "report_to"}
"""Settings of a training that change nothing of what it writes: what is refused, memory, what an interruption costs."""
