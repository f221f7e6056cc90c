"""A model that the server loads itself: it is asked as a run asks it, and streams what it answers whole."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from guided_server import REMINDER, Guided, guided

from amends.models.base import Prompt, Sampling
from amends.models.hf import LocalModel
from amends.serving.local import Local
from tiny import tiny_adapter, tiny_model

HELLO: Any = [{"role": "user", "content": "Hello."}]
PLANTS = "You sell plants."


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    directory = tmp_path_factory.mktemp("served")
    model = tiny_model(directory / "model", max_position_embeddings=200)
    return model, tiny_adapter(directory / "adapter", model)


class Told(LocalModel):
    """Keeps what it is asked, as its tokenizer reads it."""

    asked = ""

    def render(self, prompt: Prompt) -> str:
        self.asked = super().render(prompt)
        return self.asked


@pytest.fixture(scope="module")
def told(adapted: tuple[Path, Path]) -> Told:
    model, adapter = adapted
    return Told(str(model), adapter)


@pytest.fixture(scope="module")
def server(told: Told) -> Iterator[Guided]:
    local = Local(told, "tiny", "Well,", Sampling(12, 0.0))
    with guided(local, system_prompt=PLANTS, reminder="per-request", max_tokens=100) as found:
        yield found


def ask(server: Guided, **more: Any) -> Any:
    return server.client.chat.completions.create(**({"model": "tiny", "messages": HELLO, "max_tokens": 8} | more))


def test_it_is_asked_as_a_run_asks_it(server: Guided, told: Told) -> None:
    measured = LocalModel(told.name, system_prompt=PLANTS)
    guide = REMINDER.model_copy(update={"prefill": "Well,"})
    for guided_now in (True, False):
        asked = guide if guided_now else guide.model_copy(update={"suffix": None})
        got = ask(server, extra_body={"amends_reminder": guided_now}, temperature=0, max_tokens=1)
        assert told.asked == measured.render(asked.prompt("Hello."))
        tokens = measured.tokenizer(told.asked, add_special_tokens=False).input_ids
        assert (got.usage.prompt_tokens, got.usage.completion_tokens) == (len(tokens), 1)
        assert got.choices[0].finish_reason == "length"
    assert [one.id for one in server.client.models.list()] == ["tiny"]


def test_a_stream_is_the_whole_answer_in_pieces(server: Guided) -> None:
    whole = ask(server, seed=3, temperature=1.0, max_tokens=30)
    options = {"include_usage": True}
    pieces = list(ask(server, seed=3, temperature=1.0, max_tokens=30, stream=True, stream_options=options))
    texts = [one.choices[0].delta.content or "" for one in pieces if one.choices]
    assert "".join(texts).strip() == whole.choices[0].message.content and len(texts) > 4
    assert pieces[-2].choices[0].finish_reason == whole.choices[0].finish_reason
    assert pieces[-1].usage == whole.usage


def test_a_generation_that_nobody_waits_for_ends(server: Guided) -> None:
    stream = ask(server, max_tokens=100, stream=True, temperature=1.0, seed=5)
    next(iter(stream))
    stream.close()
    server.until("amends_active_requests", 0.0)
    assert ask(server).choices[0].message.content


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"tools": [{"type": "function", "function": {"name": "look"}}]}, "tools: a model that amends loads itself"),
        ({"stop": ["."], "n": 2}, "stop, n: "),
        ({"temperature": 3}, "temperature: input should be less than or equal to 2"),
        ({"max_tokens": 90, "messages": [{"role": "user", "content": "word " * 150}]}, "leaves 13 of 200"),
        ({"messages": [{"role": "tool", "content": "sunny", "tool_call_id": "1"}, *HELLO]}, "turns of system, user"),
        ({"messages": [*HELLO, {"role": "assistant", "content": ""}]}, None),
    ],
)
def test_what_it_cannot_be_asked_is_refused(server: Guided, more: dict[str, Any], said: str | None) -> None:
    if said is None:
        assert ask(server, **more).choices
        return
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError, match=said):
            ask(server, stream=stream, **more)


def test_another_model_is_not_answered_for(server: Guided) -> None:
    with pytest.raises(openai.NotFoundError, match="name 'tiny'"):
        ask(server, model="other")
