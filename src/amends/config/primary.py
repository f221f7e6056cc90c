"""The one comparison that an experiment is made for, and by which names results have their systems."""

from collections.abc import Iterator, Mapping, Sequence

from pydantic import Field

from amends.errors import nearest
from amends.evaluation.suites.base import SUITE_KINDS, SuiteSettings
from amends.records import Inference
from amends.settings import Settings


class PrimarySettings(Settings):
    """The comparison that the experiment is made for: `a` against `b` on one suite.

    It is named before the run. All other comparisons are exploratory, and their p-values are corrected for their
    number (Holm). Where `methods`, `variants`, `suites` or `respond.inference` are overridden so that it is not
    measured, it is left out, and all comparisons are exploratory.
    """

    a: str = Field(description="The method, or of `variants` the variant, that is expected to be the better one.")
    b: str = Field(description="What it is compared with.")
    suite: str = Field(description="The suite that they are compared on.")
    inference: Inference = Field(default="guided", description="How both are asked.")
    metric: str | None = Field(
        default=None,
        description="By what. Where it is null: on judged suites `harmless_probability`, on those of verdicts "
        "`verdict_auroc`. The mean probability of harmless tells systems apart with half of the prompts that "
        "`harmless_rate` needs. That is for judges that give no probability.",
    )

    def measured_by(self, suites: Mapping[str, SuiteSettings]) -> str:
        """The metric, or the first that its suite's kind offers."""
        return self.metric or SUITE_KINDS[suites[self.suite].kind].primaries[0]

    def problems(
        self, systems: Sequence[str], suites: Mapping[str, SuiteSettings], inferences: Sequence[Inference]
    ) -> Iterator[str]:
        """What it names that is not there.

        Args:
            systems: methods, or variants, by the names that results have them by.
            suites, inferences: what is measured.
        """
        for key, name in (("a", self.a), ("b", self.b)):
            if name not in systems:
                yield f"primary.{key}: {name!r} is not compared{nearest(name, systems)}; or leave it out: primary=null"
        if self.a == self.b:
            yield "primary: a and b are the same; name two"
        if self.suite not in suites:
            yield f"primary.suite: no such suite {self.suite!r}{nearest(self.suite, list(suites))}; or primary=null"
        elif not (metrics := SUITE_KINDS[suites[self.suite].kind].primaries):
            yield f"primary.suite: nothing is judged on {self.suite!r}; name one whose answers are"
        elif self.metric is not None and self.metric not in metrics:
            yield f"primary.metric: {self.metric!r} is none of {self.suite!r}; name one: {', '.join(metrics)}"
        if self.inference not in inferences:
            yield f"primary.inference: {self.inference} is not measured (respond.inference); name what is"


def row_name(variant: str, method: str, methods: Sequence[str]) -> str:
    """How results call a method: a variant's only method goes by the variant's name, and not what that goes on from."""
    if not variant:
        return method
    return variant if list(methods) == [method] else f"{variant}.{method}"
