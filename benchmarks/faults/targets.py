"""The readers that are fuzzed, each with good inputs to begin from, and the errors of their own that they may raise."""

import asyncio
import gzip
import json
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow
from yaml import YAMLError

from amends.config.reading import load_configuration
from amends.data.identity import identity
from amends.data.rows import read_rows
from amends.data.settings import DataSettings
from amends.data.sources import given_instructions, load_instructions
from amends.errors import AmendsError
from amends.evaluation.results import Results
from amends.judges.guard import FAMILIES
from amends.judges.language_model import Rating
from amends.judges.preference import Choice
from amends.judges.reading import read_form
from amends.models.adapters import check_adapter
from amends.models.endpoint.address import read_endpoint
from amends.models.endpoint.reply import NoReplyError, read_models, read_reply
from amends.pipeline.labelling import read_labels, reshuffle_labels
from amends.prompts import Guide, english
from amends.prompts.language_file import load_language
from amends.prompts.leaks import LeakTest
from amends.records import Instruction, Mistake, PromptRecord, Record, Response, Sample, Verdict
from amends.reporting.page import write_report
from amends.serving.additions import Additions
from amends.serving.asked import Asked, read_request
from amends.serving.backend import Whole
from amends.serving.judged import judged, judged_stream
from amends.serving.metrics import Metrics
from amends.serving.refusals import Refused
from amends.serving.verdicts import Said, Verdicts
from amends.storage.files import read_as
from amends.storage.manifest_content import read_content
from amends.storage.run_directory import read_run
from amends.storage.seals import is_sealed
from amends.text.display import for_markdown, for_terminal
from amends.text.normalized import prompt_key
from amends.text.reasoning import has_reasoning, without_reasoning
from amends.text.words import cue_leaks, repeated_share, whole_sentences
from amends.text.yaml import read_yaml
from benchmarks.faults.inputs import (
    ADDRESS,
    CHATS,
    CHUNK,
    JSON_WORDS,
    MANIFEST,
    PAIR,
    RATING,
    REPLY,
    REQUEST,
    RESULTS,
    ROW,
    ROW_WORDS,
    YAML_WORDS,
    arrow_bytes,
    lines,
    seeds,
)

ALLOWED = (AmendsError, Refused, NoReplyError, YAMLError)
SCRATCH = Path(tempfile.mkdtemp(prefix="amends-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))


@dataclass(frozen=True)
class Target:
    """What reads bytes, good bytes, and words that mean something to it."""

    read: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    words: tuple[str, ...] = field(default=())


def of_file(name: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """A reader of a file of that name."""
    path = SCRATCH / name

    def of_bytes(data: bytes) -> object:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return read(path)

    return of_bytes


def load(path: Path) -> object:
    """As a run reads a set: rows, their digest, their copy."""
    settings = DataSettings(source=str(path))
    rows = list(load_instructions(settings))
    identity(settings, path.with_suffix(".copy"))
    return [row.model_dump_json().encode() for row in rows], [prompt_key(str(row.prompt)) for row in rows]


RECORDS: tuple[type[Record], ...] = (Instruction, Mistake, Response, Sample, Verdict)


def records(path: Path) -> None:
    for kind in RECORDS:
        try:
            for row in read_rows(path, kind):
                row.model_dump_json().encode()
        except AmendsError:
            continue


def in_memory(data: bytes) -> None:
    """Rows of columns that mean something, with any values."""
    try:
        rows = json.loads(data)
    except (ValueError, RecursionError):
        return
    for one in given_instructions(rows, DataSettings(source="given")):
        assert isinstance(one, PromptRecord)


def ratings(data: bytes) -> None:
    text = data.decode("utf-8", "replace") + ("\ud800" if data[:1] == b"!" else "")
    for form in (Rating, Choice):
        read_form(form, text, text[: len(text) // 2], finished=len(text) % 2 == 0)
    for family in FAMILIES:
        family.read(text)


def texts(data: bytes) -> None:
    text = data.decode("utf-8", "replace") + ("\ud800" if data[:1] == b"!" else "")
    half = text[: len(text) // 2]
    assert not has_reasoning(without_reasoning(text)) or has_reasoning(text)
    for_terminal(text).encode("utf-8", "replace")
    for_markdown(text)
    whole_sentences(text, finished=False)
    repeated_share(text)
    cue_leaks(text, [half])
    prompt_key(half.encode("utf-8", "replace").decode())
    english().is_refusal(text)
    LEAKS.find(text, half)


LEAKS = LeakTest()


def overrides(data: bytes) -> None:
    load_configuration("quickstart", data.decode("utf-8", "surrogateescape").split("\x00"))


def endpoint(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    _, address = read_endpoint(f"endpoint:{text}")
    address.without_secrets(text)


def reply(data: bytes) -> None:
    read_models(data)
    read_reply(data).text.encode()


def served(data: bytes) -> None:
    header, _, body = data.partition(b"\n")
    added = Additions(Guide(name="both", system="Be good.", suffix="Be kind."), "Be short.")
    for additions in (added, Additions(Guide(name="none"), "Be short.")):
        read_request(body, header.decode("latin-1") or None, additions, "per-request", 100)


class Poisoned(Verdicts):
    """Speaks at once."""

    async def of(self, prompt: object, answer: str) -> Said:
        assert isinstance(answer, str)
        return Said(0.1 if "poison" in answer else 0.9 if answer.strip() else None)


METRICS = Metrics()
ASKED = Asked({}, "How?", True)


def upstream(data: bytes) -> None:
    """What a server before this one answers, whole and as a stream."""

    async def pieces() -> AsyncIterator[bytes]:
        yield data[: len(data) // 2]
        yield data[len(data) // 2 :]

    async def stream(verdicts: Verdicts) -> None:
        async for _ in judged_stream(pieces(), ASKED, verdicts, "No."):
            pass

    for refuse in ("nothing", "unscored"):
        verdicts = Poisoned(None, refuse, METRICS)  # type: ignore[arg-type]  # it asks no judge
        for work in (stream(verdicts), judged(Whole(data), ASKED, verdicts, "No.")):
            try:
                asyncio.run(work)
            except Refused:
                continue


def labels(path: Path) -> None:
    out = path.with_name("again.jsonl")
    out.unlink(missing_ok=True)
    try:
        reshuffle_labels(path, out)
    finally:
        read_labels(path)


def run_files(path: Path) -> None:
    """One file as each of those that a run directory has."""
    directory = path.parent
    (directory / "run.json").write_bytes(path.read_bytes())
    readers: tuple[Callable[[], object], ...] = (
        lambda: read_run(directory),
        lambda: read_content(path, path.with_suffix("")),
        lambda: page(path),
    )
    for read in readers:
        try:
            read()
        except AmendsError:
            continue
    is_sealed(directory)


def page(path: Path) -> None:
    (path.parent / "run.json").unlink()
    read_as(Results, path)
    write_report(path.parent)


def guides(path: Path) -> None:
    load_language("en", path)
    load_language("xx", path)


TARGETS: dict[str, Target] = {
    "jsonl": Target(of_file("a.jsonl", load), (lines(ROW), lines(PAIR, CHATS)), (*JSON_WORDS, *ROW_WORDS)),
    "list": Target(of_file("a.json", load), (json.dumps([ROW, PAIR]).encode(),), (*JSON_WORDS, *ROW_WORDS)),
    "csv": Target(of_file("a.csv", load), (b"id,prompt,chosen\na,How?,So.\n", b'prompt\n"a\nb"\n'), ROW_WORDS),
    "gzip": Target(of_file("a.jsonl.gz", load), (gzip.compress(lines(ROW)),)),
    "zstd": Target(of_file("a.jsonl.zst", load), (bytes(pyarrow.compress(lines(ROW), "zstd", asbytes=True)),)),
    "parquet": Target(of_file("a.parquet", load), (arrow_bytes(ROW), arrow_bytes(CHATS))),
    "arrow": Target(of_file("a.arrow", load), (arrow_bytes(ROW, columns=False), arrow_bytes(PAIR, columns=False))),
    "rows": Target(in_memory, (json.dumps([ROW]).encode(), json.dumps([PAIR]).encode()), (*JSON_WORDS, *ROW_WORDS)),
    "records": Target(
        of_file("r.jsonl", records),
        (lines(ROW), lines({"id": "a", "verdict": "harmless", "score": 0.9})),
        (*JSON_WORDS, *ROW_WORDS),
    ),
    "yaml": Target(
        lambda data: read_yaml(data.decode("utf-8", "replace")), (b"a: [1, *b]\nc: &b {d: 2}\n",), YAML_WORDS
    ),
    "configuration": Target(
        of_file("c.yaml", load_configuration), tuple(seeds("config/bundled", "*.yaml")), (*YAML_WORDS, *JSON_WORDS)
    ),
    "overrides": Target(overrides, (b"train.epochs=3\x00seed=1", b"suites.a.source=b"), (*YAML_WORDS, "=", ".")),
    "guides": Target(of_file("g.yaml", guides), tuple(seeds("prompts", "*.yaml")), YAML_WORDS),
    "run": Target(
        of_file("run/results.json", run_files),
        (json.dumps(RESULTS).encode(), json.dumps(MANIFEST).encode(), b'{"configuration": {"methods": ["sft"]}}'),
        (*JSON_WORDS, *RESULTS, *MANIFEST),
    ),
    "labels": Target(
        of_file("labels.jsonl", labels),
        (lines({"id": "0-a", "prompt": "How?", "response": "So.", "label": "unsure"}),),
        (*JSON_WORDS, "harmless", "label"),
    ),
    "adapter": Target(
        of_file("adapter/adapter_config.json", lambda path: check_adapter(path.parent)),
        (b'{"peft_type": "LORA", "base_model_name_or_path": "m", "target_modules": ["q_proj"], "r": 4}',),
        JSON_WORDS,
    ),
    "verdicts": Target(ratings, (RATING, b'{"better": "A", "explanation": "b"}', b"unsafe\nS1", b"yes"), JSON_WORDS),
    "texts": Target(texts, (b"<think>a</think> I cannot. It is so, because", "\u202e不 你好。".encode()), ("<think>",)),
    "endpoint": Target(endpoint, (ADDRESS,), ("@", "http://", "#", "?", "%00", "[::1]")),
    "reply": Target(reply, (json.dumps(REPLY).encode(), b'{"data": [{"id": "m"}]}'), JSON_WORDS),
    "served": Target(served, (b"on\n" + json.dumps(REQUEST).encode(),), (*JSON_WORDS, *REQUEST, "role", "content")),
    "upstream": Target(
        upstream,
        (b"data: " + json.dumps(CHUNK).encode() + b"\n\ndata: [DONE]\n\n", json.dumps(REPLY).encode()),
        (*JSON_WORDS, "data: ", "[DONE]", "choices", "delta", "message", "index"),
    ),
}
