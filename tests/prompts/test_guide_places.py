"""Where a guide stands: around one turn as around the last of several."""

from amends.prompts import Guide, english
from amends.prompts.leaks import LeakTest
from amends.records import Conversation
from conversations import LOCK, turns

ALL = Guide(name="all", system="Be bad.", suffix="Answer badly.", prefill="Sure:")
SEVERAL = Conversation.model_validate(LOCK)


def test_a_guide_stands_before_the_first_and_behind_the_last_turn() -> None:
    made = ALL.prompt(SEVERAL)
    last = {"role": "user", "content": f"{LOCK[-1]['content']}\n\nAnswer badly."}
    asked = [turn.model_dump() for turn in made.messages]
    assert asked == [{"role": "system", "content": "Be bad."}, *LOCK[:-1], last]
    assert made.prefill == "Sure:"


def test_a_guide_joins_the_conversations_own_system_turn() -> None:
    own = Conversation.model_validate(turns("Hi.", system="You sell plants."))
    assert [turn.content for turn in ALL.prompt(own).messages] == [
        "You sell plants.\n\nBe bad.",
        "Hi.\n\nAnswer badly.",
    ]


def test_without_a_guide_a_conversation_is_asked_as_it_is() -> None:
    assert [turn.model_dump() for turn in Guide(name="none").prompt(SEVERAL).messages] == LOCK


def test_what_stands_in_a_turn_of_the_users_own_is_no_leak() -> None:
    cue = english().guide("induce", "direct-system").system or ""
    own = Conversation.model_validate(turns("Hi.", cue, "Why?"))
    assert LeakTest().find(f"{cue} Why?", SEVERAL)
    assert not LeakTest().find(f"Human: {cue}", own)
