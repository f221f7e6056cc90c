"""One row a method: what it trains on, how, from where, and what it puts in its prompts. A baseline is a row here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated

from amends.registry import NameIn, Registry
from amends.stages.base import comes_from, in_order
from amends.training.sample_kinds.base import SAMPLE_KINDS, SampleKind
from amends.training.trainers.base import TRAINERS


@dataclass(frozen=True)
class Method:
    """A row of the comparison.

    `kinds` are the samples it is trained on; none means the model as it is. `start` is the method whose result it
    goes on from. `prefill` names the template that begins each of its answers, with every kind of inference.

    Example:
        amends.Method("answers-only", ("answer",), "ours: safe answers of the model alone")
    """

    name: str
    kinds: tuple[str, ...]
    source: str
    trainer: str = "sft"
    start: str | None = None
    prefill: str | None = None

    @property
    def summary(self) -> str:
        """A line for lists of what there is."""
        return self.source

    @property
    def training(self) -> str:
        """The name of its training among the steps: what is shown, and what timings.json has its seconds by."""
        return f"{self.name}: training"


METHODS: Registry[Method] = Registry("method", __name__, "amends.methods", "amends.register_method(Method(...))")
MethodName = Annotated[str, NameIn(METHODS)]
"""The name of a method, checked when it is read."""

for _method in (
    Method("vanilla", (), "the model as it is"),
    Method("sft", ("safe", "benign"), "supervised fine-tuning on safe and on benign answers"),
    Method(
        "mistake-analysis",
        ("safe", "benign", "analysis"),
        "Chen et al., Gaining Wisdom from Setbacks, ICLR 2024, arXiv 2310.10477: SFT pairs pooled with unguided "
        "analyses of the model's own mistakes",
    ),
    Method(
        "mistake-analysis-contrast",
        ("safe", "benign", "analysis", "contrast", "verdict"),
        "ours: mistake analysis with contrast: harmless answers are analysed, too, as many as mistakes, and verdicts "
        "stand alone beside them",
    ),
    Method(
        "placebo",
        ("safe", "benign", "placebo"),
        "ours: mistake analysis with its analyses shuffled between mistakes, to see what analyses do by being about "
        "the right one",
    ),
    Method(
        "mistake-analysis-plus",
        ("answer", "reply", "analysis", "contrast", "verdict", "chain"),
        "ours: mistake analysis with contrast; safe answers that pass a gate in the place of all that the data set "
        "has; the model's own answers to benign instructions; chains of analysis and answer where it writes them; "
        "nobody has to write an answer",
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
):
    METHODS.register(_method.name, _method)


def register_method(method: Method) -> Method:
    """Adds a method, which configurations can then name.

    Raises InputError where its name is taken, or its trainer, a kind of its samples or its start is not known.

    Example:
        register_method(Method("answers-only", ("answer",), "ours: safe answers of the model alone"))
    """
    TRAINERS[method.trainer]
    for kind in method.kinds:
        SAMPLE_KINDS[kind]
    if method.start:
        METHODS[method.start]
    return METHODS.register(method.name, method)


def with_starts(methods: Iterable[str]) -> list[str]:
    """The methods, each behind the one that it goes on from."""
    return list(dict.fromkeys(one for name in methods for one in (METHODS[name].start, name) if one))


def shares_of(compose: Mapping[str, float], with_benign: bool) -> dict[str, float]:
    """Copies of each kind of sample, 1 unless `compose` says another; 0 of what is made of a set that there is not."""
    given = dict.fromkeys(SAMPLE_KINDS, 1.0) | dict(compose)
    gone = () if with_benign else [kind for kind, one in SAMPLE_KINDS.items() if _is_of_benign(one)]
    return given | dict.fromkeys(gone, 0.0)


def _is_of_benign(kind: SampleKind) -> bool:
    return bool(kind.needs) and comes_from(kind.needs[0]) == "benign"


def kinds_of(methods: Iterable[str], shares: Mapping[str, float]) -> set[str]:
    """The kinds of samples that methods are trained on, without those whose share is 0."""
    return {kind for method in methods for kind in METHODS[method].kinds if shares.get(kind, 1)}


def stages_for(methods: Iterable[str], shares: Mapping[str, float]) -> list[str]:
    """The stages that methods need, in order, with those whose output these read.

    `shares`: of the kinds of samples; what is made for those with 0 alone is not needed.
    """
    needed = {name for kind in kinds_of(methods, shares) for name in SAMPLE_KINDS[kind].needs}
    stages = in_order()
    needed |= {stage.reads for stage in stages if stage.writes in needed}
    return [stage.name for stage in stages if stage.writes in needed]
