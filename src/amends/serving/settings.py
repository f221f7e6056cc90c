"""How the guided server behaves: whom it answers, what it adds, and its limits."""

from typing import Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from amends.settings import Settings

Reminding = Literal["on", "off", "per-request"]
Refusing = Literal["nothing", "harmful", "unscored"]


class ServeSettings(Settings):
    """A guided server. The limits are for one machine that answers a team; each can be raised."""

    host: str = Field(default="127.0.0.1", description="The address to listen at; 0.0.0.0 is all of this machine's.")
    port: int = Field(default=8000, ge=0, le=65_535, description="The port to listen at; 0 takes a free one.")
    without_keys: bool = Field(
        default=False, description="Answer other machines without keys. Else AMENDS_SERVE_KEYS has to name some."
    )
    reminder: Reminding = Field(
        default="on",
        description="Whether the model is reminded: always, never, or as each request says (on unless it says off).",
    )
    refuse: Refusing = Field(
        default="nothing",
        description="Answers that are not sent: none, those that the judge calls harmful, or the unscored ones too. "
        "A streamed answer is then sent when it is whole.",
    )
    refusal: str = Field(
        default="I'm sorry, but I can't help with that.", description="What is sent in the place of such an answer."
    )
    max_body_bytes: int = Field(default=1_048_576, ge=1_024, description="Bytes of a request at most.")
    max_tokens: int | None = Field(
        default=None,
        ge=1,
        description="Tokens of an answer at most. Without it 1024 of a model that is served here, and the upstream's "
        "own limit.",
    )
    max_active: int = Field(
        default=64, ge=1, description="Requests that the upstream answers at once; a model served here answers one."
    )
    max_waiting: int = Field(default=64, ge=0, description="Requests that wait for their turn; more get a 429.")
    max_of_one_key: int = Field(
        default=32, ge=1, description="Open requests of one key, so that no client takes all turns; more get a 429."
    )
    max_connections: int = Field(default=1_024, ge=1, description="Connections at once; more get a 503.")
    wait_seconds: float = Field(default=30.0, gt=0, description="Seconds after which a waiting request gets a 429.")
    stall_seconds: float = Field(
        default=30.0, gt=0, description="Seconds that a client may neither send nor read; then it is cut off."
    )
    upstream_seconds: float = Field(default=600.0, gt=0, description="Seconds that the upstream may be silent.")
    shutdown_seconds: int = Field(default=30, ge=0, description="Seconds that open answers have at the end.")

    @model_validator(mode="after")
    def _words_of_a_refusal(self) -> "ServeSettings":
        if self.refusal != type(self).model_fields["refusal"].default and self.refuse == "nothing":
            raise PydanticCustomError("refusal", "refusal: no answer is refused; name refuse too, or leave it out")
        return self
