"""A method of your own: one row of the comparison, made of kinds of samples that are there.

python examples/03_an_own_method.py [--quick] [--out DIRECTORY]
"""

import argparse
from pathlib import Path

import amends

# Safe answers of the model's own and its analyses, without benign questions: does the pool need those?
amends.register_method(
    amends.Method("analysis-alone", ("answer", "analysis"), "ours: own safe answers and analyses, nothing benign")
)

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--quick", action="store_true", help="few rows and two training steps")
parser.add_argument("--out", type=Path, default=Path("runs/own-method"), help="the run directory")
options = parser.parse_args()
fast = {"limit": 4, "train__max_steps": 2, "respond__max_new_tokens": 12} if options.quick else {}
others = ["vanilla"] if options.quick else ["vanilla", "mistake-analysis-plus"]

# A run compares it with the model as it is and with the bundled method nearest to it, under equal budgets.
results = amends.run(
    "own",
    methods=[*others, "analysis-alone"],
    suites={"attacks": None, "overrefusal": None, "benign": None},
    induce={"max_new_tokens": 24, "attempts": 3},
    analyze={"max_new_tokens": 40, "attempts": 3},
    answer={"max_new_tokens": 40, "attempts": 3},
    train={"batch_size": 4, "gradient_accumulation": 1},
    out=options.out,
    **fast,
)
print(results.to_pandas()[["method", "inference", "suite", "n", "harmless_rate"]])
print(results.adapter("analysis-alone"))
