"""The embedded model's tokenizer with its first merges alone: a tenth of the tokens, which most of a tiny model is."""

import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from amends.models.loading import load_tokenizer
from amends.models.source import find_model

MERGES = 3000  # of 48,900, the commonest first
SPACE = "Ġ"  # how a vocabulary of bytes writes it


@cache
def tiny_tokenizer(words: tuple[str, ...] = ()) -> Any:
    """Its ids are its own but for the special ones. Each of `words` that was one token, with its space, still is."""
    from transformers import AutoTokenizer

    with tempfile.TemporaryDirectory() as directory:
        load_tokenizer(find_model("embedded")).save_pretrained(directory)
        path = Path(directory) / "tokenizer.json"
        content = json.loads(path.read_text())
        keep_first_merges(content["model"], words)
        path.write_text(json.dumps(content))
        return AutoTokenizer.from_pretrained(directory)


def keep_first_merges(model: dict[str, Any], words: tuple[str, ...]) -> None:
    """Takes the other merges and what only they make out of a byte-pair encoding, and numbers what is left."""
    merges = [tuple(pair) for pair in model["merges"]]
    made_of = {"".join(pair): pair for pair in reversed(merges)}
    kept = set(merges[:MERGES])

    def keep(token: str) -> None:
        if (pair := made_of.get(token)) and pair not in kept:
            kept.add(pair)
            for part in pair:
                keep(part)

    for word in words:
        keep(word.replace(" ", SPACE))
    left_out = {"".join(pair) for pair in merges} - {"".join(pair) for pair in kept}
    vocabulary = [token for token in sorted(model["vocab"], key=model["vocab"].__getitem__) if token not in left_out]
    model["merges"] = [pair for pair in merges if pair in kept]
    model["vocab"] = {token: number for number, token in enumerate(vocabulary)}
