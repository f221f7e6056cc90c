"""A language model behind any OpenAI-compatible endpoint."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from urllib.parse import urlsplit

from pydantic import BaseModel

from amends.errors import InputError, ModelError, closest
from amends.models.base import SHORT, Generation, Model, Prompt, Sampling
from amends.models.endpoint.address import Address, read_address
from amends.models.endpoint.asking import Asking
from amends.models.endpoint.connection import Connection
from amends.models.endpoint.flight import Flight
from amends.models.endpoint.prefill import refusal_of_prefill
from amends.models.endpoint.served import served_instead
from amends.models.turns import Turn, Turns
from amends.progress import ProgressCallback, no_progress
from amends.seeds import derive_seed
from amends.storage.files import fingerprint

AT_ONCE = "AMENDS_REQUESTS"  # the variable that says how many requests are in flight, which servers batch
DEFAULT_AT_ONCE = 16
MODELS_SHOWN = 5


class EndpointModel(Model):
    """A model behind an OpenAI-compatible endpoint, such as `vllm serve`, llama.cpp's server or a hosted one.

    A request that the server cannot answer, while it answers others, has an empty answer: it costs its row alone.

    Args:
        model: its name there.
        url: the base address, with `/v1` where the server has it.
        form: what an answer has to look like, where the server can be told so; any text by default.
        system_prompt: the system turn of all conversations that have none of their own.
    """

    elsewhere = True

    def __init__(
        self, model: str, url: str | Address, form: type[BaseModel] | None = None, system_prompt: str | None = None
    ) -> None:
        self.name = model
        self.address = read_address(url) if isinstance(url, str) else url
        self.form = form
        self.system_prompt = system_prompt
        self.at_once = self.address.options.requests or _requests_at_once()
        self._connection = Connection(self.address, model)
        self._asking = Asking(self._connection, form, system_prompt)
        self._others: list[str] | None = None  # models that answer in its place; not known before it is asked
        self._refuses_prefill: str | None = None  # why; not known before it is asked

    @property
    def url(self) -> str:
        """The address that is asked, without secrets."""
        return self._connection.address.url

    @property
    def fingerprint(self) -> str:
        """Hash of all that it is told: what the server runs under that name cannot be seen from here."""
        sent = self.address.options.sent
        told = {"system_prompt": self.system_prompt, "sent": sent, "trained_on": self.trained_on}
        told = {name: value for name, value in told.items() if value}
        return fingerprint(endpoint=self.address.identity, model=self.name, **told)

    @property
    def identity(self) -> str:
        """The fingerprint without what it is told."""
        return fingerprint(endpoint=self.address.identity, model=self.name)

    @property
    def title(self) -> str:
        """Its name with the server's host."""
        return f"{self.name} at {urlsplit(self.url).hostname}"

    @property
    def label(self) -> str:
        """Address and name."""
        return self._asking.label

    @property
    def rows_between_saves(self) -> int:
        """Some for each request in flight."""
        return 4 * self.at_once

    def check(self, prompt: Prompt) -> None:
        """Raises ModelError for first words of an answer, where the server does not go on with them: it is asked once.

        vLLM and SGLang do (`continue_final_message`).
        """
        if not prompt.prefill:
            return
        if self._refuses_prefill is None:
            with self._asked():
                self._refuse_another()
                flight: Flight[None, str] = Flight(self._connection, 1)
                flight.send(None, partial(refusal_of_prefill, self._asking))
                ((_, self._refuses_prefill),) = flight.landed()
        if self._refuses_prefill:
            raise ModelError(
                f"{self.label} does not go on with the first words of an answer ({self._refuses_prefill}); choose a "
                "guide without a prefill, or serve it by vLLM or SGLang"
            )

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, seed: int, progress: ProgressCallback = no_progress
    ) -> list[Generation]:
        """Answers, many at once.

        Raises ModelError where the server does not answer, has no room for so many tokens, fails at most requests, or a
        prompt has a prefill; OutageError where it has answered before, and stays away.
        """
        made: dict[int, Generation] = {}

        def take(answered: Sequence[tuple[Turn, Generation]]) -> list[bool]:
            made.update((turn.row, one) for turn, one in answered)
            return [True for _ in answered]

        turns = Turns(len(prompts), 1, lambda turn: prompts[turn.row], take)
        # Of its own for each row: equal prompts are there to be answered in several ways.
        self._answer(turns, sampling, lambda turn: derive_seed(seed, "row", turn.row), seed, progress)
        return [made[row] for row in range(len(prompts))]

    def generate_until_taken(
        self, turns: Turns, sampling: Sampling, seed: int, progress: ProgressCallback = no_progress
    ) -> None:
        """Asks each row again as soon as its answer was not taken, beside rows at any attempt. Raises as `generate`."""
        self._answer(turns, sampling, lambda turn: turn.seed(seed), seed, progress)

    def _answer(
        self,
        turns: Turns,
        sampling: Sampling,
        seed_of: Callable[[Turn], int],
        greedy_seed: int,
        progress: ProgressCallback,
    ) -> None:
        """Asks turns, many at once, and takes what comes back while others are in flight."""
        flight: Flight[Turn, Generation] = Flight(self._connection, self.at_once)
        had_room = False

        def send(asked: Iterable[Turn]) -> None:
            for turn in asked:
                prompt = turns.prompt(turn)
                self.check(prompt)
                of_turn = seed_of(turn) if sampling.temperature else greedy_seed
                flight.send(turn, partial(self._asking.ask, prompt, sampling, of_turn))

        with self._asked():
            self._refuse_another()
            waiting = turns.first()
            # One alone where it has never answered: whether it does is to be known before many are.
            first = 1 if self._connection.answered is None else len(waiting)
            send(waiting[:first])
            while landed := flight.landed():
                for _, made in landed:
                    progress(1, made.tokens)
                    had_room = had_room or not made.had_no_room
                send(waiting[first:])
                waiting = []
                send(turns.following(landed))
            if turns.rows and not had_room:
                self._refuse_no_room(sampling, greedy_seed)

    def _refuse_another(self) -> None:
        """Raises ModelError where another model answers in the place of this one; the server is asked once."""
        if self._others is None:
            flight: Flight[None, list[str]] = Flight(self._connection, 1)
            flight.send(None, partial(served_instead, self._connection))
            ((_, self._others),) = flight.landed()
        if others := self._others:
            close = closest(self.name, others)
            meant = f"; did you mean {close!r}?" if close else ""
            raise ModelError(
                f"{self.url}: serves {', '.join(others[:MODELS_SHOWN])}, and answers as these to any name, also to "
                f"{self.name!r}; name the one that is meant{meant}"
            )

    @contextmanager
    def _asked(self) -> Iterator[None]:
        """The connection is open in it, and left where something fails: what the server does not answer is said."""
        import openai

        self._connection.open()
        try:
            yield
        except BaseException as error:
            self._connection.leave()
            if not isinstance(error, openai.OpenAIError):
                raise
            raise ModelError(
                f"{self.label} does not answer ({self._connection.reason_of(error)}); is the server "
                "running, is the name one of its models, and is OPENAI_API_KEY set where it wants a key?"
            ) from error

    def _refuse_no_room(self, sampling: Sampling, seed: int) -> None:
        """Raises ModelError where a short prompt leaves no room either."""
        flight: Flight[None, Generation] = Flight(self._connection, 1)
        flight.send(None, partial(self._asking.ask, SHORT, sampling, seed))
        ((_, made),) = flight.landed()
        if made.had_no_room:
            raise ModelError(
                f"{self.label} has no room for {sampling.max_new_tokens} tokens after a short "
                "prompt; lower max_new_tokens (--max-new-tokens)."
            )

    def release(self) -> None:
        """Closes the connections."""
        self._connection.close()


def _requests_at_once() -> int:
    said = os.environ.get(AT_ONCE) or str(DEFAULT_AT_ONCE)
    if not said.isascii() or not said.isdigit() or not 1 <= int(said) <= 4096:
        raise InputError(f"{AT_ONCE}={said}: give the number of requests to have in flight, 1 to 4096")
    return int(said)
