"""One look at everything: this machine, and a configuration with the model, the judges, the rows and the room it needs.

What a run would refuse is asked of the plan itself (config/plan.py), so that both say the same.
"""

from collections.abc import Iterator
from pathlib import Path

from amends.config.plan import Plan
from amends.config.settings import Configuration, variants
from amends.models.hf import LocalModel
from amends.models.size import size_of
from amends.pipeline.doctor.finding import Diagnosis, Finding, looked
from amends.pipeline.doctor.judge_cards import look_at_judge
from amends.pipeline.doctor.machine import disk_space, look_at_machine
from amends.pipeline.doctor.model import look_at_lengths, look_at_template
from amends.pipeline.doctor.room import look_at_disk, look_at_memory
from amends.pipeline.doctor.servers import look_at_servers


def diagnose(configuration: Configuration | None, directory: Path) -> Diagnosis:
    """Looks at this machine and, where one is given, at a configuration. Trains nothing, and loads no weights.

    Each server that the configuration names is asked for one or two short answers.

    Args:
        configuration: what is going to be run.
        directory: where it is going to be written.
    """
    found = [*look_at_machine(), *([] if configuration else [disk_space(directory)])]
    if configuration:
        for name, one in (variants(configuration) if configuration.variants else {"": configuration}).items():
            said = {finding.found for finding in found}
            found += [finding for finding in _of_variant(name, one, directory) if finding.found not in said]
    return Diagnosis(tuple(found))


def _of_variant(name: str, configuration: Configuration, directory: Path) -> Iterator[Finding]:
    """What its model, judges, rows and room are; what other variants have in common with it is said once."""
    for one in look_at_configuration(configuration, directory):
        yield Finding(f"{name}: {one.what}" if name else one.what, one.state, one.found, one.remedy)


def look_at_configuration(configuration: Configuration, directory: Path) -> Iterator[Finding]:
    """What a configuration names and needs; what it cannot find ends the look."""
    plans: list[Plan] = []
    yield from looked("configuration", lambda: plans.append(Plan.of(configuration)))
    for plan in plans:
        try:
            yield from _of_plan(plan, directory)
        finally:
            plan.release()


def _of_plan(plan: Plan, directory: Path) -> Iterator[Finding]:
    said: set[str] = set()
    refused = [*looked("refused", plan.check), *looked("rows", plan.check_rows)]
    looks = (
        looked("model", lambda: _of_model(plan, directory)),
        looked("judge", lambda: [look_at_judge("judge", plan.judge), look_at_judge("gate", plan.gate)]),
        looked("server", lambda: look_at_servers(plan) if not refused else ()),
        looked("rows", lambda: [Finding("remark", "note", remark) for remark in plan.remarks()]),
        refused or [Finding("refusals", "ok", "none: a run of it would begin")],
    )
    for one in (finding for look in looks for finding in look):
        if one.found not in said:
            yield one
        said.add(one.found)


def _of_model(plan: Plan, directory: Path) -> Iterator[Finding]:
    yield Finding("model", "ok", plan.base.title)
    if not isinstance(plan.base, LocalModel):
        return
    yield from look_at_template(plan.base)
    rows, estimate = plan.estimate()
    yield from look_at_lengths(plan.configuration, plan.base, rows)
    yield from look_at_memory(estimate)
    yield from look_at_disk(plan.configuration, estimate, size_of(plan.base.source), directory)
    seconds = estimate.seconds
    yield Finding("time", "ok", f"about {seconds / 60:.0f} minutes a seed, without loading, judges and gates")
