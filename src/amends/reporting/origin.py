"""Where a report's numbers come from: versions, commit, command line, machine, time and tokens."""

from pathlib import Path
from typing import Any

from amends.evaluation.results import Results
from amends.reporting.forecast import duration_text
from amends.reporting.wording import NOTHING, count_text
from amends.storage.files import read_as
from amends.storage.run_directory import RunDirectory, read_origin


def origin_of(directory: Path, results: Results) -> dict[str, Any]:
    """What is known of a run's making, in the order in which it is shown; what is not known is left out.

    Time and tokens are of all seeds and variants that lie in the directory.
    """
    runs = sorted({path.parent for path in directory.glob("**/timings.json")})
    seconds = sum(sum(read_as(dict[str, float], RunDirectory(run).timings).values()) for run in runs)
    trained = [facts.get("trained_tokens") for facts in (results.data.get("training") or {}).values()]
    tokens = sum(one for one in trained if one is not None)
    found = {
        "amends": results.data.get("amends"),
        **read_origin(directory),
        "model": results.model,
        "seeds" if results.seeds else "seed": ", ".join(map(str, results.seeds or [results.seed])),
        "time": f"{duration_text(seconds)} of computing, in {len(runs)} run{'' if len(runs) == 1 else 's'}"
        if runs
        else None,
        "trained tokens": count_text(tokens) if tokens else None,
    }
    return {name: value for name, value in found.items() if value not in (None, "", NOTHING)}
