"""`transformers serve` as the model and as an upstream: a server that is not amends's own, with a real client."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from guided_server import guided

from amends.errors import ModelError
from amends.models.base import Prompt, Sampling
from amends.models.endpoint.model import EndpointModel
from amends.models.hf import LocalModel
from amends.prompts import UNGUIDED
from tiny import tiny_model
from tiny_tokenizer import tiny_tokenizer

GREEDY = Sampling(max_new_tokens=8, temperature=0.0)


class Served(NamedTuple):
    """A model, and the address that it is served at."""

    model: str
    url: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    pytest.importorskip("uvicorn")
    directory = tmp_path_factory.mktemp("served")
    model = str(tiny_model(directory / "model", tokenizer=tiny_tokenizer()))
    (directory / "hub").mkdir()  # without a cache of the hub it lists no models
    away = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_CACHE": str(directory / "hub")}
    program = "from transformers.cli.transformers import main; main()"
    command = [sys.executable, "-c", program, "serve", model, "--device", "cpu", "--host", "127.0.0.1", "--port", "0"]
    with subprocess.Popen(
        command, env=os.environ | away, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr
        said, found = "", None
        for line in server.stderr:  # which ends with the server
            said += line
            if found := re.search(r"running on (http://127\.0\.0\.1:\d+)", line):
                break
        if not found:
            pytest.skip(f"transformers serve does not start: {said[-500:]}")
        try:
            yield Served(model, f"{found[1]}/v1")
        finally:
            server.kill()


def test_it_answers_as_the_model_does_here(served: Served) -> None:
    prompts = [UNGUIDED.prompt(text) for text in ("Name a colour.", "Why is the sky blue?")]
    there = EndpointModel(served.model, served.url)
    here = LocalModel(served.model)
    try:
        assert there.generate(prompts, GREEDY, 0) == here.generate(prompts, GREEDY, 0)
        with pytest.raises(ModelError, match=r"does not go on with the first words of an answer .*Unexpected fields"):
            there.check(Prompt(prompts[0].messages, prefill="Sure"))
    finally:
        there.release()


def test_it_is_an_upstream_of_the_guided_server(served: Served) -> None:
    asked: Any = [{"role": "user", "content": "Name a colour."}]
    told: dict[str, Any] = {"model": served.model, "messages": asked, "max_tokens": 8, "temperature": 0}
    with guided(served.url, reminder="per-request") as server:
        create = server.client.chat.completions.create
        unguided, whole = (
            create(**told, extra_headers={"X-Amends-Reminder": how}).choices[0].message.content for how in ("off", "on")
        )
        events = list(create(**told, stream=True, extra_headers={"X-Amends-Reminder": "on"}))
    assert "".join(one.choices[0].delta.content or "" for one in events) == whole
    assert events[-1].choices[0].finish_reason in ("length", "stop")
    here = LocalModel(served.model).generate([UNGUIDED.prompt("Name a colour.")], GREEDY, 0)
    assert unguided is not None and unguided.strip() == here[0].text != whole
