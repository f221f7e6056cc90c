"""What a model made, judged or answered is made anew for everything that it depends on."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from amends.data.settings import DataSettings
from amends.errors import StoreError
from amends.judges.base import Judge
from amends.models.base import Sampling
from amends.models.hf import LocalModel
from amends.models.scripted import ScriptedModel
from amends.pipeline.steps import Steps
from amends.pipeline.versions import CODE
from amends.progress import Silent
from amends.prompts import UNGUIDED, Guide, english, load_language
from amends.stages.analyze import AnalyzeSettings


class Says(Silent):
    """Keeps what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


class Gate(Judge):
    """Finds everything harmless."""

    def __init__(self, name: str) -> None:
        self.name = name

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float | None]:
        return [0.9 for _ in pairs]


@pytest.mark.parametrize(
    ("changed", "differs"),
    [
        ("nothing", ""),
        ("inputs", ""),
        ("code", ""),
        ("templates", ""),
        ("patterns", ""),
        ("language", "language en -> zh"),
        ("settings", "attempts 1 -> 2"),
        ("seed", "seed 0 -> 1"),
        ("guides", 'guides ["told-suffix"] -> ["unguided"]'),
        ("model", "model model False -> model True"),
        ("gate", "gate gate False -> gate True"),
    ],
)
def test_what_a_model_made_is_made_anew_for_everything_that_it_is_made_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str, differs: str
) -> None:
    """A setting that differs is refused first: a flag never costs finished work."""
    source, told, out = tmp_path / "mistakes.jsonl", Says(), tmp_path / "analyses.jsonl"

    def make(named: str = "", overwrite: bool = False) -> None:
        mistake = {"id": "a", "prompt": f"How {named == 'inputs'}?", "response": "So.", "source": "own", "passed": True}
        source.write_text(json.dumps(mistake) + "\n")
        guides = ["unguided" if named == "guides" else "told-suffix"]
        settings = AnalyzeSettings(attempts=2 if named == "settings" else 1, guides=guides)
        why = "It could hurt somebody who trusts the answer, and it is cruel to the neighbour."
        rows, gate = DataSettings(source=str(source)), Gate(f"gate {named == 'gate'}")
        language = english()
        if named == "templates":
            language = replace(language, templates={**language.templates, "analyze": "{prompt} {response} Why?"})
        if named == "patterns":
            language = replace(language, patterns={**language.patterns, "gates": {"harm": ["hurt"]}})
        if named == "language":
            language = load_language("zh")
            why = "这个回答是有害的，因为它教人伤害邻居的狗，这既残忍又违法，会让信任邻居的人受到伤害。"
        steps = Steps(seed=int(named == "seed"), reporter=told, overwrite=overwrite, language=language)
        model = ScriptedModel(f"model {named == 'model'}", lambda *_: why)
        steps.make("analyze", rows, out, model, gate, settings)

    make()
    before = out.read_bytes()
    if changed == "code":
        monkeypatch.setitem(CODE, "make", -1)
    if differs:
        with pytest.raises(StoreError, match=r"analyses\.jsonl: was made with other settings: ") as refused:
            make(changed)
        assert differs in str(refused.value)
        assert out.read_bytes() == before
        assert told.said == []
    make(changed, overwrite=True)
    changed = "templates" if changed == "patterns" else changed
    if changed == "nothing":
        assert told.said == ["analyses: finished, skipped"]
    else:
        guides = " and guides" if changed == "language" else ""
        assert told.said == [f"analyses: made anew, since its {differs or changed}{guides} changed"]


@pytest.mark.parametrize("changed", ["nothing", "inputs", "code", "judge"])
def test_verdicts_are_redone_for_everything_that_they_depend_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    source, told = tmp_path / "responses.jsonl", Says()

    def judge(named: str = "", overwrite: bool = False) -> None:
        row = {"id": "a", "prompt": "Why?", "response": f"So {named == 'inputs'}.", "finished": True}
        source.write_text(json.dumps(row) + "\n")
        steps = Steps(reporter=told, overwrite=overwrite)
        steps.judge("verdicts", source, tmp_path / "verdicts.jsonl", Gate(f"one {named == 'judge'}"))

    judge()
    if changed == "code":
        monkeypatch.setitem(CODE, "judge", -1)
    if changed == "judge":
        with pytest.raises(StoreError, match="judge one False -> one True"):
            judge(changed)
    judge(changed, overwrite=changed == "judge")
    reason = "judge one False -> one True" if changed == "judge" else changed
    finished = "verdicts: finished, skipped"
    assert told.said == [finished if changed == "nothing" else f"verdicts: made anew, since its {reason} changed"]


def test_responses_are_redone_for_what_is_asked_and_how(tmp_path: Path) -> None:
    """A reworded judge's question, or a new guide beside the one in use, is no reason."""
    out, reminder = tmp_path / "responses.jsonl", english().guide("respond", "reminder")
    model = ScriptedModel("model", lambda *_: "no")

    def calls(asked: Guide, sampling: Sampling) -> int:
        prompts = DataSettings(source="bundled:redteam/test", limit=1)
        Steps(overwrite=True).respond("responses", prompts, out, cast(LocalModel, model), asked, sampling)
        return model.calls

    assert calls(reminder, Sampling()) == 1
    assert calls(reminder, Sampling()) == 1
    assert calls(reminder, Sampling(temperature=0)) == 2
    assert calls(UNGUIDED, Sampling(temperature=0)) == 3
