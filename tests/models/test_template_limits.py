"""Chat templates that never end, or take all memory, are refused in a line, wherever they are rendered."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from amends.errors import ModelError
from amends.models import template_limits
from amends.models.loading import load_tokenizer
from amends.models.source import find_model
from amends.models.template_limits import refuse_endless
from tiny import tiny_model

LONG = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
ENDLESS = {
    "always": LONG,
    "where it opens an answer": f"{{% if add_generation_prompt %}}{LONG}{{% endif %}}",
    "before an answer": f"{{% if messages[-1].role == 'assistant' %}}{LONG}{{% endif %}}",
    "after a system turn": f"{{% if messages[0].role == 'system' %}}{LONG}{{% endif %}}",
    "all memory": "{% set n = namespace(x='aaaa') %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "one number": "{% set x = 10 ** (10 ** 9) %}",
}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_limits, "COMPUTING_SECONDS", 1)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("tiny") / "tiny")


@pytest.mark.parametrize("name", ENDLESS)
def test_a_template_that_does_not_end_is_refused(name: str, directory: Path) -> None:
    path = directory / "chat_template.jinja"
    usual = path.read_text()
    try:
        path.write_text(ENDLESS[name] + usual)
        with pytest.raises(ModelError, match="its chat template does not end: a short conversation took more than"):
            load_tokenizer(find_model(str(directory)))
    finally:
        path.write_text(usual)
    load_tokenizer(find_model(str(directory)))


def test_the_command_says_so_in_a_line(directory: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text('{"id": "a", "prompt": "Hi"}\n')
    path = directory / "chat_template.jinja"
    usual = path.read_text()
    try:
        for endless in (LONG, "{% for i in range(10**12) %}x{% endfor %}"):
            path.write_text(endless + usual)
            message = refused(
                "respond", "--model", str(directory), "--prompts", str(prompts), "--out", str(tmp_path / "out.jsonl")
            )
            assert message.startswith(f"{directory}: its chat template does not ")
            assert "\n" not in message
    finally:
        path.write_text(usual)


def test_it_holds_in_threads() -> None:
    found: list[BaseException] = []

    def work() -> None:
        try:
            refuse_endless("endless", lambda: [None for _ in iter(int, 1)])
        except ModelError as error:
            found.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(found) == 2


def test_what_ends_is_left_alone_whatever_it_raises() -> None:
    refuse_endless("text", lambda: "text")
    refuse_endless("zero", lambda: 1 / 0)


def test_what_ended_once_is_not_tried_again() -> None:
    refuse_endless("once", lambda: "text")
    refuse_endless("once", lambda: [None for _ in iter(int, 1)])
