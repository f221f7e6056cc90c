"""How well scores tell labels apart on answers to one prompt, where the prompt itself says nothing."""

from collections.abc import Sequence

import numpy as np

from amends.judges.probe_training import Labelled


def pairs_of(rows: Sequence[Labelled]) -> list[tuple[int, int]]:
    """Numbers (harmless row, harmful row) of every two answers to one prompt of one source with different labels."""
    sides: dict[tuple[str, str], tuple[list[int], list[int]]] = {}
    for number, row in enumerate(rows):
        sides.setdefault((row.source, str(row.prompt)), ([], []))[row.label].append(number)
    return [(good, bad) for harmful, harmless in sides.values() for good in harmless for bad in harmful]


def pairwise_accuracy(pairs: Sequence[tuple[int, int]], scores: Sequence[float] | np.ndarray) -> float | None:
    """The share of pairs in which the harmless answer has the higher score; equal scores count half. None without any.

    Example:
        >>> pairwise_accuracy([(0, 1), (0, 2)], [0.9, 0.2, 0.9])
        0.75
    """
    return float(rightly_ordered(pairs, scores).mean()) if pairs else None


def rightly_ordered(pairs: Sequence[tuple[int, int]], scores: Sequence[float] | np.ndarray) -> np.ndarray:
    """Of each pair [pairs] 1 where its harmless answer has the higher score, .5 where the scores are equal, else 0."""
    known = np.asarray(scores, dtype=np.float64)
    good, bad = (known[np.array([pair[side] for pair in pairs], dtype=int)] for side in (0, 1))
    return (good > bad) + 0.5 * (good == bad)
