"""Several answers to a prompt: how they are asked for, judged, read again, and averaged before anything is compared."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from amends.data.rows import read_rows
from amends.errors import ConfigError, InputError
from amends.evaluation.judge import judge
from amends.evaluation.measurement import Measurement, Read, measure
from amends.evaluation.respond import RespondSettings, RespondTask, drawn, respond
from amends.evaluation.results import compare, system_row
from amends.evaluation.seeds import pooled_row
from amends.judges.base import Judge
from amends.models.base import Generation, Model, Prompt, Sampling
from amends.progress import ProgressCallback, no_progress
from amends.prompts import UNGUIDED
from amends.records import Instruction, Response, Verdict

PROMPTS = [Instruction(id=str(number), prompt=f"Question {number}?") for number in range(3)]


class Numbering(Model):
    """Answers with the seed's last digits and the place in the call."""

    name = fingerprint = "numbering"

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, seed: int, progress: ProgressCallback = no_progress
    ) -> list[Generation]:
        return [Generation(f"{seed % 1000} {place}", True, 1) for place in range(len(prompts))]


class Half(Judge):
    """Finds answers whose last digit is odd harmful."""

    name = fingerprint = "half"

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float | None]:
        return [0.2 if int(text[-1]) % 2 else 0.9 for _, text in pairs]


def responses(draws: int) -> list[Response]:
    return list(respond(drawn(lambda: PROMPTS, draws), RespondTask(Numbering(), UNGUIDED, Sampling(), 3)))


def test_draws_follow_one_another_and_each_row_says_which_it_is() -> None:
    rows = responses(3)
    assert [(row.id, row.draw) for row in rows] == [(str(n), draw) for draw in range(3) for n in range(3)]
    assert len({row.response for row in rows}) == 9
    verdicts = list(judge(rows, Half()))
    assert [(row.id, row.draw) for row in verdicts] == [(row.id, row.draw) for row in rows]


def test_one_draw_has_the_bytes_of_before() -> None:
    (row, *_), (verdict, *_) = responses(1), judge(responses(1), Half())
    assert list(json.loads(row.model_dump_json())) == ["id", "prompt", "response", "finished"]
    assert list(json.loads(verdict.model_dump_json())) == ["id", "verdict", "score", "helpful", "prompt_hash"]


def test_draws_are_read_from_a_file_and_one_that_comes_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    path.write_text("".join(row.model_dump_json() + "\n" for row in responses(2)))
    assert list(read_rows(path, Response)) == responses(2)
    path.write_text(path.read_text() + responses(2)[-1].model_dump_json() + "\n")
    with pytest.raises(InputError, match="line 7: id '2' is already that of an earlier row"):
        list(read_rows(path, Response))


def test_draws_without_chance_are_refused() -> None:
    with pytest.raises(ConfigError, match="at temperature 0 all draws are equal"):
        RespondSettings(draws=2, temperature=0)


def measured(*letters: str, method: str = "sft", kind: str = "red-team") -> Measurement:
    """A text of letters a draw, a letter a prompt: `+` harmless, `r` a harmless refusal, `-` harmful, `?` unscored."""
    labels = {"+": "harmless", "r": "harmless", "-": "harmful", "?": "unscored"}
    scores = {"harmless": 0.9, "harmful": 0.2}
    cells = [(str(place), draw, one) for draw, text in enumerate(letters) for place, one in enumerate(text)]
    verdicts = [
        Verdict(id=name, draw=draw, verdict=labels[one], score=scores.get(labels[one]))  # type: ignore[arg-type]
        for name, draw, one in cells
    ]
    answers = [Read(name, one == "r", one == "-", 9, draw) for name, draw, one in cells]
    return measure(method, "guided", "s", kind, verdicts, answers, categories=[("0", "a"), ("0", "b"), ("1", "b")])


def test_a_prompts_draws_are_averaged_and_prompts_are_counted() -> None:
    row = system_row(measured("+r-+", "++-r", "+---", "+-++"), seed=0)
    assert (row.n, row.draws, row.unscored) == (4, 4, 0)
    assert row.harmless_rate == pytest.approx((4 + 2 + 1 + 3) / 16)
    assert row.harmless_probability == pytest.approx((10 * 0.9 + 6 * 0.2) / 16)
    assert row.truncated_rate == pytest.approx(6 / 16)
    assert row.harmful_rate == pytest.approx(6 / 16)
    assert row.harmless_refusal_rate == pytest.approx(2 / 16)
    assert row.harmless_engaged_rate == pytest.approx(8 / 16)
    assert row.categories["b"].n == 2 and row.categories["b"].harmful_rate == pytest.approx((0 + 2 / 4) / 2)


def test_what_is_unscored_counts_by_answers_and_bounds_the_rate() -> None:
    row = system_row(measured("+?", "+-", "??"), seed=0)
    assert row.unscored == 3
    assert row.harmless_rate == pytest.approx((1 + 0) / 2), "of the scored answers of each prompt"
    assert row.harmless_rate_bounds == pytest.approx((2 / 6, 5 / 6))


def test_more_draws_of_the_same_systems_find_smaller_differences() -> None:
    """Prompts stay the unit: n is the same, and what draws differ by at random is averaged away."""
    good = ["+-++-+++-+++" * 3, "++-+++-+++-+" * 3, "-+++++++-+++" * 3, "+++-++-+++++" * 3]
    bad = ["-+-+-++--+-+" * 3, "+--+-+-+--++" * 3, "-+--++-+-+-+" * 3, "+-+-+--+-+-+" * 3]
    once = compare(measured(good[0]), measured(bad[0], method="vanilla"), 0)
    often = compare(measured(*good), measured(*bad, method="vanilla"), 0)
    of_rates = [next(one for one in found if one.metric == "harmless_rate") for found in (once, often)]
    assert [one.n for one in of_rates] == [36, 36]
    assert of_rates[0].detectable and of_rates[1].detectable
    assert of_rates[1].detectable < 0.75 * of_rates[0].detectable
    assert "McNemar" in of_rates[0].test and "t test" in of_rates[1].test


def test_draws_are_averaged_within_each_seed_too() -> None:
    row = pooled_row([measured("+-", "++"), measured("--", "+-")])
    assert (row.seeds, row.draws, row.answers_a_prompt) == (2, 2, 4)
    assert row.harmless_rate == pytest.approx((1 + 0.5 + 0.5 + 0) / 4)


def test_one_draw_twice_is_refused() -> None:
    with pytest.raises(InputError, match="each draw its number"):
        measure("sft", "guided", "s", "red-team", [Verdict(id="a", verdict="harmless", draw=1)] * 2)
