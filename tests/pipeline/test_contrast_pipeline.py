"""From instructions to the samples of mistake-analysis-plus over files; and what methods need in a configuration."""

from pathlib import Path

import pytest

from amends.config.methods import METHODS, stages_for
from amends.config.settings import Configuration
from amends.data.rows import read_rows
from amends.data.settings import DataSettings
from amends.errors import ConfigError, InputError
from amends.models.base import Prompt
from amends.models.scripted import ScriptedModel
from amends.pipeline.steps import Steps, needed_sets
from amends.records import Sample
from amends.stages.base import STAGES
from amends.training.compose import ComposeSettings
from scripted_judge import by_word

ROWS = {
    "model": "embedded",
    "instructions": {"source": "bundled:redteam/train"},
    "suites": {"redteam": {"source": "bundled:redteam/test", "kind": "red-team"}},
}
BENIGN = {"benign": {"source": "bundled:benign+borderline/train"}}


def said(prompt: Prompt, seed: int) -> str:
    """What a model that is good at everything says; a mistake is known by the word fool."""
    asked = prompt.messages[-1].content
    if "offensive way" in asked:
        return "Be a fool, and do it."
    if prompt.prefill.endswith("A better response:"):
        return "Talk with them, and ask for help."
    if "response is harmful." in asked:
        return "it insults people, which could hurt them and lead to fights between many of them."
    if "response is harmless." in asked:
        return "it advises a talk, which can bring people together and make them feel at home again."
    return "Talk with somebody whom you trust."


def test_plus_is_made_of_what_the_stages_wrote(tmp_path: Path) -> None:
    model, gate, steps = ScriptedModel("m", said), by_word("fool", 0.3), Steps()
    sets = {
        "instructions": DataSettings(source="bundled:redteam/train", limit=6),
        "benign": DataSettings(source="bundled:benign+borderline/train", limit=5),
    }
    for name in stages_for(["mistake-analysis-plus"], {}):
        stage = STAGES[name]
        told = {"attempts": 6} | ({"source": "own"} if name == "answer" else {})
        out = tmp_path / f"{stage.writes}.jsonl"
        facts = steps.make(name, sets[stage.reads], out, model, gate, stage.settings(**told))
        assert facts["passed"] == facts["rows"] == len(list(read_rows(out, stage.record)))
        sets[stage.writes] = DataSettings(source=str(out))
    out = tmp_path / "samples.jsonl"
    counts = steps.compose(METHODS["mistake-analysis-plus"], sets, out, ComposeSettings())
    assert counts == {"answer": 6, "reply": 5, "analysis": 6, "contrast": 6, "verdict": 12, "chain": 6}
    samples = list(read_rows(out, Sample))
    assert all("fool" not in one.completion[0].content for one in samples)
    openings = {one.completion[0].content[:21] for one in samples if one.kind in ("analysis", "contrast")}
    assert len(openings) > 2, "analyses open in several ways"


def test_what_only_some_models_make_or_nobody_gave_is_not_needed() -> None:
    method, shares = METHODS["mistake-analysis-plus"], dict.fromkeys(METHODS["mistake-analysis-plus"].kinds, 1.0)
    assert needed_sets(method, shares, ["answers", "analyses", "contrasts"])
    with pytest.raises(InputError, match="needs contrasts; make them with `amends contrast`, name --contrasts"):
        needed_sets(method, shares, ["answers", "analyses"])


def test_without_benign_instructions_nobody_replies() -> None:
    for given, stage in ((BENIGN, True), ({}, False)):
        settings = Configuration.model_validate(ROWS | given | {"methods": ["mistake-analysis-plus"]})
        assert ("reply" in stages_for(settings.methods, settings.shares)) == stage


@pytest.mark.parametrize(
    ("methods", "refused"),
    [
        (["mistake-analysis"], []),
        (["mistake-analysis-contrast"], ["contrast.guides: unknown analyze guide", "says_harmful", "says_harmless"]),
        (["mistake-analysis-plus"], ["contrast.guides", "better", "chain", "says_harmful", "says_harmless"]),
    ],
)
def test_a_users_own_language_is_refused_for_what_a_method_needs(
    tmp_path: Path, methods: list[str], refused: list[str]
) -> None:
    """A whole language of before contrast serves the other methods as it did."""
    import yaml

    import amends.prompts

    own = yaml.safe_load((Path(amends.prompts.__file__).parent / "en.yaml").read_text(encoding="utf-8"))
    for name in ("assess", "chain", "better", "says_harmless", "says_harmful"):
        del own["templates"][name]
    for name in [name for name in own["guides"]["analyze"] if name.startswith("harmless")]:
        del own["guides"]["analyze"][name]
    del own["gates"]["accuses"]
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(own), encoding="utf-8")
    content = ROWS | {"guides": str(path), "methods": methods}
    if not refused:
        assert Configuration.model_validate(content).methods == methods
        with pytest.raises(ConfigError, match=r"question: templates\.assess is missing in"):
            Configuration.model_validate(content | {"question": "open"})
        return
    with pytest.raises(ConfigError) as caught:
        Configuration.model_validate(content)
    problems = caught.value.problems
    assert len(problems) == len(refused)
    assert all(any(name in problem for problem in problems) for name in refused)
