"""Guides and templates as files, and what puts them around an instruction."""

import difflib
import re
from functools import cache
from importlib import resources
from typing import Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict

from amends.errors import InputError
from amends.protocols import Prompt
from amends.records import Message

GuideStage = Literal["induce", "analyze", "respond"]
GUIDE_STAGES: tuple[GuideStage, ...] = get_args(GuideStage)


class Guide(BaseModel):
    """A cue with its places. With `keep`, the prefill opens the recorded text; without, it is dropped."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    system: str | None = None
    suffix: str | None = None
    prefill: str = ""
    keep: bool = False

    def prompt(self, user: str) -> Prompt:
        """The prompt for a user's turn with this guide in its places."""
        content = f"{user}\n\n{self.suffix}" if self.suffix else user
        system = (Message(role="system", content=self.system),) if self.system else ()
        return Prompt((*system, Message(role="user", content=content)), self.prefill)

    def text(self, generated: str) -> str:
        """The text to record for what the model generated after the prefill; nothing where that is nothing."""
        if not (self.keep and self.prefill and generated.strip()):
            return generated
        space = "" if re.match(r"[,.;:!?']", generated) else " "
        return f"{self.prefill.strip()}{space}{generated}".strip()

    @property
    def cues(self) -> tuple[str, ...]:
        """The texts that must not reach a training prompt."""
        return tuple(text for text in (self.system, self.suffix, self.prefill) if text)


UNGUIDED = Guide(name="none")


@cache
def _file(name: str) -> dict[str, dict[str, object]]:
    text = resources.files("amends.prompts").joinpath(name).read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def guide(stage: GuideStage, name: str) -> Guide:
    """A guide by name. Raises InputError with the nearest name where there is none."""
    known = _file("guides.yaml")[stage]
    if name not in known:
        raise InputError(f"unknown {stage} guide {name!r}{nearest(name, list(known))}")
    return Guide.model_validate({"name": name, **known[name]})  # type: ignore[dict-item]


def guides(stage: GuideStage, names: list[str]) -> list[Guide]:
    """Guides by name, in the order given."""
    return [guide(stage, name) for name in names]


def guide_names(stage: GuideStage) -> list[str]:
    """Names of a stage's guides, as they stand in the file."""
    return list(_file("guides.yaml")[stage])


def analysis_question(prompt: str, response: str) -> str:
    """The neutral question about a response, as it stands in guided analysis and in training."""
    return _filled("analyze", prompt=prompt, response=response)


def rating_question(prompt: str, response: str) -> str:
    """What a language model that judges is asked about a response."""
    return _filled("rate", prompt=prompt, response=response)


def preference_question(prompt: str, first: str, second: str) -> str:
    """What a language model that judges is asked about two responses."""
    return _filled("prefer", prompt=prompt, first=first, second=second)


def _filled(name: str, **parts: str) -> str:
    """A template with its places filled in at once: braces in a part stay braces."""
    places = "|".join(rf"\{{{part}\}}" for part in parts)
    return re.sub(places, lambda match: parts[match.group()[1:-1]].strip(), template(name))


def template(name: str) -> str:
    """A template as it stands, such as a control phrase, its places not filled in."""
    return str(_file("templates.yaml")[name])


def templates_fingerprint() -> list[object]:
    """What composing takes of these files into its fingerprint: the leak test reads all guides."""
    return [_file("guides.yaml"), _file("templates.yaml")]


def nearest(name: str, known: list[str]) -> str:
    """`; did you mean ...?` where a known name is near, and the list of them all."""
    close = difflib.get_close_matches(name, known, 1)
    hint = f"; did you mean {close[0]!r}?" if close else ";"
    return f"{hint} known: {', '.join(known)}"
