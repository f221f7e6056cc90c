"""A judge by its name in a configuration or on the command line."""

from amends.errors import InputError
from amends.judges.guard import GuardJudge
from amends.judges.language_model import EndpointModel, LanguageModelJudge
from amends.judges.probe import ProbeJudge
from amends.models.local import LocalModel
from amends.protocols import Judge

ENDPOINT, LOCAL, GUARD = "endpoint:", "local:", "guard:"


def load_judge(name: str) -> Judge:
    """`probe`, `gate` or a probe file; `endpoint:MODEL@URL`; `local:MODEL`; `guard:MODEL`. Raises InputError for others.

    An endpoint's key is taken from the environment (OPENAI_API_KEY), and is neither logged nor stored.
    """
    if name.startswith(ENDPOINT):
        model, separator, url = name.removeprefix(ENDPOINT).rpartition("@")
        if not separator or not model or not url.startswith(("http://", "https://")):
            raise InputError(
                f"judge {name!r}: write it as endpoint:MODEL@URL, as in endpoint:judge@http://localhost:8000/v1"
            )
        return LanguageModelJudge(EndpointModel(model, url))
    if name.startswith(LOCAL):
        return LanguageModelJudge(LocalModel(name.removeprefix(LOCAL)))
    if name.startswith(GUARD):
        return GuardJudge(name.removeprefix(GUARD))
    return ProbeJudge(name)
