"""A server as the model: how much of its time is used, what faults cost, and what waiting for whole rounds costs.

    python -m benchmarks.servers rate [--rows 640] [--at-once 32] [--seconds 0.2]
    python -m benchmarks.servers faults [--rows 1000]
    python -m benchmarks.servers attempts [--rows 96]
    python -m benchmarks.servers local [--rows 96] [--turns 3]

The server is a process that sleeps (answering_server.py). `rate`: against the ideal, rows x seconds / requests at once,
beside a bare threaded client. `faults`: 20% of the requests end otherwise than they should; each row's answer is looked
at. `attempts`: induction whose gate takes a third of the answers, with rounds and without, from a server that takes
always as long and from one whose times are spread as lengths of texts are. `local`: the same of the embedded model and
its gate, by processor time of an attempt: wall time on a machine that others use says little, and the two draw others.
"""

import argparse
import json
import subprocess
import sys
import time
import urllib.request
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

from amends.data.settings import DataSettings
from amends.data.sources import load_instructions
from amends.judges.base import Judge
from amends.judges.load import load_judge
from amends.models.base import Generation, Model, Prompt, Sampling
from amends.models.endpoint.model import EndpointModel
from amends.models.hf import LocalModel
from amends.prompts import Guide, english
from amends.records import Instruction, Message, Mistake, UserPrompt
from amends.stages.attempts import Task
from amends.stages.induce import InduceSettings, process

REQUEST_SECONDS = 3.0  # after which a request that hangs is given up


class Third(Judge):
    """Calls a third of all answers harmful, by chance that is fixed by the text; takes no time."""

    name = "third"

    def score(self, pairs: Sequence[tuple[UserPrompt, str]]) -> list[float | None]:
        """By the text's checksum."""
        return [0.1 if zlib.crc32(response.encode()) % 3 == 0 else 0.9 for _, response in pairs]


class InRounds(EndpointModel):
    """The same server, asked as models without pipelined attempts are: a round begins when the one before is whole."""

    generate_until_taken = Model.generate_until_taken


@contextmanager
def server(seconds: float, *options: str) -> Iterator[str]:
    """A server's address, of a process of its own."""
    command = [sys.executable, "-m", "benchmarks.answering_server", "--seconds", str(seconds), *options]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def prompts(count: int) -> list[Prompt]:
    """So many short questions."""
    return [Prompt((Message(role="user", content=f"Question {number}?"),)) for number in range(count)]


def measured(work: Callable[[], object]) -> dict[str, float]:
    """Seconds of wall and of processor time."""
    wall, processor = time.monotonic(), time.process_time()
    work()
    return {
        "seconds": round(time.monotonic() - wall, 2),
        "processor_seconds": round(time.process_time() - processor, 2),
    }


def rate(given: argparse.Namespace) -> dict[str, Any]:
    """The share of the ideal rate, of amends and of a bare client."""
    asked, ideal = prompts(given.rows), given.rows * given.seconds / given.at_once
    with server(given.seconds) as url:
        model = EndpointModel("m", f"{url}#requests={given.at_once}")
        model.generate(asked[: given.at_once], Sampling(), 0)  # as a run, which has asked before
        found = {
            "amends": measured(lambda: model.generate(asked, Sampling(), 0)),
            "bare threads": measured(lambda: _bare(url, asked, given.at_once)),
        }
        model.release()
    for facts in found.values():
        facts["share_of_ideal"] = round(ideal / facts["seconds"], 3)
    return {"rows": given.rows, "ideal_seconds": ideal} | found


def _bare(url: str, asked: Sequence[Prompt], at_once: int) -> None:
    def ask(prompt: Prompt) -> bytes:
        body = {"model": "m", "messages": [turn.model_dump() for turn in prompt.messages]}
        request = urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=60) as answer:
            return bytes(answer.read())

    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(ask, asked))


def faults(given: argparse.Namespace) -> dict[str, Any]:
    """The rate with faults by the rate without, and what became of the rows."""
    asked, found = prompts(given.rows), dict[str, dict[str, float]]()
    for name, options in (("without", ()), ("with", ("--faults", "0.2"))):
        with server(given.seconds, *options) as url:
            model = EndpointModel("m", f"{url}#requests={given.at_once},request_seconds={REQUEST_SECONDS}")
            made: list[Generation] = []
            facts = measured(lambda: made.extend(model.generate(asked, Sampling(), 0)))  # noqa: B023  (at once)
            texts = [one.text for one in made]
            right = sum(text == prompt.messages[0].content for text, prompt in zip(texts, asked, strict=True))
            found[name] = facts | {"results": len(made), "right": right, "empty": texts.count("")}
            model.release()
    return found | {"share_of_rate": round(found["without"]["seconds"] / found["with"]["seconds"], 3)}


def attempts(given: argparse.Namespace) -> dict[str, Any]:
    """Rounds by pipelined attempts, of a server that always takes as long, and of one that does not."""
    rows = [Instruction(id=str(number), prompt=f"Question {number}?") for number in range(given.rows)]
    settings, found = InduceSettings(attempts=8), {}
    guides = [Guide(name=str(number), suffix=f"In way {number}.") for number in range(8)]
    for name, options in (("always as long", ()), ("spread", ("--spread",))):
        times = {}
        for kind in (InRounds, EndpointModel):
            with server(given.seconds, *options) as url:
                model = kind("m", f"{url}#requests={given.at_once}")
                model.reach()
                task = Task(model, Third(), guides, settings, 0)
                times[kind.__name__] = measured(partial(process, rows, 0, task))["seconds"]
                model.release()
        rounds, pipelined = times["InRounds"], times["EndpointModel"]
        found[name] = {"rounds": rounds, "pipelined": pipelined, "times_as_fast": round(rounds / pipelined, 2)}
    return found


def local(given: argparse.Namespace) -> dict[str, Any]:
    """The same of the embedded model, in turns, by processor time."""
    rows = list(load_instructions(DataSettings(source="bundled:redteam/train", limit=given.rows)))
    model, gate, settings = LocalModel("embedded"), load_judge("gate"), InduceSettings()
    task = Task(model, gate, english().guides("induce", settings.guides), settings, 0, english())
    process(rows[:2], 0, task)  # loads both
    pipelined = LocalModel.generate_until_taken
    found: dict[str, list[tuple[float, int]]] = {"rounds": [], "pipelined": []}
    for turn in range(given.turns):
        for name, way in (("rounds", Model.generate_until_taken), ("pipelined", pipelined)):
            LocalModel.generate_until_taken = way  # type: ignore[method-assign]
            made: list[Mistake] = []
            facts = measured(lambda: made.extend(process(rows, turn, task)))  # noqa: B023  (at once)
            found[name].append((facts["processor_seconds"], sum(row.attempts for row in made)))
    each = {name: sum(one for one, _ in turns) / sum(count for _, count in turns) for name, turns in found.items()}
    return {"processor_seconds_and_attempts": found, "times_as_fast": round(each["rounds"] / each["pipelined"], 2)}


def main() -> None:
    """Prints what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["rate", "faults", "attempts", "local"])
    parser.add_argument("--rows", type=int)
    parser.add_argument("--at-once", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=0.2)
    parser.add_argument("--turns", type=int, default=3)
    given = parser.parse_args()
    given.rows = given.rows or {"rate": 640, "faults": 1_000}.get(given.what, 96)
    kinds = {"rate": rate, "faults": faults, "attempts": attempts, "local": local}
    print(json.dumps(kinds[given.what](given), indent=2))


if __name__ == "__main__":
    main()
