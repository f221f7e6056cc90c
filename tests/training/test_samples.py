"""From samples to token ids with the embedded model's own tokenizer: what carries loss."""

from typing import Any

import pytest

from amends.errors import SampleError
from amends.models.chat import plain
from amends.models.loading import find_model, load_tokenizer
from amends.prompts import english
from amends.records import Message, Sample
from amends.training.tokenize import NO_LOSS, tokenize_sample
from conversations import turns

MISTAKE = "Use a bump key while everybody sleeps."
ANALYSIS = "The response is harmful because it helps with a burglary."


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_tokenizer(find_model("embedded"))


def sample(prompt: str, completion: str, kind: str = "safe", system: str | None = None) -> Sample:
    turns = [Message(role="system", content=system)] if system else []
    return Sample(
        id=f"{kind}-{len(prompt)}-{len(completion)}",
        kind=kind,
        prompt=[*turns, Message(role="user", content=prompt)],
        completion=[Message(role="assistant", content=completion)],
    )


ANALYSIS_SAMPLE = sample(english().analysis_question("How do I pick a lock?", MISTAKE), ANALYSIS, "analysis")
SEVERAL = Sample(
    id="several",
    kind="safe",
    prompt=[Message.model_validate(turn) for turn in turns("Hi.", MISTAKE, "Really?", system="You are terse.")],
    completion=[Message(role="assistant", content="No; ask them.")],
)
SAMPLES = [
    sample("Name a colour.", "Blue."),
    sample("Say hi\n\nin two lines", "Hello\n\nthere 😀"),
    sample("Grüße?", "Ja, schöne Grüße aus Köln.", "benign"),
    sample("Name a colour.", "Red.", system="You are terse."),
    sample("What ends a turn?", "A token such as <|im_end|> does.", "benign"),
    ANALYSIS_SAMPLE,
    SEVERAL,
]


@pytest.mark.parametrize("one", SAMPLES, ids=lambda one: one.id)
def test_the_last_trained_token_ends_the_turn_and_nothing_follows_it(tokenizer: Any, one: Sample) -> None:
    """Invariant 3: a model that never sees the end inside the loss never learns to stop."""
    tokens = tokenize_sample(one, tokenizer)
    assert tokenizer.convert_ids_to_tokens(tokens.labels[-1]) == "<|im_end|>"
    assert tokens.labels[-1] == tokens.input_ids[-1] == tokenizer.eos_token_id
    assert len(tokens.labels) == len(tokens.input_ids)


@pytest.mark.parametrize("one", SAMPLES, ids=lambda one: one.id)
def test_loss_is_on_the_completion_alone(tokenizer: Any, one: Sample) -> None:
    tokens = tokenize_sample(one, tokenizer)
    carrying = [label for label in tokens.labels if label != NO_LOSS]
    assert tokenizer.decode(carrying) == plain(one.completion[0].content, tokenizer) + "<|im_end|>"
    assert set(tokens.labels[: tokens.prompt_tokens]) == {NO_LOSS}
    assert tokens.labels[tokens.prompt_tokens :] == carrying == tokens.input_ids[tokens.prompt_tokens :]


@pytest.mark.parametrize("one", SAMPLES, ids=lambda one: one.id)
def test_the_prompt_is_what_inference_renders(tokenizer: Any, one: Sample) -> None:
    tokens = tokenize_sample(one, tokenizer)
    messages = [message.model_dump() for message in one.prompt]
    rendered = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert tokenizer.decode(tokens.input_ids[: tokens.prompt_tokens]) == rendered
    assert rendered.endswith("<|im_start|>assistant\n")


def test_a_mistake_carries_no_loss(tokenizer: Any) -> None:
    """Invariant 2: under mistake analysis the mistake sits in the prompt."""
    tokens = tokenize_sample(ANALYSIS_SAMPLE, tokenizer)
    trained = tokenizer.decode([label for label in tokens.labels if label != NO_LOSS])
    untrained = tokenizer.decode(tokens.input_ids[: tokens.prompt_tokens])
    assert MISTAKE in untrained
    assert MISTAKE not in trained
    assert trained == ANALYSIS + "<|im_end|>"


def test_earlier_turns_of_the_assistant_carry_no_loss(tokenizer: Any) -> None:
    """Invariant 2: a mistake that stands in the conversation is read, and not learnt."""
    tokens = tokenize_sample(SEVERAL, tokenizer)
    assert MISTAKE in tokenizer.decode(tokens.input_ids[: tokens.prompt_tokens])
    trained = [label for label in tokens.labels if label != NO_LOSS]
    assert tokenizer.decode(trained) == "No; ask them.<|im_end|>"


def test_control_phrases_carry_no_loss(tokenizer: Any) -> None:
    """Chain of Hindsight predicts answers, good and bad, and no feedback."""
    bad, good = english().template("hindsight_bad"), english().template("hindsight_good")
    tokens = tokenize_sample(sample("May I hit it?", f"{bad} Hit it.\n\n{good} No; be kind.", "hindsight"), tokenizer)
    trained = tokenizer.decode([label for label in tokens.labels if label != NO_LOSS])
    assert trained == " Hit it.\n\n No; be kind.<|im_end|>"
    assert tokenizer.decode(tokens.input_ids[tokens.prompt_tokens :]).startswith(bad)
    other = tokenize_sample(sample("May I hit it?", f"{good} No.", "safe"), tokenizer)
    assert tokenizer.decode(other.labels[other.prompt_tokens :]).startswith(good), "in this kind alone"


def test_a_template_that_renders_the_prompt_otherwise_is_refused(tokenizer: Any) -> None:
    from copy import deepcopy

    odd = deepcopy(tokenizer)
    odd.chat_template = (
        "{% if messages[-1].role == 'assistant' %}<|im_start|>answered{% endif %}"
        "{% for message in messages %}{{ message.content }}<|im_end|>{% endfor %}"
    )
    with pytest.raises(SampleError, match="sample safe-14-5: the chat template renders the prompt differently"):
        tokenize_sample(SAMPLES[0], odd)
