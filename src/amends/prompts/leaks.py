"""Invariant 1: no run of words of any guide stands in a training prompt."""

from collections.abc import Sequence

from amends.prompts import GUIDE_STAGES, Guide, Language, english
from amends.records import UserPrompt, said_in
from amends.text.words import cue_runs, shingles


class LeakTest:
    """Looks for the words of all guides, but for those of the neutral question that training asks.

    Args:
        others: guides to look for that are not in the language's file.
        language: whose guides; its file was refused where the test cannot read one of them.
    """

    def __init__(self, others: Sequence[Guide] = (), language: Language | None = None) -> None:
        language = language or english()
        named = [(stage, one) for stage in GUIDE_STAGES for one in language.stages[stage].values()]
        question = language.analysis_question("", "")
        self.runs: dict[int, dict[tuple[str, ...], str]] = {}
        for stage, one in [*named, *(("other", other) for other in others)]:
            for run in cue_runs(one.cues, allowed=(question,)):
                self.runs.setdefault(len(run), {}).setdefault(run, f"{stage} guide {one.name!r}")

    def find(self, text: str, instruction: UserPrompt = "") -> str:
        """The words found and their guide, in words; empty where there are none.

        What stands in the user's own instruction is no leak.
        """
        own = said_in(instruction)
        for length, runs in self.runs.items():
            found = (shingles(text, length) & runs.keys()) - shingles(own, length)
            if found:
                run = min(found)
                return f"{' '.join(run)!r}, words of the {runs[run]}"
        return ""
