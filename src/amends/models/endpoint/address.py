"""The address of an OpenAI-compatible server: mended where it can only mean one thing, its secrets kept apart."""

import base64
import re
from dataclasses import dataclass, field, replace
from typing import Annotated, Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from pydantic import PlainSerializer

from amends.errors import InputError
from amends.models.endpoint.options import EndpointOptions, read_options

PREFIX = "endpoint:"
ASKED, LISTED = "/chat/completions", "/models"
_NAME = re.compile(r"\s*(?P<model>\S(?:.*?\S)??)\s*@\s*(?P<address>https?://.*)", re.IGNORECASE | re.DOTALL)
_TAIL = re.compile(r"(?:/+|(?:/chat)?/completions)\Z", re.IGNORECASE)
_VERSION = re.compile(r"/v\d+\w*(?:/|\Z)")
_SECRETS = re.compile(r"(https?://)(?:[^\s/?#]*@)?([^\s?#]*)(?:\?[^\s#]*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Address:
    """Where and how a server is asked. Only `url` and `options` may be shown, hashed or written.

    `login`, user and password, and `query`, what stands behind `?`, are sent with each request.
    """

    url: str
    login: tuple[str, str] | None = field(default=None, repr=False)
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    options: EndpointOptions = field(default=EndpointOptions(), repr=False)

    @property
    def identity(self) -> str:
        """The address for fingerprints: one without a path is that with `/v1`, which is tried where none answers."""
        return self.url if urlsplit(self.url).path else f"{self.url}/v1"

    @property
    def with_version(self) -> "Address | None":
        """The same with `/v1`; None where it has a version."""
        if _VERSION.search(urlsplit(self.url).path):
            return None
        return replace(self, url=f"{self.url}/v1")

    def without_secrets(self, text: str) -> str:
        """The text with `[key]` for what of this address is secret, as it is and as it is sent."""
        secrets = [value for _, value in self.query]
        if self.login:
            user, password = self.login
            secrets += [password or user, base64.b64encode(f"{user}:{password}".encode()).decode()]
        for secret in sorted({form for one in secrets for form in (one, quote(one, safe=""))}, key=len, reverse=True):
            text = text.replace(secret, "[key]") if secret else text
        return text


def read_address(text: str) -> Address:
    """An address without what is asked there (`/chat/completions`) and blanks; its options stand behind a `#`.

    Raises InputError, which does not repeat it, where it is none.
    """
    try:
        text.encode()  # bytes of a command line that are no UTF-8 could be neither sent nor hashed
        parts = urlsplit(text.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or re.search(r"\s", text.strip()) or parts.scheme not in ("http", "https"):
        raise InputError(
            "an endpoint's address begins with http:// or https:// and a host, as http://localhost:8000/v1, in UTF-8"
        )
    path = parts.path
    while found := _TAIL.search(path):
        path = path[: found.start()]
    place = (f"[{host}]" if ":" in host else host) + (f":{port}" if port is not None else "")
    named = parts.username is not None or parts.password is not None
    login = (unquote(parts.username or ""), unquote(parts.password or "")) if named else None
    url, query = f"{parts.scheme}://{place}{path}", tuple(parse_qsl(parts.query, keep_blank_values=True))
    return Address(url, login, query, read_options(parts.fragment, url))


def read_endpoint(name: str) -> tuple[str, Address]:
    """Model and address of `endpoint:MODEL@URL`. Raises InputError, without secrets, where it is not of this form."""
    found = _NAME.fullmatch(name.removeprefix(PREFIX))
    if not found or re.search("[\ud800-\udfff]", found["model"]):
        shown = re.sub(r"[^@/]*:[^@/]*@|\?.*", "...", name.removeprefix(PREFIX), flags=re.DOTALL)
        raise InputError(
            f"'{PREFIX}{shown}': write it as endpoint:MODEL@URL, as in endpoint:judge@http://localhost:8000/v1"
        )
    return found["model"], read_address(found["address"])


def without_secrets(value: Any) -> Any:
    """Settings as files and messages may have them: addresses of endpoints in them, however deep, without secrets."""
    if isinstance(value, dict):
        return {key: without_secrets(one) for key, one in value.items()}
    if isinstance(value, list):
        return [without_secrets(one) for one in value]
    if not isinstance(value, str) or not value.startswith(PREFIX):
        return value
    try:
        model, address = read_endpoint(value)
    except InputError:
        return f"{PREFIX}..."
    return f"{PREFIX}{model}@{address.url}{address.options}"


def text_without_secrets(text: str) -> str:
    """A text, such as a command line, without user, password and query of the addresses in it.

    Example:
        >>> text_without_secrets("judge=endpoint:m@https://me:word@host/v1?key=a#seed=false")
        'judge=endpoint:m@https://host/v1#seed=false'
    """
    return _SECRETS.sub(r"\1\2", text)


WITHOUT_SECRETS = PlainSerializer(without_secrets, when_used="json")


Endpoint = Annotated[str, WITHOUT_SECRETS]
"""A name that may be endpoint:MODEL@URL: written without passwords and keys."""
