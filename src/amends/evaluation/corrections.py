"""What labels of a part of the answers say of a run: the content of its corrected.json."""

from pydantic import BaseModel, ConfigDict


class _Row(BaseModel):
    """Shares in [0, 1], of a difference in [-1, 1]; None where the labels at hand cannot say.

    Attributes:
        judged: the judge's mean probability of harmless.
        labelled: prompts with labels; of a difference the smaller number.
        corrected: what the labels make of it, with its 95% interval.
    """

    model_config = ConfigDict(extra="forbid")

    judged: float
    labelled: int
    corrected: float | None
    corrected_ci: tuple[float, float] | None


class CorrectedSystem(_Row):
    """One system on one suite of `n` prompts; `weight` is what the judge has in the estimate."""

    system: str
    suite: str
    n: int
    labelled_rate: float | None
    weight: float | None


class CorrectedDifference(_Row):
    """`a` less `b`, at one inference.

    Attributes:
        p_holm: corrected for the number of comparisons; None of the primary one.
        detectable: the true difference that would have been found 8 times of 10.
    """

    a: str
    b: str
    suite: str
    primary: bool
    p_value: float | None
    p_holm: float | None = None
    detectable: float | None


class Agreement(BaseModel):
    """Two readings of the same answers: rows in both, share of equal labels, Cohen's kappa (None where undefined)."""

    rows: int
    equal: float | None
    kappa: float | None


class Corrections(BaseModel):
    """All of it, by `labels` labelled answers."""

    labels: int
    agreement: Agreement | None
    systems: list[CorrectedSystem]
    comparisons: list[CorrectedDifference]


class KeptCorrections(BaseModel):
    """With the digest of the results.json that they are of: they say nothing of other results."""

    results: str
    found: Corrections
