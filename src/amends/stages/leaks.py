"""Invariant 1: no run of words of any guide stands in a training prompt."""

from amends.prompts import GUIDE_STAGES, analysis_question, guide, guide_names
from amends.stages.text import cue_runs, shingles


class LeakTest:
    """Looks for the words of all guides, but for those of the neutral question that training asks."""

    def __init__(self) -> None:
        self.runs: dict[int, dict[tuple[str, ...], str]] = {}
        for stage in GUIDE_STAGES:
            for name in guide_names(stage):
                for run in cue_runs(guide(stage, name).cues, allowed=(analysis_question("", ""),)):
                    self.runs.setdefault(len(run), {})[run] = f"{stage} guide {name!r}"

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
