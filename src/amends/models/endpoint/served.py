"""Whether a server has the model that it is asked for, or answers by another one in its place."""

from amends.models.base import SHORT
from amends.models.endpoint.connection import Connection

NO_MODEL = "no-model-has-this-name"


async def served_instead(connection: Connection) -> list[str]:
    """The models that a server has in the place of the one that it is asked for; none where it may have that one.

    Some servers answer by what they have, whatever name they are asked for (llama.cpp's). Others know more names than
    they list (deployments, tags); such a one refuses a name that nobody gave to a model.
    """
    names = await connection.models()
    if not names or any(name.partition(":")[0] == connection.model or name == connection.model for name in names):
        return []
    messages = [message.model_dump() for message in SHORT.messages]
    answers = await connection.answers({"model": NO_MODEL, "messages": messages, "max_tokens": 1})
    return names if answers else []
