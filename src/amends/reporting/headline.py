"""What a run found, in the words that the terminal and the report say first: the finding, its cost, its judge."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, NamedTuple

from amends.evaluation.metrics.base import METRICS, Metric
from amends.evaluation.results import Comparison, Primary, Results, SystemRow
from amends.evaluation.suites.base import SUITE_KINDS
from amends.reporting.utility import REFUSED, cost_metrics, untouched_of
from amends.reporting.wording import (
    NOTHING,
    SystemName,
    detectable_text,
    difference_text,
    estimate_text,
    finding,
    is_clear,
)

REMINDER = {"guided": "with the reminder", "unguided": "without the reminder"}
NON_COMMERCIAL = ("saferlhf", "beavertails")
"""Parts of the names of public sets whose labels, all under CC-BY-NC-4.0, may not serve commerce."""


class Headline(NamedTuple):
    """The primary comparison in words.

    Attributes:
        finding: one or two sentences, no stronger than the interval.
        tone: `better`, `worse` or `unclear`: what a clear difference means, where the metric says so.
        prompts: how many it rests on, with draws and seeds.
        smallest: the smallest true difference that would have been found, with its unit.
    """

    finding: str
    tone: str = "unclear"
    prompts: str = NOTHING
    smallest: str = NOTHING

    @property
    def text(self) -> str:
        """The finding, with what it rests on and what that can show.

        Example:
            >>> Headline("No clear difference.", prompts="24 prompts", smallest="7.5 points").text
            'No clear difference. 24 prompts can show 7.5 points or more.'
        """
        can_show = {NOTHING: "", "none at all": " can show no difference"}.get(
            self.smallest, f" can show {self.smallest} or more"
        )
        return self.finding if self.prompts == NOTHING else f"{self.finding} {self.prompts}{can_show}."


def headline(results: Results) -> Headline:
    """What was found, of the comparison that was named before the run.

    Example:
        >>> headline(Results(model="m", seed=0, systems=[])).finding
        'No comparison was named before the run: what follows is exploratory, and no finding.'
    """
    named = results.primary
    if named is None:
        return Headline("No comparison was named before the run: what follows is exploratory, and no finding.")
    row = next((one for one in results.comparisons if one.primary), None)
    if row is None:
        return Headline(
            f"The primary comparison was not measured: {_pair_words(named, 'compared with')} on {named.suite}."
        )
    smallest = detectable_text(row)
    return Headline(
        _finding_words(row), tone(row), _prompt_words(results, row), "none at all" if smallest == "none" else smallest
    )


def system_words(system: str) -> str:
    """A system by its name: `sft/guided` is `sft with the reminder`."""
    method, inference = SystemName.of(system)
    return f"{method} {REMINDER[inference]}" if method and inference in REMINDER else system


def model_words(model: str) -> str:
    """A model by the name that results have: of a path its last part, since the rest is of somebody's machine.

    Example:
        >>> model_words("/data/models/mine-7b"), model_words("owner/name")
        ('mine-7b', 'owner/name')
    """
    if model == "embedded":
        return "the embedded model"
    return PurePath(model).name if PurePath(model).is_absolute() else model


def tone(row: Comparison) -> str:
    """What a difference means: `better` or `worse` where it is clear, else `unclear`."""
    if not is_clear(row):
        return "unclear"
    return "better" if (row.difference > 0) == METRICS[row.metric].more_is_better else "worse"


def cost_texts(results: Results) -> list[str]:
    """What the system that the finding is about costs, beside the untouched model at the same inference.

    A sentence for the refusals on each suite of safe prompts, and for the loss on each suite of references; where the
    comparison was not made, the value alone. Empty where no such suite was measured.
    """
    system = subject(results)
    rows = (row for row in results.systems if row.system == system and not SUITE_KINDS[row.kind].asks_harm)
    return [text for row in rows for text in _costs_on(results, row)]


def subject(results: Results) -> str | None:
    """The system that the finding is about: the primary comparison's first, else the last that was measured."""
    if results.primary is not None:
        return results.primary.a
    return results.systems[-1].system if results.systems else None


def judge_text(judges: Mapping[str, Any]) -> str:
    """Who judged, and how far that judge agrees with the gate and with the bundled probe."""
    name = _name(judges.get("evaluation"))
    if name is None:
        return "It is not known who judged."
    texts = [f"Every verdict is {name}'s; a judge errs, and every rate is a rate of its verdicts."]
    gate = _name(judges.get("gate"))
    if gate and (text := _agreement_words(judges.get("agreement"))):
        texts.append(f"It and {gate}, the gate that chose what is trained on, {text}.")
    if text := _agreement_words(judges.get("agreement-with-probe")):
        texts.append(f"It and the bundled probe {text}.")
    return " ".join(texts)


def judge_licence(judges: Mapping[str, Any]) -> str | None:
    """What limits who uses the judge or the gate, as far as amends knows; None where it knows of no limit."""
    limited = [
        name
        for role in ("evaluation", "gate")
        if (facts := judges.get(role)) and isinstance(facts, Mapping) and (name := _name(facts))
        if any(part in source.lower() for source in _sources(facts) for part in NON_COMMERCIAL)
    ]
    if not limited:
        return None
    return f"{' and '.join(limited)} learnt in part from labels under CC-BY-NC-4.0: not for commercial use"


def _finding_words(row: Comparison) -> str:
    measured = f"{difference_text(row)} ({METRICS[row.metric].title.removesuffix(' %')})"
    if is_clear(row):
        metric = METRICS[row.metric]
        found = metric.more if row.difference > 0 else metric.less
        return f"{found.capitalize()}: {_pair_words(row, 'compared with')} on {row.suite}, {measured}."
    if row.ci is None:
        return f"Too few prompts or seeds to say: {_pair_words(row, 'compared with')} on {row.suite}, {measured}."
    pair = f"between {_pair_words(row, 'and')} on {row.suite}: {measured}."
    if row.ci[0] <= 0 <= row.ci[1]:
        return f"No clear difference {pair} That is no proof that they are equal."
    return f"No difference that is clear {pair} {finding(row).partition(': ')[2].capitalize()}."


def _pair_words(pair: Comparison | Primary, joined: str) -> str:
    (a, of_a), (b, of_b) = SystemName.of(pair.a), SystemName.of(pair.b)
    if of_a == of_b and of_a in REMINDER:
        return f"{a} {joined} {b}, both {REMINDER[of_a]},"
    return f"{system_words(pair.a)} {joined} {system_words(pair.b)}"


def _prompt_words(results: Results, row: Comparison) -> str:
    measured = next((one for one in results.systems if (one.system, one.suite) == (row.a, row.suite)), None)
    draws = measured.draws if measured else 1
    parts = [f"{row.n} prompt{'' if row.n == 1 else 's'}"]
    parts += [f"{draws} answers to each"] if draws > 1 else []
    parts += [f"{row.seeds} seeds"] if row.seeds > 1 else []
    return ", ".join(parts)


def _costs_on(results: Results, row: SystemRow) -> list[str]:
    metrics = (METRICS[name] for name in cost_metrics(row.kind))
    return [_cost_of(results, row, one) for one in metrics if one.compared and row.value(one.name) is not None]


def _cost_of(results: Results, row: SystemRow, metric: Metric) -> str:
    what = f"Refused of the safe prompts in {row.suite}, %"
    if metric.name != REFUSED:
        what = f"{metric.title[0].upper()}{metric.title[1:]}, on {row.suite}"
    moved = (
        f"; against the untouched model {difference_text(one)}: {finding(one).partition(':')[0]}"
        for one in results.comparisons
        if (one.a, one.b, one.suite, one.metric) == (row.system, untouched_of(row), row.suite, metric.name)
    )
    return f"{what}: {estimate_text(row, metric.name)}{next(moved, '')}."


def _agreement_words(facts: Any) -> str | None:
    """`agree on 52 % of 48 texts (Cohen's kappa 0.10)`; None where nothing was compared."""
    if not isinstance(facts, Mapping) or not isinstance(facts.get("equal"), int | float):
        return None
    kappa = f" (Cohen's kappa {facts['kappa']:.2f})" if isinstance(facts.get("kappa"), int | float) else ""
    wrong = "" if facts["equal"] == 1 else "; where they disagree, one of them is wrong"
    return f"agree on {100 * facts['equal']:.0f} % of {facts.get('rows', NOTHING)} texts{kappa}{wrong}"


def _name(facts: Any) -> str | None:
    name = facts.get("name") if isinstance(facts, Mapping) else None
    return name if isinstance(name, str) else None


def _sources(facts: Mapping[str, Any]) -> list[str]:
    named = (facts.get(key) for key in ("sources", "preferences"))
    return [str(one) for sources in named if isinstance(sources, Mapping | list) for one in sources]
