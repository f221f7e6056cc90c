"""Two systems side by side, from the files of their verdicts or of their responses."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from amends.data.rows import read_rows
from amends.errors import InputError
from amends.evaluation.measurement import Read, measure
from amends.evaluation.results import Comparison, Primary, compare, corrected
from amends.evaluation.statistics import sign_test
from amends.evaluation.suites.answers import read_answer
from amends.judges.load import load_preference_judge
from amends.pipeline.steps import Steps
from amends.progress import Reporter
from amends.prompts import Language, load_language
from amends.records import PairVerdict, Response, Verdict
from amends.storage.files import file_digest
from amends.storage.manifests import Manifest


def compare_files(a: Path, b: Path, seed: int) -> tuple[list[Comparison], int]:
    """Comparisons of two files of verdicts by the prompts' ids, and how many prompts only one of them has.

    Refusals are compared, too, where the responses of both lie where, and are as, they were when they were judged.

    Raises InputError where one of them is a directory, or holds no verdicts.
    """
    if directory := next((path for path in (a, b) if path.is_dir()), None):
        raise InputError(
            f"{directory}: is a directory; name two files of verdicts, METHOD/INFERENCE.SUITE.verdicts.jsonl in a run; "
            "amends report RUN RUN shows runs beside each other"
        )
    same = a.stem == b.stem
    both = [
        Judged(
            rows=list(read_rows(path, Verdict)),
            where=str(path),
            name=f"{path.parent.name}/{path.stem}" if same else path.stem,
            judge=str(Manifest(path, {}).read().get("parts", {}).get("judge") or ""),
            answers=_answers(path),
        )
        for path in (a, b)
    ]
    if not all(one.answers for one in both):
        both = [replace(one, answers=()) for one in both]
    return compare_verdicts(both[0], both[1], seed)


def _answers(verdicts: Path) -> Sequence[Read]:
    """What the responses behind a file of verdicts say themselves; nothing where they are not known, or not there.

    Responses of the same name that are not those which were judged, since they were made anew, are not read.
    """
    manifest = Manifest(verdicts, {}).read()
    said, judged = manifest.get("settings", {}), manifest.get("parts", {}).get("inputs")
    named, spoken = said.get("inputs", {}).get("responses"), said.get("judge", {})
    places = (Path(), verdicts.parent, verdicts.parent.parent)  # of a run, whose files are named from its directory
    there = (found for place in places if named and (found := place / named).is_file())
    path = next((one for one in there if judged in (None, _as_judged(verdicts, one))), None)
    if path is None:
        return ()
    try:
        language = load_language(spoken.get("language", "en"), spoken.get("guides file"))
    except InputError:  # the user's file of guides, by which refusals are known, is elsewhere
        return ()
    return [read_answer(row, language) for row in read_rows(path, Response)]


def _as_judged(verdicts: Path, responses: Path) -> str:
    """What a manifest of verdicts says of the responses that they are on."""
    return Manifest(verdicts, {"inputs": [file_digest(responses)]}).parts["inputs"]


@dataclass(frozen=True)
class Judged:
    """Verdicts on a system's responses.

    Attributes:
        rows: the verdicts.
        where: what they are called in errors, such as their file.
        name: of the system, in comparisons.
        judge: the judge's fingerprint; empty where it is not known.
        answers: what the responses say themselves, such as that they refuse; none where they are not known.
    """

    rows: Sequence[Verdict]
    where: str
    name: str
    judge: str = ""
    answers: Sequence[Read] = ()


def compare_verdicts(a: Judged, b: Judged, seed: int) -> tuple[list[Comparison], int]:
    """Comparisons of two systems by the prompts' ids, and how many prompts only one of them has.

    Raises InputError where no prompt is scored in both, one id is of two prompts, or two judges gave the verdicts.
    """
    of_a, of_b = ({row.id: row.prompt_hash for row in one.rows} for one in (a, b))
    shared, both = of_a.keys() & of_b.keys(), f"{a.where} and {b.where}"
    if not shared:
        raise InputError(f"{both}: no id in both; compare verdicts on responses to the same prompts")
    other = [name for name in of_a if name in shared and of_a[name] and of_b[name] and of_a[name] != of_b[name]]
    if other:
        raise InputError(
            f"{both}: {len(other)} of {len(shared)} ids are of two prompts (first: {other[0]!r}); compare verdicts on "
            "responses to the same prompts, and give rows ids of their own"
        )
    if a.judge and b.judge and a.judge != b.judge:
        raise InputError(f"{both}: two judges gave these verdicts; judge the responses of both by one")
    first, second = (
        measure(name, "unguided", "files", "red-team", one.rows, one.answers) for name, one in (("a", a), ("b", b))
    )
    found = compare(first, second, seed)
    if not found:
        raise InputError(f"{both}: no prompt is scored in both; judge the responses again")
    # Who compares two systems wants the first metric, which is the primary measure.
    marked = corrected(found, Primary.model_validate(vars(found[0])))
    return [row.model_copy(update={"a": a.name, "b": b.name}) for row in marked], len(of_a.keys() ^ of_b.keys())


def prefer_files(
    a: Path,
    b: Path,
    judge: str,
    out: Path,
    limit: int | None,
    reporter: Reporter,
    language: Language,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Writes which of two systems' responses a language model prefers, and counts wins and losses of the first.

    The test counts prompts: of several answers to one (draws), more wins than losses are one win. `unpaired` are the
    responses of either file to prompts that the other does not have.
    """
    steps = Steps(0, reporter, overwrite=overwrite, language=language)
    steps.prefer(a, b, out, load_preference_judge(judge, language), limit)
    counts: Counter[str] = Counter()
    ahead: Counter[str] = Counter()
    for row in read_rows(out, PairVerdict):
        counts[row.preferred] += 1
        ahead[row.id] += (row.preferred == "a") - (row.preferred == "b")
    of_a, of_b = ({row.row_key for row in read_rows(path, Response)} for path in (a, b))
    return {
        "win": counts["a"],
        "tie": counts["tie"],
        "lose": counts["b"],
        "unscored": counts["unscored"],
        "unpaired": len(of_a ^ of_b),
        "p_value": sign_test(sum(one > 0 for one in ahead.values()), sum(one < 0 for one in ahead.values())),
    }
