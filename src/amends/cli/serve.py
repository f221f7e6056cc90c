"""`amends serve`: the guided server."""

from importlib.util import find_spec
from typing import Annotated

import typer

from amends.cli import options
from amends.errors import InputError
from amends.serving.settings import ServeSettings

NEEDED = ("fastapi", "uvicorn", "httpx2", "prometheus_client")


def serve(
    *,
    model: Annotated[
        str | None, typer.Argument(help="A run directory, `embedded`, a model directory or a hub id.")
    ] = None,
    adapter: options.Adapter = None,
    method: Annotated[str | None, typer.Option("--method", help="Of a run: the method that is served.")] = None,
    upstream: Annotated[
        str | None,
        typer.Option("--upstream", help="The OpenAI-compatible server that has the model, such as `vllm serve`."),
    ] = None,
    system_prompt: options.SystemPrompt,
    guide: Annotated[
        str | None, typer.Option("--guide", help="The reminder; by default the run's, else `reminder`.")
    ] = None,
    spoken: options.Spoken,
    judge: Annotated[
        str | None, typer.Option("--judge", help="Gives a verdict on each answer: a name as of `amends judge`.")
    ] = None,
    settings: ServeSettings,
) -> None:
    """Serve a model with the reminder and the system prompt that it was measured with, as OpenAI's interface.

    Of a run, or an adapter in one, reminder and system prompt are the run's. Keys of clients come from
    AMENDS_SERVE_KEYS, and the upstream's from OPENAI_API_KEY.

    Example: amends serve runs/mine --upstream http://localhost:8000/v1 --port 9000 --judge probe
    """
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise InputError(f"amends serve needs {', '.join(missing)}; install them: pip install 'amends[serve]'")
    from amends.judges.load import load_judge
    from amends.pipeline.deployment import deployment_of
    from amends.reporting.console import Console
    from amends.serving.guided import serve as serve_guided

    deployment = deployment_of(
        model, adapter, method, system_prompt, guide, spoken.language, spoken.guides_file, weights=upstream is None
    )
    language = spoken.load()
    judging = load_judge(judge, language) if judge else None
    serve_guided(deployment, settings, Console().say, language, upstream, judging)
