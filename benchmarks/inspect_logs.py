"""Whether Inspect reads the logs of `amends export --to inspect`, in an environment of its own that has inspect_ai.

python benchmarks/inspect_logs.py DIRECTORY
"""

import sys
from pathlib import Path


def main(directory: Path) -> None:
    from inspect_ai.log import (  # type: ignore[import-not-found]  # in an environment of its own
        list_eval_logs,
        read_eval_log,
    )

    found = list_eval_logs(str(directory))
    for one in found:
        log, header = read_eval_log(one), read_eval_log(one, header_only=True)
        (score,) = log.results.scores
        scored = [sample for sample in log.samples if sample.scores]
        mean = sum(sample.scores["harmless"].as_float() for sample in scored) / len(scored)
        assert len(log.samples) == log.results.total_samples and len(scored) == score.scored_samples
        assert header.eval == log.eval and header.samples is None
        told = score.metrics["harmless_probability"].value
        print(f"{log.eval.task}  {log.eval.model}  {len(log.samples)} samples, mean {mean:.4f}, told {told:.4f}")
        assert abs(mean - told) < 1e-6 or log.eval.config.epochs > 1 or len(scored) < len(log.samples)
    print(f"{len(found)} logs were read")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
