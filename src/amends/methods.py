"""One row a method: what it trains on and what it is compared with. A baseline is a row here, not a subclass."""

from dataclasses import dataclass

from amends.records import SampleKind


@dataclass(frozen=True)
class Method:
    """A row of the comparison. `kinds` are the samples it is fine-tuned on; none means the model as it is."""

    name: str
    kinds: tuple[SampleKind, ...]
    source: str


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
    )
}
