"""One row a method: what it trains on, how, from where, and what it puts in its prompts. A baseline is a row here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from amends.records import SampleKind, Trainer


@dataclass(frozen=True)
class Method:
    """A row of the comparison.

    `kinds` are the samples it is trained on; none means the model as it is. `start` is the method whose result it goes on
    from. `prefill` names the template that begins each of its answers, with every kind of inference.
    """

    name: str
    kinds: tuple[SampleKind, ...]
    source: str
    trainer: Trainer = "sft"
    start: str | None = None
    prefill: str | None = None

    @property
    def training(self) -> str:
        """The name of its training among the steps: what is shown, and what timings.json has its seconds by."""
        return f"{self.name}: training"


METHODS = {
    method.name: method
    for method in (
        Method("vanilla", (), "the model as it is"),
        Method("sft", ("safe", "benign"), "supervised fine-tuning on safe and on benign answers"),
        Method(
            "mistake-analysis",
            ("safe", "benign", "analysis"),
            "Chen et al., Gaining Wisdom from Setbacks, ICLR 2024, arXiv 2310.10477: SFT pairs pooled with unguided "
            "analyses of the model's own mistakes",
        ),
        Method(
            "mistake-analysis-plus",
            ("answer", "benign", "analysis"),
            "ours: mistake analysis with safe answers that pass a gate in the place of all that the data set has: its own "
            "where they pass, the model's elsewhere, or as `answer.source` says; nobody has to write any",
        ),
        Method(
            "critique-revise",
            ("safe", "benign", "revised"),
            "Bai et al., Constitutional AI, 2022, arXiv 2212.08073, its supervised stage: the model criticises and revises "
            "its own mistakes; SFT pairs pooled with the revisions",
        ),
        Method(
            "chain-of-hindsight",
            ("hindsight",),
            "Liu et al., Chain of Hindsight Aligns Language Models with Feedback, ICLR 2024, arXiv 2302.02676: a mistake "
            "and a safe answer behind control phrases in one sequence; the good phrase at inference",
            prefill="hindsight_good",
        ),
        Method(
            "dpo",
            ("preference",),
            "Rafailov et al., Direct Preference Optimization, 2023, arXiv 2305.18290: the safe answer against the mistake, "
            "from the fine-tuned model on",
            trainer="dpo",
            start="sft",
        ),
        Method(
            "rlhf",
            ("preference",),
            "Ouyang et al., 2022, arXiv 2203.02155, with RLOO (Ahmadian et al., 2024, arXiv 2402.14740) for PPO: "
            "a reward model on safe answers against mistakes, then on-policy training with a penalty on divergence "
            "from the fine-tuned model",
            trainer="rlhf",
            start="sft",
        ),
    )
}

NEEDS: dict[SampleKind, tuple[str, ...]] = {
    "safe": ("instructions",),
    "benign": ("benign",),
    "analysis": ("analyses",),
    "answer": ("answers",),
    "revised": ("revisions",),
    "hindsight": ("mistakes", "benign"),
    "preference": ("mistakes",),
}
"""The sets of rows that a kind of sample is made of."""


def with_starts(methods: Iterable[str]) -> list[str]:
    """The methods, each behind the one that it goes on from."""
    return list(dict.fromkeys(one for name in methods for one in (METHODS[name].start, name) if one))


def kinds_of(methods: Iterable[str], shares: Mapping[str, float]) -> set[SampleKind]:
    """The kinds of samples that methods are trained on, without those whose share is 0."""
    return {kind for method in methods for kind in METHODS[method].kinds if shares.get(kind, 1)}
