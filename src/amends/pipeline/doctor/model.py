"""A model as it is going to be asked and trained: its chat template there and back, what carries loss, its context."""

from collections.abc import Iterator

from amends.config.estimate import Rows
from amends.config.settings import Configuration
from amends.models.chat import render
from amends.models.configuration import read_configuration
from amends.models.hf import LocalModel
from amends.pipeline.doctor.finding import Finding
from amends.records import Message, Sample
from amends.training.tokenize import NO_LOSS, tokenize_sample

QUESTION, ANSWER = "Grüße, 你好: what is 1 + 1?\n\n    🙂", "It is 2."
"""A question with what tokenizers may lose: letters of other scripts, an indented line, a picture."""


def look_at_template(model: LocalModel) -> Iterator[Finding]:
    """Whether a conversation is the same when it has become tokens and text again, and what of it carries loss."""
    tokenizer = model.tokenizer
    prompt, completion = [Message(role="user", content=QUESTION)], [Message(role="assistant", content=ANSWER)]
    text = render([*prompt, *completion], tokenizer, False)
    ids = tokenizer(text, add_special_tokens=False).input_ids
    back = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    if back == text:
        yield Finding("chat template", "ok", f"{len(ids)} tokens become the same text again")
    else:
        lost = next((n for n, (a, b) in enumerate(zip(text, back, strict=False)) if a != b), min(len(text), len(back)))
        yield Finding(
            "chat template",
            "note",
            f"tokens become another text: {text[lost : lost + 12]!r} is {back[lost : lost + 12]!r}",
            "its tokenizer changes such texts, in training as in answers; look at some of its answers",
        )
    sample = tokenize_sample(Sample(id="look", kind="safe", prompt=prompt, completion=completion), tokenizer)
    target = [token for token in sample.labels if token != NO_LOSS]
    masked = all(label == NO_LOSS for label in sample.labels[: sample.prompt_tokens])
    trained = tokenizer.decode(target, clean_up_tokenization_spaces=False)
    answer = tokenizer.decode(tokenizer(ANSWER, add_special_tokens=False).input_ids).strip()
    right = masked and trained.strip().startswith(answer) and sample.labels[-1] != NO_LOSS
    said = f"loss on {trained!r} alone, {len(target)} of {len(sample.labels)} tokens"
    remedy = "" if right else "the answer and its end alone have to carry loss; report this with the model's name"
    yield Finding("mask", "ok" if right else "stop", said, remedy)


def look_at_lengths(configuration: Configuration, model: LocalModel, rows: dict[str, Rows]) -> Iterator[Finding]:
    """The longest texts beside what training takes, and beside the model's context. Tokens are guessed from bytes.

    Args:
        configuration: what is going to be run.
        model: who answers.
        rows: of each set, by its key.
    """
    training = max((one.longest_tokens for name, one in rows.items() if not name.startswith("suites.")), default=0)
    limit = configuration.train.max_length
    yield Finding("longest training row", "ok", f"about {training} tokens, of train.max_length {limit}")
    context = getattr(read_configuration(model.source).get_text_config(), "max_position_embeddings", None)
    if not context:
        return
    longest = max(one.longest_tokens for one in rows.values())
    wanted = longest + configuration.respond.max_new_tokens
    found = f"{context} tokens; the longest row and its answer want about {wanted}"
    if wanted <= context:
        yield Finding("context", "ok", found)
    else:
        remedy = "lower respond.max_new_tokens, or leave long rows out: they may get no answer"
        yield Finding("context", "note", found, remedy)
