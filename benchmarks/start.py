"""How much processor time a command takes to show its help: what loads before anything is computed.

python -m benchmarks.start --times 10 induce train
"""

import argparse
import resource
import statistics
import subprocess
import sys

from amends.cli.app import COMMANDS


def processor_seconds(command: list[str]) -> float:
    """User and system time of one process, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "amends", *command], stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Prints the median of each command's help, and that of the command tree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commands", nargs="*", default=list(COMMANDS), help="commands (all)")
    parser.add_argument("--times", type=int, default=10, help="processes for each (10)")
    given = parser.parse_args()
    for command in [[], *([one] for one in given.commands)]:
        taken = [processor_seconds([*command, "--help"]) for _ in range(given.times)]
        print(f"{' '.join(['amends', *command, '--help']):<28} {statistics.median(taken):.3f} s of processor time")


if __name__ == "__main__":
    main()
