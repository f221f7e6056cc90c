"""What the server adds to a conversation: system prompt and reminder, in the places where they were measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from amends.prompts import UNGUIDED, Guide
from amends.serving.refusals import bad_request

Turn = Mapping[str, Any]
"""A message of OpenAI's interface: its content is a text, or a list of parts."""
SYSTEM = ("system", "developer")


@dataclass(frozen=True)
class Additions:
    """The words of guided inference, as `Guide.prompt` puts them, over messages of OpenAI's interface.

    Messages have more there than in a run: parts with images, and turns of tools. The reminder stands behind the words
    of the last turn of the user, wherever that is.
    """

    guide: Guide = UNGUIDED
    system_prompt: str | None = None

    def added_to(self, messages: Sequence[Turn], guided: bool) -> list[Turn]:
        """The conversation with the additions. Raises Refused (400) where it has no place for the reminder.

        Example:
            >>> kind = Additions(Guide(name="kind", suffix="Be kind."))
            >>> kind.added_to([{"role": "user", "content": "Hi."}], True)[0]["content"]
            'Hi.\\n\\nBe kind.'
        """
        turns = list(messages)
        has_system = turns[0]["role"] in SYSTEM
        if guided and self.guide.system:
            own = turns.pop(0) if has_system else {"role": "system", "content": ""}
            turns.insert(0, _with(own, self.guide.system))
            has_system = True
        if guided and self.guide.suffix:
            place = next((place for place in reversed(range(len(turns))) if turns[place]["role"] == "user"), None)
            if place is None:
                raise bad_request("the conversation has no turn of the user to put the reminder behind; add one")
            turns[place] = _with(turns[place], self.guide.suffix)
        if self.system_prompt and not has_system:
            turns.insert(0, {"role": "system", "content": self.system_prompt.strip()})
        return turns


def _with(turn: Turn, words: str) -> Turn:
    """The turn with words behind its last text."""
    content = turn.get("content")
    if not isinstance(content, list):
        return {**turn, "content": f"{content}\n\n{words}" if content else words}
    parts = list(content)
    place = next((place for place in reversed(range(len(parts))) if parts[place].get("type") == "text"), None)
    if place is None:
        return {**turn, "content": [*parts, {"type": "text", "text": words}]}
    parts[place] = {**parts[place], "text": f"{parts[place].get('text', '')}\n\n{words}"}
    return {**turn, "content": parts}
