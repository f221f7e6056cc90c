"""Unguided fine-tuning samples (paper, section 3.3): analyses with every hint removed, pooled with SFT pairs."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from amends.errors import SampleError
from amends.prompts import analysis_question
from amends.protocols import ProgressCallback, no_progress
from amends.records import Analysis, Instruction, Message, Sample, SampleKind
from amends.stages.leaks import LeakTest
from amends.stages.streaming import stream
from amends.store import Artifact


def compose(
    artifact: Artifact,
    kinds: Sequence[SampleKind],
    instructions: Iterable[Instruction],
    benign: Iterable[Instruction],
    analyses: Iterable[Analysis],
    shares: Mapping[str, float],
    progress: ProgressCallback = no_progress,
) -> dict[str, int]:
    """Writes the samples of the kinds a method trains on, and returns how many there are of each.

    Args:
        kinds: `safe` (instruction, safe answer), `benign` (benign instruction, answer), `analysis`.
        shares: copies of each kind's rows: 1 takes every row once, .5 half of them (fixed by id), 2 every row twice.

    Raises:
        SampleError: a guide's words stand in a sample's prompt (invariant 1), or no sample came out.
    """
    makers = {
        "safe": lambda: ((row.prompt, _pair(row, "safe")) for row in instructions if row.chosen),
        "benign": lambda: ((row.prompt, _pair(row, "benign")) for row in benign if row.chosen),
        "analysis": lambda: ((row.prompt, _analysis_sample(row)) for row in analyses if row.passed),
    }
    counts = {str(kind): 0 for kind in kinds}
    samples = (sample for kind in kinds for sample in _copies(makers[kind](), shares.get(kind, 1.0)))
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
            f"{artifact.path}: no samples; the instructions have no `chosen`, and no analysis passed its gate (see the "
            "yields)"
        )
    artifact.finish(rows=sum(counts.values()), kinds=counts)
    return counts


def _pair(row: Instruction, kind: SampleKind) -> Sample:
    return Sample(
        id=f"{kind}-{row.id}",
        kind=kind,
        prompt=[Message(role="user", content=row.prompt)],
        completion=[Message(role="assistant", content=row.chosen or "")],
    )


def _analysis_sample(row: Analysis) -> Sample:
    """The neutral question as prompt, so that the mistake carries no loss (invariant 2); the analysis as completion."""
    return Sample(
        id=f"analysis-{row.id}",
        kind="analysis",
        prompt=[Message(role="user", content=analysis_question(row.prompt, row.response))],
        completion=[Message(role="assistant", content=row.analysis)],
    )


def _copies(samples: Iterable[tuple[str, Sample]], share: float) -> Iterator[tuple[str, Sample]]:
    whole, fraction = int(share), share - int(share)
    for instruction, sample in samples:
        drawn = int.from_bytes(hashlib.sha256(sample.id.encode()).digest()[:8], "big") / 2**64 < fraction
        for copy in range(whole + drawn):
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
