"""Out of amends: a merged model with its card, GGUF, and a run's records as Parquet or as logs of Inspect."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from amends.errors import InputError, ModelError, StoreError
from amends.pipeline.cards import CARD, card_of
from amends.pipeline.deployment import Deployment
from amends.pipeline.guided_template import guided_template
from amends.pipeline.inspect_logs import logs_of
from amends.pipeline.merging import Parity, write_merged
from amends.storage.files import json_text
from amends.storage.locks import device_errors, full_device, held
from amends.storage.run_directory import read_run
from amends.storage.unfinished import Part
from amends.storage.vouched import refuse_damaged_in

CONVERTER, CONVERTER_PLACE = "convert_hf_to_gguf.py", "LLAMA_CPP"


def export_model(
    deployment: Deployment, out: Path, say: Callable[[str], None], with_reminder: bool = False, gguf: bool = False
) -> Parity:
    """Writes a merged model with its card, whole or not at all.

    Args:
        deployment: the model, and what was said to it.
        out: a directory, which does not exist.
        say: takes news, a line each.
        with_reminder: whether reminder and system prompt go into its chat template.
        gguf: whether llama.cpp's converter makes a GGUF file of it, too.

    Raises:
        InputError: the output exists, or the converter is missing.
        ModelError: the chat template has no place for the reminder.
        MeasurementError: the merged model answers otherwise than the adapter on its base, beyond the rounding.
    """
    converter = find_converter() if gguf else None
    model = deployment.local
    template = None
    if with_reminder:
        template = guided_template(deployment.guide, model.source, deployment.system_prompt)
    with _whole(out) as making:
        parity = write_merged(model, making, template)
        say(parity.in_words)
        if converter:
            convert(converter, making, making / f"{out.name}-bf16.gguf", deployment.name)
        form = "merged model in bfloat16" + (", the reminder in its chat template" if with_reminder else "")
        (making / CARD).write_text(card_of(deployment, form), encoding="utf-8")
    return parity


def export_logs(run: Path, out: Path) -> list[Path]:
    """Writes a run's answers and verdicts as logs of Inspect, one of each system on each suite; returns these.

    Raises InputError where there is no finished run, or the output exists.
    """
    _refuse_no_run(run)
    with _whole(out) as making:
        names = []
        for name, log in logs_of(run):
            (making / name).parent.mkdir(parents=True, exist_ok=True)
            (making / name).write_text(json_text(log), encoding="utf-8")
            names.append(name)
    return [out / name for name in names]


def _refuse_no_run(run: Path) -> None:
    if read_run(run) is None:
        raise InputError(f"{run}: no run.json in it, so it is no run directory; name one that has it")
    refuse_damaged_in(run)


def export_records(run: Path, out: Path) -> list[Path]:
    """Writes a run's records as Parquet, a file for each of its JSONL files, by the same names; returns these.

    Conversations, and values of which a column has several types, are JSON as text.

    Raises InputError where there is no run, or the output exists.
    """
    _refuse_no_run(run)
    files = [path for path in sorted(run.rglob("*.jsonl")) if not any(one.startswith(".") for one in path.parts)]
    if not files:
        raise InputError(f"{run}: has no records yet; finish the run first")
    with _whole(out) as making:
        for path in files:
            _to_parquet(path, making / path.relative_to(run).with_suffix(".parquet"))
    return [out / path.relative_to(run).with_suffix(".parquet") for path in files]


def _to_parquet(source: Path, target: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    with source.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    columns = {name: [row.get(name) for row in rows] for name in dict.fromkeys(name for row in rows for name in row)}
    for name, values in columns.items():
        if len({type(one) for one in values if one is not None} - {int, float}) > 1 or any(
            isinstance(one, list | dict) for one in values
        ):
            columns[name] = [
                one if one is None or isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in values
            ]
    target.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.table(columns), target)


@contextmanager
def _whole(out: Path) -> Iterator[Path]:
    """A directory to write in, which is put into the output's place when all went well, and else is not there."""
    if out.exists():
        raise StoreError(f"{out}: exists, and is not overwritten; choose another output with --out, or remove it")
    with device_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
    part = Part(out, "export")
    with held(out):
        part.refuse_foreign()
        try:
            with device_errors(out):
                part.discard()
                part.claim()
                part.finished.mkdir()
            with full_device(out):
                yield part.finished
            with device_errors(out):
                part.put()
        finally:
            part.discard()


def find_converter() -> list[str]:
    """The command of llama.cpp's converter: on the path, or in the checkout that LLAMA_CPP names.

    Raises InputError where there is none.
    """
    place = os.environ.get(CONVERTER_PLACE)
    if place and (Path(place) / CONVERTER).is_file():
        return [sys.executable, str(Path(place) / CONVERTER)]
    if found := shutil.which(CONVERTER):
        return [found]
    raise InputError(
        f"--gguf: llama.cpp's {CONVERTER} is not on the path; get llama.cpp, and name its checkout: "
        f"{CONVERTER_PLACE}=DIRECTORY"
    )


def convert(command: list[str], model: Path, out: Path, name: str) -> None:
    """A GGUF file of a model directory, with the name that it says to be of.

    Raises ModelError with what the converter says where it fails.
    """
    told = ["--model-name", name, "--outfile", str(out), "--outtype", "bf16"]
    done = subprocess.run([*command, str(model), *told], capture_output=True, text=True, check=False)
    if done.returncode or not out.exists():
        last = next(reversed(done.stderr.strip().splitlines()), "it says nothing")
        missing = re.search(r"No module named '(\w+)", last)
        remedy = f"pip install {missing[1]}" if missing else "leave --gguf out, and convert it yourself"
        raise ModelError(f"llama.cpp's converter fails: {last[:300]}; {remedy}")
