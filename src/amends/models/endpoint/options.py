"""What is told of a server behind its address, as in endpoint:MODEL@URL#requests=32,reasoning_effort=low."""

from typing import Any, ClassVar

from pydantic import Field

from amends.errors import ConfigError, InputError
from amends.settings import Settings


class EndpointOptions(Settings):
    """How a server is asked: NAME=VALUE behind a `#`, with commas between several.

    All but those of `here` are sent with each request, by their names.
    """

    requests: int | None = Field(
        default=None, ge=1, le=4096, description="Requests in flight at once; else AMENDS_REQUESTS says it, or 16."
    )
    request_seconds: float | None = Field(
        default=None,
        gt=0,
        le=86_400,
        description="Seconds that one request may take; else AMENDS_REQUEST_SECONDS says it, or 60.",
    )
    reasoning_effort: str | None = Field(
        default=None, description="How long a model that reasons may do so, in the server's words, such as `low`."
    )

    here: ClassVar[tuple[str, ...]] = ("requests", "request_seconds")
    """Those that change nothing that a server is told."""

    @property
    def sent(self) -> dict[str, Any]:
        """What stands in each request."""
        return self.model_dump(exclude_none=True, exclude=set(self.here))

    def __str__(self) -> str:
        """As they are written; nothing where there are none."""
        given = self.model_dump(exclude_none=True)
        return "#" + ",".join(f"{name}={value}" for name, value in given.items()) if given else ""


def read_options(text: str, url: str) -> EndpointOptions:
    """The options behind an address. Raises InputError, with the nearest name, for what is none."""
    if "=" not in text:  # the fragment of an address that was copied
        return EndpointOptions()
    pairs = (one.partition("=") for one in text.split(","))
    try:
        return EndpointOptions.model_validate({name.strip(): value.strip() for name, _, value in pairs})
    except ConfigError as error:
        raise InputError("\n".join(f"{url}: option {problem}" for problem in error.problems)) from None
