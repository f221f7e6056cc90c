"""Generation beside its peers: the prompts of induction and analysis, same model, sampling and limit on new tokens.

    python -m benchmarks.generation induce|analyze [--rows 128] [--turns 5] [--json] [--server URL --server-model NAME]

Peers: transformers' `generate` in plain batches and one prompt at a time, with its own sampling; any OpenAI-compatible
server (vLLM, llama.cpp) that was started on the same model. One at a time is given an eighth of the prompts.
"""

import json
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

from amends.data.settings import DataSettings
from amends.data.sources import load_instructions
from amends.models.base import Prompt, Sampling
from amends.models.chat import end_tokens
from amends.models.hf import LocalModel
from amends.prompts import english
from benchmarks.measure import Contestant, Work, alternate, model_operations, options, show

NEW_TOKENS = 48
TEMPERATURE = 0.7


def real_prompts(stage: str, rows: int) -> list[Prompt]:
    """The prompts of induction or of analysis, of the bundled instructions, as a run makes them."""
    instructions = load_instructions(DataSettings(source="bundled:redteam/train", limit=rows))
    if stage == "induce":
        return [english().guide("induce", "direct-should").prompt(row.prompt) for row in instructions]
    told = english().guide("analyze", "told-suffix-prefill")
    return [told.prompt(english().analysis_question(row.prompt, row.chosen or "")) for row in instructions]


class Peers:
    """The contestants over one loaded model."""

    def __init__(self, prompts: list[Prompt]) -> None:
        self.local = LocalModel("embedded")
        self.prompts = prompts
        self.encoded = [
            self.local.tokenizer(self.local.render(one), add_special_tokens=False).input_ids for one in prompts
        ]
        self.layers, self.head = model_operations(self.local.model)
        self.ends = end_tokens(self.local.tokenizer, self.local.model.generation_config)
        self.seed = 0

    def work(self, prompts: list[list[int]], new_tokens: int) -> Work:
        """New tokens count; what the prompts cost is part of the operations."""
        read = sum(len(ids) for ids in prompts)
        return Work(new_tokens, (read + new_tokens) * self.layers + new_tokens * self.head)

    def amends(self) -> Work:
        self.seed += 1
        made = self.local.generate(self.prompts, Sampling(NEW_TOKENS, TEMPERATURE), self.seed)
        return self.work(self.encoded, sum(one.tokens + one.finished for one in made))

    def plain(self, batch: int, share: int = 1) -> Work:
        chosen = self.encoded[::share]
        made = 0
        padding = self.local.tokenizer.pad_token_id
        for start in range(0, len(chosen), batch):
            rows = chosen[start : start + batch]
            width = max(map(len, rows))
            ids = torch.tensor([[padding] * (width - len(row)) + row for row in rows])
            mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
            with torch.inference_mode():
                output = self.local.model.generate(
                    input_ids=ids.to(self.local.model.device),
                    attention_mask=mask.to(self.local.model.device),
                    max_new_tokens=NEW_TOKENS,
                    do_sample=True,
                    temperature=TEMPERATURE,
                    top_k=0,
                    top_p=1.0,
                    pad_token_id=padding,
                    eos_token_id=sorted(self.ends),
                )
            for row in output[:, width:].tolist():
                made += next((place + 1 for place, token in enumerate(row) if token in self.ends), len(row))
        return self.work(chosen, made)

    def server(self, url: str, name: str) -> Work:
        """All prompts at once: the server batches as it likes."""

        def ask(text: str) -> int:
            body = {"model": name, "prompt": text, "max_tokens": NEW_TOKENS, "temperature": TEMPERATURE, "top_p": 1.0}
            request = urllib.request.Request(
                f"{url.rstrip('/')}/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=600) as answer:
                return int(json.load(answer)["usage"]["completion_tokens"])

        texts = [self.local.render(prompt) for prompt in self.prompts]
        with ThreadPoolExecutor(len(texts)) as pool:
            return self.work(self.encoded, sum(pool.map(ask, texts)))


def main() -> None:
    """Runs the contestants and shows the table."""
    given = options(
        __doc__ or "",
        lambda parser: (
            parser.add_argument("stage", choices=["induce", "analyze"], help="whose prompts"),
            parser.add_argument("--rows", type=int, default=128),
            parser.add_argument("--server", help="base URL of an OpenAI-compatible server, with /v1"),
            parser.add_argument("--server-model", default="embedded"),
            parser.add_argument("--batches", type=int, nargs="*", default=[32, 64, 128]),
        ),
    )
    peers = Peers(real_prompts(given.stage, given.rows))
    contestants = [Contestant("amends", peers.amends)]
    for batch in given.batches:
        contestants.append(Contestant(f"generate, batches of {batch}", _plain(peers, batch)))
    contestants.append(Contestant("generate, one at a time", lambda: peers.plain(1, share=8)))
    if given.server:
        contestants.append(Contestant(f"server {given.server}", lambda: peers.server(given.server, given.server_model)))
    model = peers.local.model
    show(alternate(contestants, given.turns, model.dtype, model.device.type, "tokens"), given.json)


def _plain(peers: Peers, batch: int) -> Any:
    return lambda: peers.plain(batch)


if __name__ == "__main__":
    main()
