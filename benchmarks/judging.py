"""Judging beside its peer: the bundled probe over responses in batches, and one response at a time.

    python -m benchmarks.judging [--rows 200] [--turns 5] [--judge classifier:FILE] [--json]

One at a time runs the same layers of the same model, so that what is compared is the batching alone. `--judge` adds
another judge on the same responses; its work is given as the probe's, so that its tokens a second alone say something.
"""

import argparse

from amends.data.settings import DataSettings
from amends.data.sources import load_instructions
from amends.judges.load import load_judge
from amends.judges.probe import ProbeJudge
from benchmarks.measure import Contestant, Work, alternate, options, show


def main() -> None:
    """Runs the contestants and shows the table."""
    given = options(__doc__ or "", _own_options)
    rows = load_instructions(DataSettings(source="bundled:redteam/train", limit=given.rows))
    pairs = [(row.prompt, row.chosen or "") for row in rows]
    judge = ProbeJudge("probe")
    judge.score(pairs[:2])  # loads the model
    assert judge._extractor is not None
    backbone = judge._extractor.backbone
    weights = sum(weight.numel() for weight in backbone.layers.parameters() if weight.dim() == 2)
    encoded = [judge._extractor.encode(*pair) for pair in pairs]
    lengths = [len(ids) for ids, _ in encoded]  # what the judge reads; the common beginning is computed once
    computed = sum(lengths) - len(judge._extractor._prefix(encoded)) * (len(pairs) - 1)

    def batched() -> Work:
        judge.score(pairs)
        return Work(sum(lengths), 2.0 * weights * computed)

    def one_at_a_time() -> Work:
        for pair in pairs[::4]:
            judge.score([pair])
        return Work(sum(lengths[::4]), 2.0 * weights * sum(lengths[::4]))

    contestants = [Contestant("amends", batched), Contestant("one response at a time", one_at_a_time)]
    if given.judge:
        other = load_judge(given.judge)
        other.score(pairs[:2])

        def others() -> Work:
            other.score(pairs)
            return Work(sum(lengths), 2.0 * weights * computed)

        contestants.append(Contestant(given.judge, others))
    show(alternate(contestants, given.turns, backbone.dtype, backbone.device.type, "tokens"), given.json)


def _own_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--judge")


if __name__ == "__main__":
    main()
