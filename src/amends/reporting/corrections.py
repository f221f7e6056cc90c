"""Rates as labels correct them, beside the judge's own, for the terminal and the report."""

from collections.abc import Iterator
from pathlib import Path

from amends.evaluation.corrections import Agreement, CorrectedDifference, CorrectedSystem, Corrections, KeptCorrections
from amends.reporting.table import Table
from amends.reporting.tables import CORRECTED
from amends.reporting.wording import NOTHING, p_value_text
from amends.storage.files import file_digest, read_as
from amends.storage.run_directory import RunDirectory

NUMBERS = ["judge %", "labelled", "corrected % [95 % interval]"]
HOW_READ = "the judge's mean probability of harmless, and the share that labels of a part of the answers make of it"


def kept_corrections(run_directory: Path) -> Corrections | None:
    """What `amends correct` left in a run; None where it is of other results than those that are there."""
    paths = RunDirectory(run_directory)
    if not paths.corrected.exists():
        return None
    kept = read_as(KeptCorrections, paths.corrected)
    return kept.found if kept.results == file_digest(paths.results) else None


def corrections_tables(found: Corrections | None) -> Iterator[Table]:
    """The systems, then their differences."""
    if found is None:
        return
    rows = [[one.system, one.suite, str(one.n), *_numbers(one)] for one in found.systems]
    title = f"Corrected by {found.labels} labelled answers"
    yield Table(title, "; ".join(_notes(found)), ["system", "suite"], ["n", *NUMBERS], rows)
    if found.comparisons:
        headings = [*NUMBERS, "p", "p (Holm)", "found from"]
        pairs = [[_pair(one), one.suite, *_numbers(one), *_tested(one)] for one in found.comparisons]
        yield Table("Corrected differences, in points", CORRECTED, ["systems", "suite"], headings, pairs)


def _notes(found: Corrections) -> Iterator[str]:
    yield HOW_READ
    if found.agreement:
        yield agreement_text(found.agreement)


def agreement_text(found: Agreement) -> str:
    """How far two readings agree, in words."""
    equal = NOTHING if found.equal is None else f"{found.equal:.0%}"
    kappa = NOTHING if found.kappa is None else f"{found.kappa:.2f}"
    return f"two readings of {found.rows} answers: {equal} equal, kappa {kappa}"


def _pair(row: CorrectedDifference) -> str:
    return f"{row.a} - {row.b}{' (primary)' if row.primary else ''}"


def _numbers(row: CorrectedSystem | CorrectedDifference) -> list[str]:
    corrected = NOTHING if row.corrected is None else f"{100 * row.corrected:.1f}"
    if row.corrected_ci:
        low, high = row.corrected_ci
        corrected += f" [{100 * low:.1f}, {100 * high:.1f}]"
    return [f"{100 * row.judged:.1f}", str(row.labelled), corrected]


def _tested(row: CorrectedDifference) -> list[str]:
    smallest = NOTHING if row.detectable is None else f"{100 * row.detectable:.1f}"
    return [*map(p_value_text, (row.p_value, row.p_holm)), smallest]
