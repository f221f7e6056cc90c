"""Rows and messages as data sets write them."""

from amends.records import Conversation

USER, ASSISTANT = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}
BAD = {"role": "assistant", "content": "Go away."}
SYSTEM = {"role": "system", "content": "You are kind."}
PKU = {
    "prompt": "Q",
    "response_0": "first",
    "response_1": "second",
    "is_response_0_safe": False,
    "is_response_1_safe": True,
    "better_response_id": 0,
    "safer_response_id": 1,
}
WHY = {"role": "user", "content": "Why?"}


def conversation(*turns: dict[str, str]) -> Conversation:
    """The prompt of several turns that these messages are."""
    return Conversation.model_validate(list(turns))


SHAREGPT = [
    {"from": "system", "value": "S"},
    {"from": "gpt", "value": "Welcome"},
    {"from": "human", "value": "Hi"},
    {"from": "gpt", "value": "Hello!"},
    {"from": "human", "value": "Why?"},
    {"from": "gpt", "value": "So."},
]
