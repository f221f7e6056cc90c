"""A guided server from its parts: a deployment, an upstream or a model, and a judge."""

from collections.abc import Callable, Iterator

from fastapi import FastAPI

from amends.errors import InputError
from amends.judges.base import PLAIN, Judge
from amends.judges.rows import score_rows
from amends.models.base import SHORT, Model
from amends.models.endpoint.address import Address, read_address
from amends.pipeline.deployment import Deployment
from amends.prompts import Language
from amends.prompts.fitting import check_guides
from amends.serving.additions import Additions
from amends.serving.app import build_app
from amends.serving.keys import Keys
from amends.serving.local import DEFAULT_TOKENS, Local
from amends.serving.metrics import Metrics
from amends.serving.server import listen, run_server
from amends.serving.settings import ServeSettings
from amends.serving.upstream import Upstream
from amends.serving.verdicts import Verdicts


def serve(
    deployment: Deployment,
    settings: ServeSettings,
    say: Callable[[str], None],
    language: Language,
    upstream: str | None = None,
    judge: Judge | None = None,
) -> None:
    """Serves until it is told to stop.

    Args:
        deployment: the model, and what was said to it when it was measured.
        settings: of the server.
        say: takes news, a line each.
        language: of the texts, for what is to be said of the judge.
        upstream: the address of an OpenAI-compatible server that has the model; without it, it is loaded here.
        judge: gives a verdict on each answer.

    Raises:
        InputError: the port is taken, the upstream does not answer or stream, or settings do not go together.
        ModelError: the model cannot be loaded, or has no place for the reminder.
    """
    if settings.refuse != "nothing" and judge is None:
        raise InputError("--refuse: no judge says which answers are harmful; name one with --judge")
    keys = Keys.of_environment()
    address = read_address(upstream) if upstream else None
    backend: Upstream | Local
    if address:
        backend = Upstream(address, settings.upstream_seconds)
        _check_upstream(deployment)
    else:
        model = deployment.local
        _check_model(model, deployment, judge)
        backend = Local(model, deployment.name, deployment.prefill, deployment.sampling)
        settings = settings.model_copy(update={"max_tokens": settings.max_tokens or DEFAULT_TOKENS})
    with listen(settings, keys) as listening:
        if judge:
            judge.check()
            # Its weights load now: torch's precision is one for all threads, and loading changes it for a moment.
            score_rows(judge, ["a plain answer"], [PLAIN])

        def app() -> FastAPI:
            metrics = Metrics()
            verdicts = Verdicts(judge, settings.refuse, metrics) if judge else None
            additions = Additions(deployment.guide, deployment.system_prompt)
            return build_app(backend, additions, settings, keys, verdicts, metrics)

        for line in _remarks(deployment, settings, judge, language):
            say(line)
        run_server(app, backend, settings, listening, _title(deployment, settings, keys, address))


def _check_upstream(deployment: Deployment) -> None:
    if deployment.prefill:
        raise InputError(
            f"{deployment.method}: opens its answers with {deployment.prefill!r}, which an upstream is not told; serve "
            "it without --upstream"
        )


def _check_model(model: Model, deployment: Deployment, judge: Judge | None) -> None:
    """Refuses what the chat template has no place for; loads no weights."""
    model.check(SHORT)
    check_guides({"reminder": ([deployment.guide], model)})
    if judge and judge.asks and judge.asks.identity == model.identity:
        raise InputError(f"judge {judge.asks.name} is the model that is served; name another")


def _remarks(deployment: Deployment, settings: ServeSettings, judge: Judge | None, language: Language) -> Iterator[str]:
    """What is added, and what is to be known of the judge."""
    if settings.reminder != "off":
        places = (("system turn", deployment.guide.system), ("behind the user's turn", deployment.guide.suffix))
        yield from (f"reminder, {place}: {words}" for place, words in places if words)
    if deployment.system_prompt:
        yield f"system prompt, where a conversation has none: {deployment.system_prompt.strip()}"
    if judge:
        yield f"judge of each answer: {judge.name}; not sent: {settings.refuse}"
        yield from judge.remarks(language)


def _title(deployment: Deployment, settings: ServeSettings, keys: Keys, address: Address | None) -> str:
    what = f"the models of {address.url}" if address else deployment.name
    return f"serving {what}, reminder {settings.reminder}, keys: {len(keys) or 'none'},"
