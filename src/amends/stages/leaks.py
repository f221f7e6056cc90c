"""Invariant 1: no run of words of any guide stands in a training prompt."""

from collections.abc import Sequence

from amends.prompts import GUIDE_STAGES, Guide, analysis_question, guide, guide_names
from amends.text import cue_runs, shingles


class LeakTest:
    """Looks for the words of all guides, but for those of the neutral question that training asks.

    Args:
        others: guides to look for that are not in the project's file.
    """

    def __init__(self, others: Sequence[Guide] = ()) -> None:
        named = [(stage, guide(stage, name)) for stage in GUIDE_STAGES for name in guide_names(stage)]
        self.runs: dict[int, dict[tuple[str, ...], str]] = {}
        for stage, one in [*named, *(("other", other) for other in others)]:
            for run in cue_runs(one.cues, allowed=(analysis_question("", ""),)):
                self.runs.setdefault(len(run), {}).setdefault(run, f"{stage} guide {one.name!r}")

    def find(self, text: str, instruction: str = "") -> str:
        """The words found and their guide, in words; empty where there are none.

        What stands in the user's own instruction is no leak.
        """
        for length, runs in self.runs.items():
            found = (shingles(text, length) & runs.keys()) - shingles(instruction, length)
            if found:
                run = min(found)
                return f"{' '.join(run)!r}, words of the {runs[run]}"
        return ""
