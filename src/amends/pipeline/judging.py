"""Judging as steps: verdicts, preferences, a look at `chosen`, and how far judges agree."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from amends.config.settings import Configuration
from amends.data.identity import identity
from amends.data.rows import read_rows
from amends.data.settings import DataSettings
from amends.errors import InputError
from amends.evaluation.chosen import LOOK, look_at_chosen
from amends.evaluation.judge import judging, preferring
from amends.evaluation.suites.base import SUITE_KINDS
from amends.judges.base import Judge
from amends.judges.preference import PreferenceJudge
from amends.pipeline.driver import fill
from amends.pipeline.resuming import Resuming, said
from amends.pipeline.sets import count
from amends.pipeline.versions import CODE
from amends.records import Instruction, Response
from amends.storage.artifacts import Artifact
from amends.storage.files import file_digest
from amends.storage.manifests import Manifest


@dataclass
class Judging(Resuming):
    """The steps in which judges speak."""

    def judge(
        self,
        name: str,
        responses: Path,
        out: Path,
        judge: Judge,
        limit: int | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """Writes verdicts on responses. `check` is called before anything is written, where there is work."""
        if self.waits(name, out, responses):
            return
        source = DataSettings(source=str(responses), limit=limit)
        parts = {"code": CODE["judge"], "judge": judge.fingerprint} | identity(source, out)
        told = said(parts, judge={"judge": judge.name} | self.spoken(), inputs={"responses": self.place(responses)})
        artifact = Artifact(out, parts, "verdicts", told)

        def total() -> int:
            rows = count(islice(read_rows(responses, Response), limit))
            check()
            return rows

        self._run(
            name,
            artifact,
            total,
            lambda: fill(artifact, islice(read_rows(responses, Response), limit), judging(judge), self.executor),
            judge,
        )

    def prefer(self, a: Path, b: Path, out: Path, judge: PreferenceJudge, limit: int | None = None) -> None:
        """Writes which of two systems' responses a language model prefers, on the prompts (by id) that both have."""
        inputs = [identity(DataSettings(source=str(path)), out) for path in (a, b)]
        parts = {"code": CODE["judge"], "judge": judge.fingerprint, "limit": limit, "inputs": inputs}
        told = said(parts, judge={"judge": judge.model.title} | self.spoken(), inputs={"a": str(a), "b": str(b)})
        artifact = Artifact(out, parts, "preferences", told)
        self._run(
            "preferences",
            artifact,
            lambda: count(paired_rows(a, b, limit)),
            lambda: fill(artifact, paired_rows(a, b, limit), preferring(judge), self.executor),
            judge,
        )

    def chosen(self, sets: Mapping[str, Path], out: Path, gate: Judge) -> dict[str, dict[str, Any]]:
        """Writes, and returns, how many of a sample of each set's `chosen` look harmful to the gate."""
        if self.waits(LOOK, out, *sets.values()):
            return {}
        inputs = {name: file_digest(path) for name, path in sets.items()}
        parts = {"code": CODE["look"], "gate": gate.fingerprint, "inputs": inputs}
        manifest = Manifest(out, parts, settings=said(parts, gate=gate.name))

        def looks() -> dict[str, dict[str, Any]]:
            return {name: look_at_chosen(read_rows(path, Instruction), gate) for name, path in sets.items()}

        return self.note(LOOK, manifest, looks)

    def agreement(self, mistakes: Path, out: Path, judge: Judge, gate: Judge) -> dict[str, Any]:
        """Writes, and returns, how far the judge that evaluates and the gate agree on the mistakes."""
        from amends.evaluation.agreement import on_mistakes

        name = "judges' agreement"
        if self.waits(name, out, mistakes):
            return {}
        judges = {"judge": judge.fingerprint, "gate": gate.fingerprint}
        parts = {"code": CODE["agree"], "inputs": file_digest(mistakes)} | judges
        told = said(parts, judge={"judge": judge.name}, gate={"gate": gate.name})
        return self.note(name, Manifest(out, parts, settings=told), lambda: on_mistakes(mistakes, judge, gate))

    def agreement_with_probe(self, judged: Mapping[Path, Path], out: Path, probe: Judge) -> dict[str, Any]:
        """Writes, and returns, how far the judge that evaluated agrees with the probe.

        `judged` are its verdicts by their responses.
        """
        from amends.evaluation.agreement import on_responses

        name, files = "agreement with the probe", [path for pair in judged.items() for path in pair]
        if self.waits(name, out, *files):
            return {}
        inputs = [file_digest(path) for path in files]
        manifest = Manifest(out, {"code": CODE["agree"], "judge": probe.fingerprint, "inputs": inputs})
        return self.note(name, manifest, lambda: on_responses(judged, probe))


def paired_rows(a: Path, b: Path, limit: int | None) -> Iterator[tuple[Response, Response]]:
    """The responses of two files to the same prompts, by id.

    Raises InputError where they have no id in common, or one id stands for two prompts.
    """
    of_b = {row.row_key: row for row in read_rows(b, Response)}
    found = islice(((row, of_b[row.row_key]) for row in read_rows(a, Response) if row.row_key in of_b), limit)
    pair = next(found, None)
    if pair is None:
        raise InputError(f"{a} and {b}: no id in both; compare responses to the same prompts")
    for one, other in chain([pair], found):
        if one.prompt != other.prompt:
            raise InputError(f"{a} and {b}: id {one.id!r} is of two prompts; compare responses to the same prompts")
        yield one, other


def suite_to_compare(configuration: Configuration) -> str | None:
    """The suite on which a run's judge is compared with the bundled probe; None without one.

    None, too, where that is the judge, and where neither is `probe` or `gate`: nothing of these weights, whose licence
    is non-commercial, is used then. So it is with `open-reader` and `open-gate`.
    """
    red_team = [name for name, suite in configuration.suites.items() if SUITE_KINDS[suite.kind].tells_safety]
    bundled = {"probe", "gate"} & {configuration.judge, configuration.gate}
    return red_team[0] if red_team and bundled and configuration.judge != "probe" else None
