"""A guide: the cue that tells the model what to produce, and what puts it around an instruction."""

import re
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from amends.models.base import Prompt
from amends.records import Message, UserPrompt, messages_of
from amends.text.words import gap_after

GuideStage = Literal["induce", "analyze", "respond"]
GUIDE_STAGES: tuple[GuideStage, ...] = get_args(GuideStage)


def _no_empty_cue(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("empty", "is empty; write the cue, or leave this place out")
    return text


Cue = Annotated[str, AfterValidator(_no_empty_cue)]


class Guide(BaseModel):
    """A cue with its places. With `keep`, the prefill opens the recorded text; without, it is dropped."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    system: Cue | None = None
    suffix: Cue | None = None
    prefill: Cue = ""
    keep: bool = False

    @field_validator("keep")
    @classmethod
    def _something_to_keep(cls, keep: bool, others: ValidationInfo) -> bool:
        if keep and not others.data.get("prefill", "not read"):
            raise PydanticCustomError("keep", "keeps the prefill, and there is none")
        return keep

    def prompt(self, asked: UserPrompt) -> Prompt:
        """What a user asks with this guide in its places: behind the words of its system turn and of its last turn."""
        *before, last = messages_of(asked)
        if self.system:
            own = [before.pop(0).content] if before and before[0].role == "system" else []
            before = [Message(role="system", content="\n\n".join([*own, self.system])), *before]
        if self.suffix:
            last = Message(role="user", content=f"{last.content}\n\n{self.suffix}")
        return Prompt((*before, last), self.prefill)

    def text(self, generated: str) -> str:
        """The text to record for what the model generated after the prefill; nothing where that is nothing."""
        if not (self.keep and self.prefill and generated.strip()):
            return generated
        opening = self.prefill.strip()
        space = "" if re.match(r"[,.;:!?']", generated) else gap_after(opening)
        return f"{opening}{space}{generated}".strip()

    @property
    def cues(self) -> tuple[str, ...]:
        """The texts that must not reach a training prompt."""
        return tuple(text for text in (self.system, self.suffix, self.prefill) if text)


UNGUIDED = Guide(name="none")
