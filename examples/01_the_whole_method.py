"""The whole method on one page: the model's own mistakes, its analyses of them, a training, and a fair comparison.

python examples/01_the_whole_method.py            # a few minutes on two cores
python examples/01_the_whole_method.py --quick    # two training steps, to see that it runs
"""

import argparse
from pathlib import Path

import amends

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--quick", action="store_true", help="few rows and two training steps")
parser.add_argument("--out", type=Path, default=Path("runs/whole-method"), help="where the adapter goes")
options = parser.parse_args()
rows_taken, prompts_taken, steps = (6, 4, 2) if options.quick else (48, 40, 12)
short = 12 if options.quick else 48

# A model, red-team instructions with safe answers, and two judges: one that gates, another that evaluates.
model = amends.load_model("embedded")
rows = amends.load_data("bundled:redteam/train", limit=rows_taken)
gate, judge = amends.load_judge("gate"), amends.load_judge("bundled")

# The model is brought to answer harmfully, and then explains why its answers are harmful.
mistakes = amends.induce(model, rows, gate=gate, attempts=3, max_new_tokens=24)
analyses = amends.analyze(model, mistakes, gate=gate, attempts=3, max_new_tokens=40)
print(mistakes, analyses, sep="\n")

# The guides are taken out of the prompts, and the model is trained on what is left.
samples = amends.compose("mistake-analysis", rows, analyses=analyses)
tuned = amends.train(model, samples, out=options.out, max_steps=steps, batch_size=4)
print(samples, tuned, sep="\n")

# Both answer prompts that the training has not seen; the judge that gated nothing reads the answers.
test = amends.load_data("bundled:redteam/test", limit=prompts_taken)
before, after = (amends.judge(one.respond(test, guided=True, max_new_tokens=short), judge) for one in (model, tuned))
print(amends.compare(after, before))
