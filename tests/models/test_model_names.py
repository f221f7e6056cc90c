"""Models by name: what is registered, what is told them, and what is refused."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from amends.data.rows import read_rows
from amends.errors import InputError, ModelError
from amends.models.base import Generation, Model, Prompt, Sampling
from amends.models.endpoint.model import EndpointModel
from amends.models.hf import LocalModel
from amends.models.kinds import MODELS, register_model
from amends.models.load import load_local_model, load_model
from amends.progress import ProgressCallback, no_progress
from amends.records import Response
from conftest import run_amends


class Parrot(Model):
    """Repeats what it is asked."""

    name = "parrot"

    @property
    def fingerprint(self) -> str:
        return "parrot"

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, seed: int, progress: ProgressCallback = no_progress
    ) -> list[Generation]:
        return [Generation(prompt.messages[-1].content, True, 1) for prompt in prompts]


class ToldParrot(Parrot):
    """Repeats what it is asked, and what it was told before."""

    def __init__(self, system_prompt: str | None = None) -> None:
        self.system_prompt = system_prompt


@pytest.fixture(autouse=True, scope="module")
def parrots() -> Iterator[None]:
    """Registered here alone: messages of other tests list what there is."""
    register_model("parrot")(Parrot)
    register_model("told-parrot")(ToldParrot)
    yield
    MODELS.remove("parrot")
    MODELS.remove("told-parrot")


def test_the_command_takes_a_model_that_was_registered(tmp_path: Path) -> None:
    prompts, out = tmp_path / "prompts.jsonl", tmp_path / "out.jsonl"
    prompts.write_text('{"prompt": "May I?"}\n{"prompt": "Why?"}\n')
    assert run_amends("respond", "--prompts", str(prompts), "--model", "parrot", "--out", str(out)) == 0
    assert [row.response for row in read_rows(out, Response)] == ["May I?", "Why?"]


def test_a_system_prompt_is_told_or_refused() -> None:
    assert load_model("told-parrot", "Be brief.").system_prompt == "Be brief."
    assert MODELS["told-parrot"].form == "`told-parrot`"
    with pytest.raises(InputError, match="model 'parrot' takes no system_prompt; leave it out"):
        load_model("parrot", "Be brief.")


def test_models_by_name(tmp_path: Path) -> None:
    assert isinstance(load_model("embedded"), LocalModel)
    server = load_model("endpoint:m@http://h/v1", "Be brief.")
    assert isinstance(server, EndpointModel)
    assert (server.title, server.system_prompt) == ("m at h", "Be brief.")
    with pytest.raises(ModelError, match="a server takes no adapter"):
        load_model("endpoint:m@http://h/v1", adapter=tmp_path)
    with pytest.raises(ModelError, match=r"embeded: no such directory"):
        LocalModel("embeded")
    with pytest.raises(InputError, match=r"unknown model 'embeded'; did you mean 'embedded'\?.* To add one: @amends"):
        load_model("embeded")


@pytest.mark.parametrize("name", ["parrot", "endpoint:m@http://me:secret@h/v1?key=secret"])
def test_what_is_trained_or_studied_has_its_weights_here(name: str) -> None:
    with pytest.raises(ModelError, match=r"has no weights here, which .* need; name `embedded` or an existing"):
        load_local_model(name)
    with pytest.raises(ModelError) as refused:
        load_local_model(name)
    assert "secret" not in str(refused.value)
