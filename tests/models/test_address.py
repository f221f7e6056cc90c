"""Addresses of servers are mended where they can only mean one thing, and their secrets stay out of what is kept."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from amends.errors import InputError
from amends.judges.load import load_judge
from amends.models.endpoint.address import read_address, read_endpoint, without_secrets
from amends.models.endpoint.model import EndpointModel
from amends.models.load import load_model
from conftest import CONFIGS
from local_server import Server


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://h:8000/v1", "http://h:8000/v1"),
        ("http://h:8000/v1/", "http://h:8000/v1"),
        (" http://h:8000/v1 ", "http://h:8000/v1"),
        ("http://h/v1/chat/completions", "http://h/v1"),
        ("http://h/v1/chat/completions/", "http://h/v1"),
        ("http://h/v1/completions", "http://h/v1"),
        ("http://h/v1#top", "http://h/v1"),
        ("HTTP://H/v1", "http://h/v1"),
        ("http://[::1]:80/v1", "http://[::1]:80/v1"),
        ("https://user:secret@h/v1?key=secret", "https://h/v1"),
    ],
)
def test_an_address_is_mended(text: str, url: str) -> None:
    address = read_address(text)
    assert address.url == url
    assert "secret" not in f"{address!r}{address}{address.identity}"


@pytest.mark.parametrize(
    "text",
    [
        *("http://", "http://h:port/v1", "http://h:99999/v1", "http://a b/v1", "ftp://h", "h:8000"),
        *("http://me:w\udcfb@h/v1", "http://h/v1?key=\udcfb"),
    ],
)
def test_what_is_no_address_is_explained(text: str) -> None:
    with pytest.raises(InputError, match="begins with http:// or https:// and a host"):
        read_address(text)


def test_a_model_whose_name_is_no_text_is_refused() -> None:
    with pytest.raises(InputError, match="write it as endpoint:MODEL@URL"):
        read_endpoint("endpoint:m\udcfb@http://h/v1")


def test_login_and_query_are_kept_apart() -> None:
    model, address = read_endpoint("endpoint:org/m@2 @ https://us%40er:se%2Fcret@h/v1?api-version=1&key=abcd")
    assert (model, address.login) == ("org/m@2", ("us@er", "se/cret"))
    assert dict(address.query) == {"api-version": "1", "key": "abcd"}
    assert address.without_secrets("it says se/cret, se%2Fcret, abcd") == "it says [key], [key], [key]"


@pytest.mark.parametrize(
    "name", ["endpoint:m@user:secret@h/v1", "endpoint:m@h/v1?key=secret", "endpoint:user:secret@h"]
)
def test_a_name_that_is_none_is_said_without_its_password(name: str) -> None:
    with pytest.raises(InputError, match="write it as endpoint:MODEL@URL") as error:
        read_endpoint(name)
    assert "secret" not in str(error.value)


def test_settings_are_written_without_secrets() -> None:
    name = "endpoint:m@http://user:secret@h/v1?key=secret"
    settings = {"judge": name, "variants": {"a": {"gate": [name]}}, "model": "embedded", "seed": 1}
    shown = "endpoint:m@http://h/v1"
    assert without_secrets(settings) == settings | {"judge": shown, "variants": {"a": {"gate": [shown]}}}


def test_one_server_has_one_fingerprint() -> None:
    """Or a judge could be the model that it judges, by another address."""
    forms = ("http://h/v1", "http://h", "http://h/", "http://H/v1/chat/completions", "http://user:secret@h/v1?key=1")
    assert len({load_model(f"endpoint:m@{form}").fingerprint for form in forms}) == 1


def test_a_run_writes_no_password_of_its_judge(tmp_path: Path) -> None:
    """And asks it with that password, of variants too."""
    from amends.config.reading import load_configuration
    from amends.config.settings import variants

    name = "endpoint:m@http://user:secret@h/v1?key=secret"
    told = [f"judge={name}", f"analyze.source={name}", "analyze.guides=[told-suffix]", "variants.a.analyze.attempts=2"]
    configuration = load_configuration(CONFIGS / "quickstart.yaml", [*told, f"variants.b.analyze.source={name}"])
    assert "secret" not in json.dumps(configuration.run_facts())
    for one in (configuration, *variants(configuration).values()):
        assert (one.judge, one.analyze.source) == (name, name)


def test_options_stand_behind_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMENDS_REQUESTS", "24")
    name = "endpoint:m@http://me:secret@h/v1?key=secret#requests=3,reasoning_effort=low"
    model, plain, fewer = (
        load_model(one) for one in (name, "endpoint:m@http://h/v1", "endpoint:m@http://h/v1#requests=3")
    )
    assert isinstance(model, EndpointModel) and isinstance(plain, EndpointModel)
    assert (model.at_once, plain.at_once) == (3, 24)
    assert fewer.fingerprint == plain.fingerprint, "it changes no answer"
    assert model.fingerprint != plain.fingerprint and model.identity == plain.identity
    assert without_secrets(name) == "endpoint:m@http://h/v1#requests=3,reasoning_effort=low"
    assert read_endpoint(without_secrets(name))[1].options == read_endpoint(name)[1].options


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("reqests=3", r"^http://h/v1: option reqests: unknown key; did you mean 'requests'\?$"),
        ("requests=many", r"^http://h/v1: option requests: input should be a valid integer"),
        ("requests=0,request_seconds=-1", r"requests: .*\n.*request_seconds: "),
    ],
)
def test_options_that_are_none_are_refused(options: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        load_model(f"endpoint:m@http://me:secret@h/v1#{options}")
    assert "secret" not in str(refused.value)


def test_a_server_is_told_its_options(serve: Callable[..., Server]) -> None:
    told = []
    server = serve(lambda question, request: told.append(request.get("reasoning_effort")) or (200, "Yes."))
    for options in ("#reasoning_effort=low,requests=1", ""):
        load_judge(f"endpoint:m@{server.url}{options}").score([("Hello?", "Hi.")])
    assert told == ["low", None]
