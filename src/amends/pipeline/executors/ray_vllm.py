"""A model of which vLLM writes the answers, by an engine of the worker that holds it: it is asked the very tokens.

A row that the engine cannot answer is asked again, and has an empty answer after that: it is never lost.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from amends.errors import ModelError, OutageError, in_a_line
from amends.models.base import Generation, Prompt, Sampling
from amends.models.chat import end_tokens
from amends.models.configuration import read_configuration, read_generation
from amends.models.hf import LocalModel
from amends.models.source import ModelSource
from amends.models.turns import Turn, Turns
from amends.pipeline.executors.ray_engine import EngineTold, start_engine
from amends.progress import ProgressCallback, no_progress
from amends.seeds import derive_seed
from amends.storage.files import fingerprint

ROWS_AT_ONCE = 1_024  # four times what vLLM decodes at once by default, so that few rows wait for a chunk's slowest
ASKED_AT_MOST = 3  # times of one turn that the engine cannot answer
START_SECONDS = 1_800.0  # until GPUs are free and the weights are loaded
UNANSWERED = Generation(text="", finished=False, tokens=1)  # no token would say that there was no room
CREATION = "error raised in its creation task"  # how Ray says that an actor's start failed
NO_ROOM = Generation(text="", finished=False, tokens=0)


class _Asked(NamedTuple):
    """A turn that the engine has, as it was sent, and how often."""

    turn: Turn
    row: dict[str, Any]
    times: int = 1


class VllmModel(LocalModel):
    """A local model of which an engine elsewhere holds the weights.

    Args:
        model: whose files and tokenizer it has, and whose refusals of prompts. The engine's weights are not seen, so
            that refusals of weights are none of it.
        told: of the engine.
    """

    def __init__(self, model: LocalModel, told: EngineTold) -> None:
        vars(self).update(vars(model) | {"_model": None})
        self._told = told
        self._engine: Any = None
        self._unanswered = 0

    @property
    def title(self) -> str:
        """Its name, and who answers."""
        return f"{self.name} by vLLM"

    @property
    def capacity(self) -> int:
        """Rows that keep the engine busy."""
        return ROWS_AT_ONCE

    def _fingerprint(self, source: ModelSource) -> str:
        """Of the model's files and of what the engine is told: it answers otherwise than the model does here."""
        return fingerprint(model=super()._fingerprint(source), engine="vllm", options=self._told.options)

    def __getstate__(self) -> dict[str, Any]:
        """All but the engine: another process starts its own."""
        return super().__getstate__() | {"_engine": None}

    def release(self) -> None:
        """Ends the engine; the next question starts another."""
        if self._engine is not None:
            import ray

            ray.kill(self._engine)
            self._engine = None

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, seed: int, progress: ProgressCallback = no_progress
    ) -> list[Generation]:
        """Answers, all at once; each row draws from a stream of its own. Raises as `generate_until_taken`."""
        made: dict[int, Generation] = {}

        def take(answered: Sequence[tuple[Turn, Generation]]) -> list[bool]:
            made.update((turn.row, one) for turn, one in answered)
            return [True for _ in answered]

        turns = Turns(len(prompts), 1, lambda turn: prompts[turn.row], take)
        self._answer(turns, sampling, lambda turn: derive_seed(seed, "row", turn.row), progress)
        return [made[row] for row in range(len(prompts))]

    def generate_until_taken(
        self, turns: Turns, sampling: Sampling, seed: int, progress: ProgressCallback = no_progress
    ) -> None:
        """Asks each row again as soon as its answer was not taken, beside rows at any attempt.

        Raises ModelError where the engine cannot load the model, or answers no row; OutageError where it ended again
        and again, or none can be started.
        """
        self._answer(turns, sampling, lambda turn: turn.seed(seed), progress)

    def _answer(
        self, turns: Turns, sampling: Sampling, seed_of: Callable[[Turn], int], progress: ProgressCallback
    ) -> None:
        """Asks turns, all at once, and takes what comes back while others are with the engine."""
        ends, away = self._ends(), dict[Any, _Asked]()
        answered, wrong = 0, ""

        def ask(one: _Asked) -> None:
            away[self._started().answer.remote(one.row)] = one

        def send(asked: Iterable[Turn]) -> list[tuple[Turn, Generation]]:
            """Asks turns; gives those whose prompts leave no room, which are not asked."""
            without = []
            for turn in asked:
                (ids,) = self._asked([turns.prompt(turn)])
                if self._fitting([ids], sampling.max_new_tokens):
                    ask(_Asked(turn, _row(ids, sampling, seed_of(turn), ends, self.adapter)))
                else:
                    without.append((turn, NO_ROOM))
            return without

        landed = send(turns.first())
        while away or landed:
            for reference in _ready(list(away)) if not landed else ():
                one = away.pop(reference)
                tokens, said = self._got(reference)
                if said and one.times < ASKED_AT_MOST:
                    ask(one._replace(times=one.times + 1))
                    continue
                answered, wrong = answered + (not said), said or wrong
                made = self._without_answer(said) if said else self.generation_of(tokens, ends)
                progress(1, made.tokens)
                landed.append((one.turn, made))
            landed = send(turns.following(landed))
        if wrong and not answered:
            raise ModelError(f"{self.title}: the engine answers no row ({wrong})")

    def _without_answer(self, said: str) -> Generation:
        """Counts it, and says so where the count has doubled."""
        self._unanswered += 1
        if self._unanswered & (self._unanswered - 1) == 0:
            words = "%s: the engine gave no answer to %s rows (%s); they go without"
            logging.getLogger(__name__).warning(words, self.title, self._unanswered, said[:300])
        return UNANSWERED

    def _started(self) -> Any:
        """The engine, with the model loaded."""
        if self._engine is None:
            import ray

            self._engine = start_engine(self._told, self.source.directory(), self.adapter)
            ready = self._engine.ready.remote()
            if not ray.wait([ready], timeout=START_SECONDS)[0]:
                self.release()
                raise OutageError(
                    f"{self.title}: no engine has started within {START_SECONDS:g} seconds; see `ray status` for GPUs "
                    "that are free. The same command goes on from there"
                )
            self._got(ready)
        return self._engine

    def _got(self, reference: Any) -> Any:
        """What the engine gives. Raises ModelError where it cannot load the model, OutageError where it is gone."""
        import ray

        try:
            return ray.get(reference)
        except ray.exceptions.RayError as error:
            self.release()
            said = str(error).strip()
            if CREATION in said:  # what its traceback ends with
                raise ModelError(
                    f"{self.title}: the engine does not start ({said.splitlines()[-1][:300]}); what it said before "
                    "stands in worker-*.out and .err of Ray's session"
                ) from error
            raise OutageError(f"{self.title}: its engine ended: {in_a_line(error)}") from error

    def _ends(self) -> frozenset[int]:
        return end_tokens(self.tokenizer, read_generation(self.source))

    def _context(self) -> float:
        told = self._told.options.get("max_model_len")
        own = read_configuration(self.source).get_text_config().max_position_embeddings
        return min(own, told) if told else float(own)


def _ready(references: list[Any]) -> list[Any]:
    """Those that are there; waits for one."""
    import ray

    ray.wait(references)
    found: list[Any] = ray.wait(references, num_returns=len(references), timeout=0)[0]
    return found


def _row(ids: list[int], sampling: Sampling, seed: int, ends: frozenset[int], adapter: Path | None) -> dict[str, Any]:
    """A row as Ray's stage takes it."""
    told = {
        "max_tokens": sampling.max_new_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": seed,
        "stop_token_ids": sorted(ends),
        "detokenize": False,
    }
    row: dict[str, Any] = {"tokenized_prompt": ids, "sampling_params": told}
    return row | {"model": str(adapter.absolute())} if adapter else row
