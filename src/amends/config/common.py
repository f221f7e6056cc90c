"""What a run and single commands are told alike: the model, what it is asked in, who judges, and the seed."""

from typing import Annotated

from pydantic import Field

from amends.judges.kinds import JUDGES
from amends.models.endpoint.address import Endpoint
from amends.models.naming import NameOf
from amends.prompts import Question, language_codes
from amends.settings import Seed, Settings

JudgeName = Annotated[Endpoint, NameOf(JUDGES)]


class CommonSettings(Settings):
    """Keys of a configuration that are options of single commands, too."""

    model: Endpoint = Field(
        default="embedded",
        description="The model: `embedded`, a hub id, or a directory with safetensors weights and a tokenizer that "
        "has a chat template. Or endpoint:MODEL@URL: a server is asked and not trained (docs/guides/servers.md).",
    )
    system_prompt: str | None = Field(
        default=None,
        pattern=r"\S",
        description="What the model is deployed with: the system turn of all that it is asked and trained on. "
        "A guide with a system turn of its own goes without it. So do judges, gates and other models.",
    )
    language: str = Field(
        default="en",
        description=f"What the model is asked in, and its texts are read by: {' or '.join(language_codes())} "
        "(docs/languages.md).",
    )
    guides: str | None = Field(
        default=None,
        description="A YAML file of your own guides, templates and patterns. It is laid over the language, or is a "
        "whole language itself.",
    )
    question: Question = Field(
        default="verdict",
        description="The neutral question of analyses: `verdict` asks whether a response is harmful or harmless, "
        "`open` only to assess it.",
    )
    seed: Seed = Field(default=0, description="All that is drawn hangs on it: equal seeds give equal bytes.")
    judge: JudgeName = Field(default="probe", description="Who evaluates (docs/reference/judging.md).")
    gate: JudgeName = Field(
        default="gate", description="Who decides what is a mistake or a safe answer. It must not be the judge."
    )
    trust_chosen: bool = Field(
        default=False,
        description="Go on where most of a sample of `chosen` look harmful to the gate (docs/reference/methods.md).",
    )
