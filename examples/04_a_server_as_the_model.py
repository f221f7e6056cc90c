"""A model behind an OpenAI-compatible server (vLLM, SGLang, llama.cpp, `transformers serve`): induce, analyze, judge.

    python examples/04_a_server_as_the_model.py http://127.0.0.1:8000/v1 [MODEL] [--quick]

A key is read from OPENAI_API_KEY. What the server writes can be trained on by a model that is loaded here.
"""

import argparse

import amends

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("url", help="the server's address, with /v1")
parser.add_argument("model", nargs="?", default="default", help="the name that the server knows the model by")
parser.add_argument("--quick", action="store_true", help="three rows")
options = parser.parse_args()

model = amends.load_model(f"endpoint:{options.model}@{options.url}")
rows = amends.load_data("bundled:redteam/train", limit=3 if options.quick else 100)

# Not every server goes on with the beginning of an answer (`prefill`): these guides stand in the prompt.
mistakes = amends.induce(model, rows, guides=["plain", "unethical-system"], attempts=2)
print(mistakes)
mistakes.save("mistakes.jsonl")  # which `amends analyze --mistakes mistakes.jsonl` reads, too

responses = model.respond(rows, guided=True)
print(responses)
print(amends.judge(responses, "bundled"))
