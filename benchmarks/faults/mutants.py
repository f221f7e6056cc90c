"""Changes the source on purpose, one mutant at a time, and looks whether the tests that guard it fail.

    python -m benchmarks.faults.mutants [--only TEXT] [--anew] [--out DIR] [--json]

All is done in a copy. Last, the named tests must pass there as it is. What is known of a mutant is kept in DIR, and
found again as long as source and tests are the same. `make mutants` runs all of them.
"""

import argparse
import gc
import hashlib
import importlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.faults.mutations import Mutant
from benchmarks.faults.mutations.claims import OF_CLAIMS
from benchmarks.faults.mutations.runs import OF_RUNS
from benchmarks.faults.mutations.training import OF_TRAINING

REPOSITORY = Path(__file__).parents[2]
ALL = OF_TRAINING | OF_RUNS | OF_CLAIMS
COPIED = (
    *("src", "tests", "benchmarks", "examples", "docs"),
    *("pyproject.toml", "README.md", "CONTRIBUTING.md", "Makefile"),
)
LIBRARIES = ("torch", "transformers", "trl", "peft", "datasets", "pandas", "scipy.stats", "sklearn.linear_model")
PASSED, FAILED, BROKEN = 0, 1, 3  # pytest's exit codes; a module that cannot be imported has another


def mutated(mutant: Mutant, root: Path) -> str:
    """The file's text with the change. Raises ValueError where its text does not stand in it exactly once."""
    text = (root / "src/amends" / mutant.file).read_text(encoding="utf-8")
    if (found := text.count(mutant.before)) != 1:
        raise ValueError(f"{mutant.file}: {mutant.before!r} stands there {found} times")
    return text.replace(mutant.before, mutant.after)


def load_libraries() -> None:
    """Imports what most tests need, so that a process that is forked from this one begins at once; nothing of ours."""
    for name in LIBRARIES:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


def check(tests: list[str], root: Path) -> tuple[int, str]:
    """Runs the tests in the copy, in a process of its own; pytest's exit code, and the end of what it said."""
    said = root / "said"
    process = os.fork()
    if not process:
        code = BROKEN
        try:
            code = _pytest([f"tests/{name}" for name in tests], root, said)
        finally:
            os._exit(code)
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status), said.read_text(errors="replace").strip()[-2000:]


def _pytest(tests: list[str], root: Path, said: Path) -> int:
    written = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for descriptor in (1, 2):
        os.dup2(written, descriptor)
    os.chdir(root)
    others = [one for one in sys.path if Path(one) not in (REPOSITORY, REPOSITORY / "src")]
    sys.path[:] = [f"{root}/src", str(root), *others]
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path[:2])
    return int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests]))


def tried(mutant: Mutant, root: Path) -> str:
    """`caught`, `lived`, or what was wrong with the attempt."""
    path = root / "src/amends" / mutant.file
    before = path.read_text(encoding="utf-8")
    try:
        path.write_text(mutated(mutant, root), encoding="utf-8")
        code, said = check(list(mutant.tests), root)
    finally:
        path.write_text(before, encoding="utf-8")
    if code == FAILED or "KeyboardInterrupt" in said:  # by which a test interrupts what is to be gone on with
        return "caught"
    return "lived" if code == PASSED else f"pytest ended with {code}: {said}"


def state(root: Path) -> str:
    """A hash of all source and tests: what was found holds for that alone."""
    files = sorted(path for name in ("src", "tests") for path in (root / name).rglob("*") if path.suffix in SOURCE)
    return hashlib.sha256(b"".join(str(path).encode() + path.read_bytes() for path in files)).hexdigest()


SOURCE = (".py", ".yaml", ".j2", ".js", ".css")


def chosen(only: str) -> Iterator[tuple[str, Mutant]]:
    """The mutants whose words, or those of what they break, have that text in them."""
    for broken, mutants in ALL.items():
        for mutant in mutants:
            if only.lower() in f"{broken} {mutant.change} {mutant.file}".lower():
                yield broken, mutant


def copy(root: Path) -> None:
    """The tree, without what was built."""
    for name in COPIED:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(source, root / name)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="mutants with this text in their words")
    parser.add_argument("--anew", action="store_true", help="believe nothing of what was found before")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "runs/faults/mutants", help="what was found")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    os.environ |= {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    sys.dont_write_bytecode = True  # of a source that changes within a second, an old one would be taken
    load_libraries()
    known_path = options.out / f"{state(REPOSITORY)[:16]}.json"
    known = json.loads(known_path.read_text()) if known_path.exists() and not options.anew else {}
    mutants = list(chosen(options.only))
    with tempfile.TemporaryDirectory(prefix="amends-mutants-") as directory:
        root = Path(directory)
        copy(root)
        for one in (one for _, one in mutants if fingerprint(one) not in known):
            known[fingerprint(one)] = found = tried(one, root)
            keep(known_path, known)
            print(f"{found:8} {one.change}", file=sys.stderr, flush=True)
        passed = set(known.get("passed", []))
        if tests := sorted({name for _, one in mutants for name in one.tests} - passed):
            print(f"{len(tests)} tests on the source as it is", file=sys.stderr, flush=True)
            code, said = check(tests, root)
            if code != PASSED:
                print(f"they fail there, too, so that nothing is known:\n{said}", file=sys.stderr)
                return 1
            keep(known_path, known | {"passed": sorted(passed.union(tests))})
    return report([(broken, one, known[fingerprint(one)]) for broken, one in mutants], options.json)


def keep(path: Path, known: dict[str, Any]) -> None:
    """Writes what is known."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(known, indent=2))


def fingerprint(mutant: Mutant) -> str:
    """By which what was found of a mutant is known again."""
    return hashlib.sha256(repr(mutant).encode()).hexdigest()


def report(found: list[tuple[str, Mutant, str]], as_json: bool) -> int:
    """Prints what was found; 0 where all were caught."""
    if as_json:
        rows = [{"breaks": broken, **vars(one), "found": how} for broken, one, how in found]
        print(json.dumps(rows, indent=2))
    else:
        for broken in dict.fromkeys(broken for broken, _, _ in found):
            of_it = [how for other, _, how in found if other == broken]
            print(f"{of_it.count('caught'):3} of {len(of_it)}  {broken}")
        for broken, one, how in found:
            if how != "caught":
                print(f"\n{how}: {broken}\n  {one.file}: {one.change}\n  tests: {', '.join(one.tests)}")
        caught = sum(how == "caught" for _, _, how in found)
        print(f"\n{caught} of {len(found)} mutants caught")
    return int(any(how != "caught" for _, _, how in found))


if __name__ == "__main__":
    sys.exit(main())
