"""What a judge is by default: its fingerprint, its ratings, what is refused of it."""

import linecache
from collections.abc import Sequence
from typing import Any

import pytest

from amends.errors import InputError, ModelError
from amends.judges.base import Judge
from amends.judges.guard import GuardJudge
from amends.judges.language_model import LanguageModelJudge
from amends.judges.load import load_judge
from amends.models.base import Generation, Model, Prompt, Sampling
from amends.models.scripted import ScriptedModel
from amends.progress import ProgressCallback, no_progress

Pairs = Sequence[tuple[str, str]]
FINGERPRINTS = {
    "probe": "605e945b4563f421b47b2e3fa3cee618488524283da78630409d103643dca918",
    "gate": "1339a7c8574c537765ae78e5659cd3242ba0aeb346f04e239c52c2f54b1033cc",
    "endpoint": "8fae2c5019ccdc996be3b24fe1b65693b3924a7a742394c3fcc159ff5d59eaee",
}


class Always(Judge):
    name = "always"

    def __init__(self, score: float | None = 1.0) -> None:
        self.given = score

    def score(self, pairs: Pairs) -> list[float | None]:
        return [self.given] * len(pairs)


def test_five_lines_are_a_judge() -> None:
    class Short(Judge):
        def score(self, pairs: Pairs) -> list[float | None]:
            return [float(len(response) < 9) if response else None for _, response in pairs]

    judge = Short()
    judge.name = "short"
    rated = judge.rate([("", "Hi."), ("", "Good evening."), ("", "")])
    assert [(one.score, one.helpful) if one else None for one in rated] == [(1.0, None), (0.0, None), None]
    assert (judge.facts, judge.unread(), judge.capacity, judge.asks) == ({"name": "short"}, "", None, None)
    judge.check()
    judge.release()


def in_a_cell(source: str, name: str | None) -> Judge:
    """The judge of a notebook's cell, whose source IPython keeps as it does; of a bare `exec` where it has no name."""
    names: dict[str, Any] = {"Judge": Judge, "__name__": "__main__"}
    if name:
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compile(source, name or "<string>", "exec"), names)
    judge = names["Made"]()
    assert isinstance(judge, Judge)
    return judge


def test_the_fingerprint_is_of_name_and_source() -> None:
    source = "class Made(Judge):\n    name = 'n'\n    def score(self, pairs):\n        return [{} for _ in pairs]\n"
    given = [("1.0", "<cell 1>"), ("1.0", "<cell 2>"), ("0.5", "<cell 3>")]
    one, same, other = (in_a_cell(source.format(score), name).fingerprint for score, name in given)
    assert one == same != other
    assert in_a_cell(source.format("1.0").replace("'n'", "'m'"), "<cell 4>").fingerprint != one
    with pytest.raises(InputError, match="judge Made: Python has no source of it"):
        _ = in_a_cell(source, None).fingerprint
    assert Always(1.0).fingerprint == Always(1.0).fingerprint


def test_what_a_class_is_derived_from_counts() -> None:
    class Derived(Always):
        pass

    class Another(LanguageModelJudge):
        pass

    assert Derived().fingerprint != Always().fingerprint
    assert Another(ScriptedModel("m", lambda *_: "")).fingerprint == (
        LanguageModelJudge(ScriptedModel("m", lambda *_: "")).fingerprint
    ), "its own fingerprint is inherited"


@pytest.mark.parametrize("score", [1.5, -0.1, "harmless"])
def test_a_judge_that_gives_no_probability_is_refused(score: float) -> None:
    with pytest.raises(InputError, match=r"judge 'always' fails on a plain answer \(.*\); its `score` has to give"):
        Always(score).check()


def test_a_judge_that_fails_is_refused() -> None:
    class Failing(Always):
        def score(self, pairs: Pairs) -> list[float | None]:
            raise KeyError("label")

    with pytest.raises(InputError, match=r"judge 'always' fails on a plain answer \(KeyError: 'label'\)"):
        Failing().check()
    Always(None).check()


def test_the_fingerprints_of_what_amends_brings_stay() -> None:
    """Finished verdicts and mistakes are kept by them."""
    assert load_judge("probe").fingerprint == FINGERPRINTS["probe"]
    assert load_judge("gate").fingerprint == FINGERPRINTS["gate"]
    assert load_judge("endpoint:m@http://h/v1").fingerprint == FINGERPRINTS["endpoint"]


class Deployed(Model):
    """A model that is told something, and is the same without."""

    name = "deployed"

    def __init__(self, system_prompt: str | None = None) -> None:
        self.system_prompt = system_prompt

    @property
    def fingerprint(self) -> str:
        return f"deployed {self.system_prompt or ''}"

    @property
    def identity(self) -> str:
        return "deployed"

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, seed: int, progress: ProgressCallback = no_progress
    ) -> list[Generation]:
        return [Generation("Fine.", True, 1) for _ in prompts]


def test_a_judge_is_apart_from_gate_and_models() -> None:
    model, told = Deployed(), Deployed("Be brief.")
    judge, gate = LanguageModelJudge(model), Always()
    judge.check_apart(gate, [ScriptedModel("other", lambda *_: "")])
    with pytest.raises(InputError, match="judge and gate are the same"):
        gate.check_apart(Always(), [])
    with pytest.raises(InputError, match="judge and gate both ask deployed"):
        judge.check_apart(LanguageModelJudge(told), [])
    with pytest.raises(InputError, match="judge deployed is the model that is judged"):
        judge.check_apart(gate, [told])


def test_only_who_is_elsewhere_is_asked_before_a_run() -> None:
    here, there = (ScriptedModel(name, lambda *_: "no rating") for name in ("here", "there"))
    there.elsewhere = True
    for model, calls in ((here, 0), (there, 1)):
        model.reach()
        assert model.calls == calls
    LanguageModelJudge(here).check()
    with pytest.raises(ModelError, match="there: gave no rating of a plain answer that can be read"):
        LanguageModelJudge(there).check()
    assert here.calls == 0


def test_a_guard_is_checked_by_its_template_alone() -> None:
    guard = GuardJudge("somebody/Llama-Guard-3-8B")
    asked: list[Prompt] = []

    class Listening(ScriptedModel):
        def check(self, prompt: Prompt) -> None:
            asked.append(prompt)

    guard.asks = guard.model = Listening("guard", lambda *_: "safe")
    guard.check()
    assert [message.role for message in asked[0].messages] == ["user", "assistant"]
