"""Training and validating probes over files that the user names."""

import json
import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from amends.data.sources import BUNDLED_DIRECTORY
from amends.errors import InputError
from amends.evaluation.judge_card import check_labels, validate_probe
from amends.judges.load import load_judge
from amends.judges.probe_training import Labelled, choose_part, read_labelled, share_of, source_name, train_probe
from amends.progress import Reporter
from amends.storage.files import write_atomically
from amends.storage.locks import held

# Safe answers that do not refuse, written for amends; and answers of systems of the demonstration, read twice.
BUNDLED_LABELS = {f"bundled:{name}": BUNDLED_DIRECTORY / f"{name}.jsonl" for name in ("answers", "readings")}
AT_ONCE = 256  # rows between two lines of progress
LABELS_NAMED = 5


def read_labelled_files(
    data: Sequence[str], limit: int | None, part: str, whole_prompts: bool = False
) -> list[Labelled]:
    """Labelled rows of FILE, FILE:SPLIT or a bundled set whose prompts fall in `part` ("0:0.65" of their hashes).

    At most `limit` of each file, drawn by a hash of prompt and response, or with `whole_prompts` by that of the prompt,
    so that answers to one stay together. Those with the same stem are sources by their whole names.
    """
    try:
        low, high = (float(bound) for bound in part.split(":"))
    except ValueError:
        low, high = 1.0, 0.0
    if not 0 <= low < high <= 1:
        raise InputError(f"--part {part!r}: write a range of shares, as in 0:0.65")

    sources = Counter(source_name(_place(name)[0]) for name in data)
    rows: list[Labelled] = []
    for name in data:
        path, split = _place(name)
        others: Counter[str] = Counter()
        labelled = list(dict.fromkeys(read_labelled(path, split, others)))
        named = ", ".join(f"{label} ({count})" for label, count in others.most_common(LABELS_NAMED))
        if not labelled:
            other = f"; its labels are {named}: write safe or unsafe" if named else ""
            where = f" whose `split` is {split!r}" if split else ""
            raise InputError(f"{name}: no labelled rows in it{where}{other}")
        if others:
            said = "%s: %d rows are left out, since their label says neither safe nor unsafe: %s"
            logging.getLogger(__name__).warning(said, name, others.total(), named)
        found = choose_part(labelled, low, high)
        if not found:
            raise InputError(f"{name}: none of its {len(labelled)} labelled rows falls in --part {part}; widen it")
        if sources[source_name(path)] > 1:
            found = [replace(row, source=name) for row in found]
        if limit is not None:
            drawn_by = "{0.prompt}" if whole_prompts else "{0.prompt}{0.response}"
            found = sorted(found, key=lambda row: share_of(drawn_by.format(row), "limit"))[:limit]
        rows += found
    return rows


def _place(name: str) -> tuple[Path, str | None]:
    """The file, and the value of its column `split`, that a name means."""
    if name in BUNDLED_LABELS:
        return BUNDLED_LABELS[name], None
    path, _, split = name.partition(":")
    return Path(path), split or None


def train_probe_file(
    data: Sequence[str],
    out: Path,
    layers: str,
    pooling: str,
    part: str,
    limit: int | None,
    seed: int,
    reporter: Reporter,
) -> dict[str, Any]:
    """Fits a probe, writes it and returns its facts."""
    if pooling not in ("response", "all"):
        raise InputError(f"--pooling {pooling!r}: name `response` or `all`")
    try:
        choices = [tuple(int(layer) for layer in choice.split("+")) for choice in layers.split(",")]
    except ValueError:
        choices = []
    if not choices or min(min(choice) for choice in choices) < 1:
        raise InputError(f"--layers {layers!r}: write choices of layers from 1 on, as in 18,20,14+18+22")
    refuse_existing(out)
    rows = read_labelled_files(data, limit, part)
    with held(out):  # says at once where nothing can be written
        with reporter.stage("features", len(rows)) as progress:
            probe = train_probe(rows, choices, "response" if pooling == "response" else "all", seed, progress)
        probe.facts["part"] = part
        probe.save(out)
    return {"layers": list(probe.layers), "pooling": probe.pooling, **probe.facts}


def validate_probe_files(
    data: Sequence[str],
    judge: str,
    part: str,
    limit: int | None,
    failures: Path | None,
    seed: int,
    reporter: Reporter,
) -> dict[str, Any]:
    """The figures of any judge per source, as in docs/reference/judging.md; the worst errors go to `failures`."""
    if failures is not None:
        refuse_existing(failures)
    rows = read_labelled_files(data, limit, part)
    check_labels(rows)  # before hours of scoring
    with held(failures) if failures else nullcontext():
        scores: list[float | None] = []
        judging = load_judge(judge)
        with reporter.stage("verdicts", len(rows)) as progress:
            for start in range(0, len(rows), AT_ONCE):
                some = rows[start : start + AT_ONCE]
                scores += judging.score([(row.prompt, row.response) for row in some])
                progress(len(some), 0)
        card = validate_probe(rows, scores, seed)
        if failures is not None:
            write_atomically(failures, _worst(rows, scores))
    return card


def _worst(rows: Sequence[Labelled], scores: Sequence[float | None]) -> str:
    """The rows that the judge is farthest from, as JSONL."""
    wrong = [(abs(score - row.label), row, score) for row, score in zip(rows, scores, strict=True) if score is not None]
    worst = sorted(wrong, key=lambda item: -item[0])[:20]
    lines = [
        json.dumps({**vars(row), "prompt": str(row.prompt), "score": score}, ensure_ascii=False)
        for _, row, score in worst
    ]
    return "\n".join(lines) + "\n"


def refuse_existing(out: Path) -> None:
    """Nothing tells whether a file here is of ours and unchanged, so none is replaced."""
    if out.is_dir():
        raise InputError(f"{out}: is a directory; name a file in it")
    if out.exists():
        raise InputError(f"{out}: exists, and would be replaced; move it away or choose another output")
