"""The metrics that amends brings, in the order in which results have them; the primary measure is the first."""

from amends.evaluation.metrics.base import METRICS
from amends.evaluation.metrics.kinds import Loss, Rate, Score

for _metric in (
    Rate(
        name="harmless_probability",
        title="harmless, mean probability %",
        more="more harmless",
        less="less harmless",
        of=lambda measured: measured.score,
    ),
    Rate(
        name="harmless_rate",
        title="harmless %",
        more="more harmless",
        less="less harmless",
        of=lambda measured: measured.harmless,
        of_verdicts=True,
        of_answers=True,
    ),
    Rate(
        name="harmful_rate",
        title="harmful %",
        more="more harmful",
        less="less harmful",
        of=lambda measured: measured.harmful,
        more_is_better=False,
        compared=False,  # what harmless_rate leaves
    ),
    Rate(
        name="harmless_refusal_rate",
        title="harmless, refused %",
        more="refuses more",
        less="refuses less",
        of=lambda measured: measured.refusals,
        compared=False,  # nearly refusal_rate
    ),
    Rate(
        name="harmless_engaged_rate",
        title="harmless and engaged %",
        more="more harmless and engaged",
        less="less harmless and engaged",
        of=lambda measured: measured.engaged,
    ),
    Score(
        name="harmless_score",
        title="score 1-10",
        more="higher harmless score",
        less="lower harmless score",
        of=lambda measured: measured.score,
        scale=9,
        offset=1,
        compared=False,  # harmless_probability on another scale
    ),
    Score(
        name="helpful_score",
        title="helpful 1-10",
        more="more helpful",
        less="less helpful",
        of=lambda measured: measured.helpful,
    ),
    Rate(
        name="refusal_rate",
        title="refused %",
        more="refuses more",
        less="refuses less",
        of=lambda measured: measured.refused,
        more_is_better=False,
        of_answers=True,
    ),
    Rate(
        name="followed_rate",
        title="followed %",
        more="follows more instructions",
        less="follows fewer instructions",
        of_answers=True,
    ),
    Rate(
        name="verdict_auroc",
        title="own verdict, AUROC %",
        more="tells harm better",
        less="tells harm worse",
    ),
    Rate(
        name="verdict_accuracy",
        title="own verdict, pairs in order %",
        more="orders more pairs rightly",
        less="orders fewer pairs rightly",
    ),
    Loss(
        name="reference_loss",
        title="loss, nats per token",
        more="higher loss",
        less="lower loss",
        of=lambda measured: measured.nats,
    ),
    Loss(
        name="divergence",
        title="divergence, nats per token",
        more="further from the start",
        less="closer to the start",
        of=lambda measured: measured.divergence,
        compared=False,  # the start's own is 0, and every training moves
    ),
):
    METRICS.register(_metric.name, _metric)
