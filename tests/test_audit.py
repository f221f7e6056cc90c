"""What continuous integration makes of pip-audit's findings: known, new, and a service that does not answer."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci/audit.py"
CLEAN = {"name": "rich", "version": "15.0.0", "vulns": []}
WEAK = {"name": "jinja2", "version": "3.1.6", "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["3.1.7"]}]}
SKIPPED = {"name": "torch", "skip_reason": "Dependency not found on PyPI and could not be audited: torch (2.13.0)"}


def audited(packages: list[dict[str, Any]] | None, *options: str, script: str | None = None) -> tuple[int, str]:
    """Exit code and words; None stands for a pip-audit that ended without a result."""
    text = "" if packages is None else json.dumps({"dependencies": packages, "fixes": []})
    command = [sys.executable, *(["-c", script] if script else [str(SCRIPT)]), *options]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.mark.parametrize("packages", [None, [SKIPPED]])
def test_a_service_that_does_not_answer_is_told_and_fails_unless_that_is_allowed(packages: Any) -> None:
    code, words = audited(packages)
    assert code == 1 and "nothing was checked" in words
    assert audited(packages, "--where-reached") == (0, words)


def test_a_new_weakness_fails_and_is_named_with_what_mends_it() -> None:
    for options in ([], ["--where-reached"]):
        code, words = audited([CLEAN, WEAK, SKIPPED], *options)
        assert code == 1
        assert "jinja2 3.1.6: PYSEC-2026-1: mended in 3.1.7" in words
        assert "2 packages checked, 1 new weaknesses, 0 known" in words and "not checked: torch" in words


def test_a_known_one_is_told_with_its_reason_and_passes() -> None:
    known = SCRIPT.read_text().replace("KNOWN: dict[str, str] = {}", 'KNOWN = {"PYSEC-2026-1": "no foreign templates"}')
    code, words = audited([CLEAN, WEAK], script=known)
    assert code == 0 and "PYSEC-2026-1: no foreign templates" in words


def test_nothing_found_passes() -> None:
    assert audited([CLEAN]) == (0, "audit: 1 packages checked, 0 new weaknesses, 0 known\n")
