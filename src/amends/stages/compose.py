"""Unguided fine-tuning samples (paper, section 3.3): analyses with every hint removed, pooled with SFT pairs."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from amends.artifacts import Artifact
from amends.errors import SampleError
from amends.prompts import analysis_question, template
from amends.protocols import ProgressCallback, no_progress
from amends.records import Analysis, Answer, Instruction, Message, Mistake, Preference, Revision, Sample, SampleKind
from amends.seeds import fixed_share
from amends.stages.leaks import LeakTest
from amends.stages.streaming import stream

Sets = Mapping[str, Iterable[Any]]
Shares = Mapping[str, float]
Composed = Iterator[tuple[str, Sample]]
"""Pairs of an instruction and a sample of it."""


def compose(
    artifact: Artifact,
    kinds: Sequence[SampleKind],
    sets: Sets,
    shares: Shares,
    progress: ProgressCallback = no_progress,
) -> dict[str, int]:
    """Writes the samples of the kinds a method trains on, and returns how many there are of each.

    Args:
        sets: rows by the names in methods.NEEDS; a set that is left out counts as empty.
        shares: copies of each kind's rows: 1 takes every row once, .5 half of them (fixed by id), 2 every row twice.

    Raises:
        SampleError: a guide's words stand in a sample's prompt (invariant 1), or no sample came out.
    """
    counts = {str(kind): 0 for kind in kinds}
    samples = (sample for kind in kinds for sample in MAKERS[kind](sets, shares))
    leaks = LeakTest()

    def counted() -> Iterator[Sample]:
        for instruction, sample in samples:
            if found := leaks.find("\n".join(message.content for message in sample.prompt), instruction):
                raise SampleError(
                    f"sample {sample.id}: {found}, stand in its prompt; guided text must not be trained on (drop this row)"
                )
            counts[sample.kind] += 1
            yield sample

    stream(counted(), artifact, lambda chunk, *_: chunk, progress)
    if not any(counts.values()):
        raise SampleError(
            f"{artifact.path}: no samples; the instructions have no `chosen`, and nothing that the model made passed its "
            "gate (see the yields)"
        )
    return counts


def _sample(kind: SampleKind, name: str, prompt: str, completion: str) -> Sample:
    return Sample(id=f"{kind}-{name}", kind=kind, prompt=_user(prompt), completion=_assistant(completion))


def _user(content: str) -> list[Message]:
    return [Message(role="user", content=content)]


def _assistant(content: str) -> list[Message]:
    return [Message(role="assistant", content=content)]


def _answers(kind: SampleKind, name: str) -> Callable[[Sets], Composed]:
    """A maker of samples from the rows of a set that have an answer."""

    def make(sets: Sets) -> Composed:
        rows: Iterable[Instruction] = sets.get(name, ())
        return ((row.prompt, _sample(kind, row.id, row.prompt, row.chosen)) for row in rows if row.chosen)

    return make


def _analyses(sets: Sets) -> Composed:
    """The neutral question as prompt, so that the mistake carries no loss (invariant 2); the analysis as completion."""
    rows: Iterable[Analysis] = sets.get("analyses", ())
    for row in rows:
        if row.passed:
            yield row.prompt, _sample("analysis", row.id, analysis_question(row.prompt, row.response), row.analysis)


def _answered(sets: Sets) -> Composed:
    """The instruction alone as prompt: the reminder that brought the answer about is left out."""
    rows: Iterable[Answer] = sets.get("answers", ())
    return ((row.prompt, _sample("answer", row.id, row.prompt, row.response)) for row in rows if row.passed)


def _revised(sets: Sets) -> Composed:
    """The instruction alone as prompt: mistake and critique are left out, as in Constitutional AI."""
    rows: Iterable[Revision] = sets.get("revisions", ())
    return ((row.prompt, _sample("revised", row.id, row.prompt, row.revision)) for row in rows if row.passed)


def _hindsight(sets: Sets, shares: Shares) -> Composed:
    """Answers behind control phrases; the mistake carries loss, in this method alone (invariant 2), the phrases do not.

    Half of the mistakes (fixed by id) come before the safe answer in one sequence. Everywhere else the safe answer
    comes alone, so that the good phrase is learnt as the beginning that it is at inference. Of safe and of benign answers
    it takes those that the other methods take: their shares are theirs here, too.
    """
    good, bad = template("hindsight_good"), template("hindsight_bad")
    mistakes: Iterable[Mistake] = sets.get("mistakes", ())
    benign: Iterable[Instruction] = sets.get("benign", ())

    def safe_answers() -> Composed:
        for row in mistakes:
            if row.chosen:
                before = f"{bad} {row.response}\n\n" if row.passed and fixed_share(row.id) < 0.5 else ""
                yield row.prompt, _sample("hindsight", row.id, row.prompt, f"{before}{good} {row.chosen}")

    def benign_answers() -> Composed:
        for row in benign:
            if row.chosen:
                yield row.prompt, _sample("hindsight", f"benign-{row.id}", row.prompt, f"{good} {row.chosen}")

    safe, benign_too = (shares.get("hindsight", 1.0) * shares.get(kind, 1.0) for kind in ("safe", "benign"))
    yield from _copies(safe_answers(), safe, lambda name: name.replace("hindsight", "safe", 1))
    yield from _copies(benign_answers(), benign_too, lambda name: name.removeprefix("hindsight-"))


def _preferences(sets: Sets) -> Composed:
    mistakes: Iterable[Mistake] = sets.get("mistakes", ())
    for row in mistakes:
        if row.passed and row.chosen and row.chosen.strip() != row.response.strip():
            yield (
                row.prompt,
                Preference(
                    id=f"preference-{row.id}",
                    kind="preference",
                    prompt=_user(row.prompt),
                    completion=_assistant(row.chosen),
                    rejected=_assistant(row.response),
                ),
            )


def _shared(kind: SampleKind, make: Callable[[Sets], Composed]) -> Callable[[Sets, Shares], Composed]:
    """Makes the copies of a kind that its share asks for."""
    return lambda sets, shares: _copies(make(sets), shares.get(kind, 1.0))


MAKERS: dict[SampleKind, Callable[[Sets, Shares], Composed]] = {
    "safe": _shared("safe", _answers("safe", "instructions")),
    "benign": _shared("benign", _answers("benign", "benign")),
    "analysis": _shared("analysis", _analyses),
    "answer": _shared("answer", _answered),
    "revised": _shared("revised", _revised),
    "hindsight": _hindsight,
    "preference": _shared("preference", _preferences),
}
SHARES_OF: dict[SampleKind, tuple[SampleKind, ...]] = {"hindsight": ("hindsight", "safe", "benign")}
"""The kinds whose shares a kind of sample heeds, where these are not its own alone."""


def _copies(samples: Composed, share: float, drawn_as: Callable[[str], str] = str) -> Composed:
    """Copies of samples; `drawn_as` names, by its id, the sample of another kind that is taken where this one is."""
    whole, fraction = int(share), share - int(share)
    for instruction, sample in samples:
        for copy in range(whole + (fixed_share(drawn_as(sample.id)) < fraction)):
            yield instruction, sample if copy == 0 else sample.model_copy(update={"id": f"{sample.id}#{copy + 1}"})


def first_samples(samples: Iterable[Sample], count: int) -> list[Sample]:
    """The first samples of each kind in turn, for a preview."""
    groups: dict[str, list[Sample]] = {}
    for sample in islice(samples, 100_000):
        group = groups.setdefault(sample.kind, [])
        if len(group) < count:
            group.append(sample)
    mixed = [group[number] for number in range(count) for group in groups.values() if number < len(group)]
    return mixed[:count]
