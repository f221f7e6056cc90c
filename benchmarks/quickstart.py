"""The quickstart end to end: its seconds, how many of them are the model's work, and how many are loading.

    python -m benchmarks.quickstart [--json] [KEY=VALUE ...]

The model's work is decoding, losses of references, what the probe reads, and training whole; loading is importing
libraries and reading models, adapters and tokenizers. The rest is all that amends itself does, files and report
included.
"""

import argparse
import functools
import importlib
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LIBRARIES = ("torch", "transformers", "trl", "peft", "datasets")
MODEL = {
    "generation": ("amends.models.decoding.decoders", "SlotDecoder", "decode"),
    "reference losses": ("amends.models.hf", "LocalModel", "_batch_losses"),
    "judging": ("amends.judges.probe", "Extractor", "_batch"),
    "training": ("transformers", "Trainer", "train"),
}
LOADING = (
    ("transformers", "AutoModelForCausalLM", "from_pretrained"),
    ("torch.nn", "Module", "to"),
    ("transformers", "AutoTokenizer", "from_pretrained"),
    ("peft", "PeftModel", "from_pretrained"),
    ("peft.tuners.tuners_utils", "BaseTuner", "merge_and_unload"),
)


class Clock:
    """Seconds by kind of work; of nested kinds, the outer one's."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._open = False

    @contextmanager
    def of(self, kind: str) -> Iterator[None]:
        """Counts the seconds of a block."""
        if self._open:
            yield
            return
        self._open, began = True, time.perf_counter()
        try:
            yield
        finally:
            self._open = False
            self.seconds[kind] += time.perf_counter() - began

    def watch(self, module: str, owner: str, name: str, kind: str) -> None:
        """Counts a method's calls."""
        held = getattr(importlib.import_module(module), owner)
        given = held.__dict__.get(name)
        if isinstance(given, classmethod):
            setattr(held, name, classmethod(self._counted(given.__func__, kind)))
        else:
            setattr(held, name, self._counted(getattr(held, name), kind))

    def _counted(self, function: Callable[..., Any], kind: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def counted(*args: Any, **kwargs: Any) -> Any:
            with self.of(kind):
                return function(*args, **kwargs)

        return counted


def main() -> None:
    """Runs the quickstart in a new directory and shows where its time went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("settings", nargs="*", help="as of `amends run`")
    given = parser.parse_args()
    began, clock = time.perf_counter(), Clock()
    with clock.of("loading"):
        for library in LIBRARIES:
            importlib.import_module(library)
    for kind, place in MODEL.items():
        clock.watch(*place, kind)
    for place in LOADING:
        clock.watch(*place, "loading")

    from amends.config.reading import load_configuration
    from amends.pipeline.experiment import run_experiment

    configuration = load_configuration("quickstart", given.settings)
    with tempfile.TemporaryDirectory() as directory:
        run_experiment(configuration, Path(directory) / "run")
    whole = time.perf_counter() - began
    found = {**clock.seconds, "the rest": whole - sum(clock.seconds.values()), "all": whole}
    if given.json:
        print(json.dumps({kind: round(seconds, 1) for kind, seconds in found.items()}))
        return
    for kind, seconds in found.items():
        print(f"{kind:<20}{seconds:>8.1f} s{seconds / whole:>8.1%}")


if __name__ == "__main__":
    main()
