"""From composed samples to token ids: what carries loss."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amends.errors import InputError, SampleError
from amends.models.chat import end_of_turn_token, render
from amends.prompts import Language, english
from amends.records import Message, Sample
from amends.training.sample_kinds.base import SAMPLE_KINDS

NO_LOSS = -100


@dataclass(frozen=True)
class TokenizedSample:
    """Token ids [tokens] of prompt and completion, and `labels` [tokens]: the ids where there is loss, else -100.

    `weights` [tokens] say how often each counts, where not all count once.
    """

    id: str
    kind: str
    input_ids: list[int]
    labels: list[int]
    prompt_tokens: int
    weights: list[float] | None = None

    @property
    def target_tokens(self) -> int:
        """Tokens that carry loss."""
        return len(self.labels) - self.labels.count(NO_LOSS)


def tokenize_sample(
    sample: Sample, tokenizer: Any, language: Language | None = None, verdict_weight: float = 1.0
) -> TokenizedSample:
    """Renders a sample with the tokenizer's own chat template.

    The completion ends with the template's end-of-turn token, inside the loss (invariant 3); what the template writes
    after it (a line break, often) is left out. `language`: in which the sample was composed, English by default.
    `verdict_weight`: how often the word of its verdict counts, where the sample is one (`Language.verdict_in`).

    Raises:
        SampleError: there is no such kind of samples, the template renders the prompt in another way alone than
            before an answer, or the sample's control phrases are not the language's.
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
    language = language or english()
    try:
        kind = SAMPLE_KINDS[sample.kind]
        phrases = [language.template(name) for name in kind.conditions]
        weighed = verdict_weight != 1
        verdicts = language.verdict_in(answer) if weighed and kind.judges else []
    except InputError as error:
        raise SampleError(f"sample {sample.id}: {error}") from None
    if phrases and phrases[0] not in answer:
        raise SampleError(
            f"sample {sample.id}: {phrases[0]!r} is not in its answer, so that a control phrase would be a target; "
            "name the language that it was composed in (--language, --guides)"
        )
    conditions = _places(answer, phrases)
    encoded = tokenizer(answer, add_special_tokens=False, return_offsets_mapping=bool(conditions or verdicts))
    completion_ids = encoded.input_ids
    end = end_of_turn_token(tokenizer)
    last = len(completion_ids) - 1 - completion_ids[::-1].index(end) if end in completion_ids else len(completion_ids)
    labels = completion_ids[:last]
    for place in _tokens_of(conditions, encoded, last):
        labels[place] = NO_LOSS
    weights = [1.0] * (len(prompt_ids) + last + 1)
    for place in _tokens_of(verdicts, encoded, last):
        weights[len(prompt_ids) + place] = verdict_weight
    return TokenizedSample(
        sample.id,
        sample.kind,
        [*prompt_ids, *completion_ids[:last], end],
        [*[NO_LOSS] * len(prompt_ids), *labels, end],
        len(prompt_ids),
        weights if weighed else None,
    )


def _tokens_of(spans: Sequence[tuple[int, int]], encoded: Any, last: int) -> list[int]:
    """Which of the first `last` tokens stand in spans of a text, of which there may be none."""
    return [
        place
        for place, (first, behind) in enumerate(encoded.offset_mapping[:last] if spans else ())
        if any(first < stop and begin < behind for begin, stop in spans)
    ]


def _places(text: str, phrases: Sequence[str]) -> list[tuple[int, int]]:
    """Where phrases stand in a text: begin and end of each."""
    return [found.span() for phrase in phrases for found in re.finditer(re.escape(phrase), text)]


def tokenize_turns(turns: Sequence[Message], response: str, tokenizer: Any) -> list[int]:
    """Token ids of a prompt's turns and the answer to them, as in training."""
    answer = [Message(role="assistant", content=response)]
    return tokenize_sample(Sample(id="text", kind="safe", prompt=list(turns), completion=answer), tokenizer).input_ids
