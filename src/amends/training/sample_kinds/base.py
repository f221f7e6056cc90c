"""Kinds of samples: what each is made of and how, what it takes of the data's own answers, how long it can be."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from amends.prompts import Language
from amends.records import Instruction, Message, Sample, UserPrompt, messages_of
from amends.registry import Registry
from amends.seeds import fixed_share
from amends.stages.analyze import AnalyzeSettings
from amends.stages.answer import AnswerSettings
from amends.stages.base import STAGES, made_by
from amends.stages.chain import ChainSettings
from amends.stages.contrast import ContrastSettings
from amends.stages.induce import InduceSettings
from amends.stages.reply import ReplySettings
from amends.stages.revise import ReviseSettings
from amends.text.reasoning import without_reasoning

Sets = Mapping[str, Iterable[Any]]
Shares = Mapping[str, float]
Composed = Iterator[tuple[UserPrompt, Sample]]
"""Pairs of an instruction and a sample of it."""
Parts = Iterator[tuple[str, int]]
"""Of each sample that a row can become: its texts that are known, and at most how many tokens the model adds."""


@dataclass(frozen=True)
class Planned:
    """What is going to be made of rows, for what is said of samples before there are any."""

    induce: InduceSettings
    analyze: AnalyzeSettings
    revise: ReviseSettings
    answer: AnswerSettings
    contrast: ContrastSettings
    reply: ReplySettings
    chain: ChainSettings
    shares: Shares
    language: Language

    @cached_property
    def openings(self) -> dict[str, str]:
        """By stage, the longest prefill of its guides that opens what it records."""
        guides = {
            stage: STAGES[stage].guides(getattr(self, stage), self.language)
            for stage in ("induce", "analyze", "contrast")
        }
        return {
            stage: max((guide.prefill for guide in found if guide.keep), key=len, default="")
            for stage, found in guides.items()
        }

    def mistakes(self, row: Instruction) -> Parts:
        """The mistakes that a row can have: of both sources it has either."""
        if self.induce.source != "own":
            yield row.rejected or "", 0
        if self.induce.source != "origin":
            yield self.openings["induce"], self.induce.max_new_tokens

    def safe_answers(self, row: Instruction) -> Parts:
        """The safe answers that a row can have: of both sources it has either."""
        if self.answer.source != "own" and row.chosen:
            yield row.chosen, 0
        if self.answer.source != "origin":
            yield "", self.answer.max_new_tokens

    def share(self, kind: str) -> float:
        """Copies of a kind's rows."""
        return self.shares.get(kind, 1.0)


def no_parts(name: str, row: Instruction, planned: Planned) -> Parts:
    """Nothing is known of its samples' lengths; the trainer refuses those that are too long."""
    return iter(())


@dataclass(frozen=True, eq=False)
class SampleKind:
    """A kind of samples.

    Attributes:
        name: in a method's row, and the key of its share in the configuration's section `compose`.
        needs: the sets of rows that it is made of: those of the data, and those that stages write.
        make: yields the samples, with the instruction of each, from rows by set, shares by kind, and a language; `each`
            makes the most common of these. It may read a set several times.
        chosen: the training sets whose `chosen` become targets, once it is known what will be made.
        needs_chosen: whether it is nothing without `chosen` of the instructions.
        heeds: other kinds whose shares it heeds, too.
        parts: what is known of the samples that a row of a training set can become.
        title: a sentence that says what they are.
        judges: whether their prompts show a response, on which their completions open with a verdict.
        conditions: templates whose words in a completion carry no loss; the first stands in every one.
        templates: others that it is made of.

    Example:
        register_sample_kind(
            SampleKind("short", ("instructions",), each("short", "instructions", lambda row, _: (row.prompt, "No.")))
        )
    """

    name: str
    needs: tuple[str, ...]
    make: Callable[[Sets, Shares, Language], Composed]
    chosen: Callable[[Planned], tuple[str, ...]] = lambda planned: ()
    needs_chosen: bool = False
    heeds: tuple[str, ...] = ()
    parts: Callable[[str, Instruction, Planned], Parts] = no_parts
    conditions: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()
    title: str = ""
    judges: bool = False

    @property
    def summary(self) -> str:
        """A line for lists of what there is."""
        return f"made of {', '.join(self.needs)}"

    @property
    def made_by_model(self) -> bool:
        """Whether it is something without the instructions' `chosen`, of what the model makes."""
        return not self.needs_chosen and any(made_by(name) for name in self.needs)


SAMPLE_KINDS: Registry[SampleKind] = Registry(
    "kind of samples",
    "amends.training.sample_kinds",
    "amends.sample_kinds",
    "amends.register_sample_kind(SampleKind(...))",
)


def register_sample_kind(kind: SampleKind) -> SampleKind:
    """Adds a kind of samples, which methods can then be trained on. Raises InputError where its name is taken.

    Example:
        refusals = each("refusal", "instructions", lambda row, language: (row.prompt, "I will not."))
        amends.register_sample_kind(SampleKind("refusal", ("instructions",), refusals))
    """
    return SAMPLE_KINDS.register(kind.name, kind)


def each(
    kind: str, name: str, build: Callable[[Any, Language], tuple[UserPrompt, str | None] | None]
) -> Callable[[Sets, Shares, Language], Composed]:
    """A maker of one sample a row of a set; `build` gives its prompt and completion, or nothing."""

    def make(sets: Sets, language: Language) -> Composed:
        for row in sets.get(name, ()):
            prompt, text = build(row, language) or ("", None)
            if completion := answer_text(text):
                yield row.prompt, sample(kind, row.id, prompt, completion)

    return shared(kind, make)


def shared(kind: str, make: Callable[[Sets, Language], Composed]) -> Callable[[Sets, Shares, Language], Composed]:
    """Makes the copies of a kind that its share asks for."""
    return lambda sets, shares, language: copies(make(sets, language), shares.get(kind, 1.0))


def copies(samples: Composed, share: float, drawn_as: Callable[[str], str] = str) -> Composed:
    """Copies of samples; `drawn_as` names, by its id, the sample of another kind that is taken where this one is."""
    whole, fraction = int(share), share - int(share)
    for instruction, one in samples:
        for copy in range(whole + (fixed_share(drawn_as(one.id)) < fraction)):
            yield instruction, one if copy == 0 else one.model_copy(update={"id": f"{one.id}#{copy + 1}"})


def sample(kind: str, name: str, prompt: UserPrompt, completion: str) -> Sample:
    """A sample of what a user asks, which may be a conversation, and the assistant's turn behind it."""
    turns = list(messages_of(prompt))
    return Sample(id=f"{kind}-{name}", kind=kind, prompt=turns, completion=assistant_turn(completion))


def answer_text(text: str | None) -> str:
    """A text as an answer to train on: without reasoning; empty where it is reasoning alone."""
    return without_reasoning(text or "")


def assistant_turn(content: str) -> list[Message]:
    """A completion of one turn."""
    return [Message(role="assistant", content=content)]


def chosen_parts(name: str, row: Instruction, planned: Planned) -> Parts:
    """The instruction with its `chosen`."""
    if name == "instructions" and row.chosen:
        yield f"{row.prompt} {row.chosen}", 0


def benign_parts(name: str, row: Instruction, planned: Planned) -> Parts:
    """A benign instruction with its answer."""
    if name == "benign" and row.chosen:
        yield f"{row.prompt} {row.chosen}", 0


def analysis_parts(name: str, row: Instruction, planned: Planned) -> Parts:
    """The neutral question about a mistake with its analysis."""
    for mistake, made in planned.mistakes(row) if name == "instructions" else ():
        asked = f"{planned.language.analysis_question(row.prompt, mistake)} {planned.openings['analyze']}"
        yield asked, planned.analyze.max_new_tokens + made
