"""From composed samples to token ids: what carries loss."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amends.errors import SampleError
from amends.models.chat import end_of_turn_token, render
from amends.prompts import template
from amends.records import Message, Sample, SampleKind

NO_LOSS = -100
# Templates whose words in a completion are conditions and no targets: Chain of Hindsight predicts no feedback.
CONDITIONS: dict[SampleKind, tuple[str, ...]] = {"hindsight": ("hindsight_good", "hindsight_bad")}


@dataclass(frozen=True)
class TokenizedSample:
    """Token ids [tokens] of prompt and completion, and `labels` [tokens]: the ids where there is loss, -100 elsewhere."""

    id: str
    kind: str
    input_ids: list[int]
    labels: list[int]
    prompt_tokens: int

    @property
    def target_tokens(self) -> int:
        """Tokens that carry loss."""
        return len(self.labels) - self.labels.count(NO_LOSS)


def tokenize_sample(sample: Sample, tokenizer: Any) -> TokenizedSample:
    """Renders a sample with the tokenizer's own chat template.

    The completion ends with the template's end-of-turn token, inside the loss (invariant 3); what the template writes
    after it (a line break, often) is left out.

    Raises:
        SampleError: the template renders the prompt in another way alone than before an answer.
    """
    start = render(sample.prompt, tokenizer, True)
    whole = render([*sample.prompt, *sample.completion], tokenizer, False)
    if not whole.startswith(start):
        raise SampleError(
            f"sample {sample.id}: the chat template renders the prompt differently when an answer follows; training "
            "and inference would not see the same prompt, so this template cannot be trained with"
        )
    prompt_ids = tokenizer(start, add_special_tokens=False).input_ids
    answer = whole[len(start) :]
    conditions = _places(answer, [template(name) for name in CONDITIONS.get(sample.kind, ())])
    encoded = tokenizer(answer, add_special_tokens=False, return_offsets_mapping=bool(conditions))
    completion_ids = encoded.input_ids
    end = end_of_turn_token(tokenizer)
    last = len(completion_ids) - 1 - completion_ids[::-1].index(end) if end in completion_ids else len(completion_ids)
    labels = completion_ids[:last]
    for place, (first, behind) in enumerate(encoded.offset_mapping[:last] if conditions else ()):
        if any(first < stop and begin < behind for begin, stop in conditions):
            labels[place] = NO_LOSS
    return TokenizedSample(
        sample.id,
        sample.kind,
        [*prompt_ids, *completion_ids[:last], end],
        [*[NO_LOSS] * len(prompt_ids), *labels, end],
        len(prompt_ids),
    )


def _places(text: str, phrases: Sequence[str]) -> list[tuple[int, int]]:
    """Where phrases stand in a text: begin and end of each."""
    return [found.span() for phrase in phrases for found in re.finditer(re.escape(phrase), text)]


def tokenize_text(prompt: str, response: str, tokenizer: Any) -> list[int]:
    """Token ids of a conversation of one turn each, as in training."""
    turns = [Message(role="user", content=prompt)], [Message(role="assistant", content=response)]
    return tokenize_sample(Sample(id="text", kind="safe", prompt=turns[0], completion=turns[1]), tokenizer).input_ids
