"""What is left of a run is guessed, and put right by what its steps took."""

import pytest

from amends.progress import Guess
from amends.reporting.forecast import Forecast, duration_text

GUESSES = {
    "mistakes": Guess("texts", 60.0),
    "analyses": Guess("texts", 30.0),
    "training": Guess("training", 100.0),
}


def test_a_kind_of_work_is_put_right_by_its_own_steps_and_others_by_all() -> None:
    forecast = Forecast(GUESSES)
    assert forecast.left() == 190.0
    forecast.took("copies", 5.0)
    assert forecast.left() == 190.0, "of which nothing was guessed"
    forecast.took("mistakes", 20.0)
    assert forecast.left() == pytest.approx(10.0 + 100.0 / 3)
    forecast.took("training", 200.0)
    assert forecast.left() == pytest.approx(10.0)
    forecast.took("analyses", 9.0)
    assert forecast.left() is None and Forecast({}).left() is None


def test_a_step_at_work_puts_the_others_right_by_the_share_that_is_done() -> None:
    forecast = Forecast(GUESSES)
    assert forecast.left("mistakes", 5.0, 0.25) == pytest.approx(15.0 + 10.0 + 100.0 / 3)
    assert forecast.left("mistakes", 5.0) == pytest.approx(55.0 + 130.0), "of which nothing is known yet"
    assert forecast.left("mistakes", 100.0) == pytest.approx(130.0), "and not less than none"
    assert forecast.left("elsewhere", 100.0, 0.5) == 190.0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(41.2, "41 s"), (430, "7 min"), (7_800, "2 h 10 min"), (86_400, "24 h"), (259_200, "3 days")],
)
def test_durations_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert duration_text(seconds) == words
