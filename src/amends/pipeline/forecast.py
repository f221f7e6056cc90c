"""What the steps of a run may take, by the names that they are reported and timed by."""

from collections.abc import Iterator

from amends.config.estimate import Estimate
from amends.config.methods import METHODS, with_starts
from amends.config.settings import Configuration
from amends.evaluation.suites.base import SUITE_KINDS
from amends.progress import Guess

JUDGED = 0.15
"""What the bundled judge takes of the time that the answers took: 26 of 224 s in the quickstart, on two cores."""


def guesses(configuration: Configuration, found: Estimate) -> dict[str, Guess]:
    """The seconds of each step by its name, from the estimate of a run.

    Example:
        >>> from amends.config.reading import load_configuration
        >>> list(guesses(load_configuration("quickstart"), Estimate(0, (), 0, 0)))
        []
    """
    trainings = {METHODS[name].training for name in with_starts(configuration.methods)}
    steps: dict[str, Guess] = {}
    for cost in found.costs:
        if cost.seconds is None:  # others compute
            continue
        suite = cost.step.removeprefix("suite ")
        if suite not in configuration.suites or suite == cost.step:
            steps[cost.step] = Guess("training" if cost.step in trainings else "texts", cost.seconds)
            continue
        judged = SUITE_KINDS[configuration.suites[suite].kind].judged
        systems = list(_systems(configuration))
        each = cost.seconds / len(systems)
        for system in systems:
            steps[f"{system}: {suite}"] = Guess("answers" if judged else "losses", each)
            if judged:
                steps[f"{system}: verdicts on {suite}"] = Guess("verdicts", JUDGED * each)
    return steps


def _systems(configuration: Configuration) -> Iterator[str]:
    for method in configuration.methods:
        for inference in configuration.respond.inference:
            yield f"{method} {inference}"
