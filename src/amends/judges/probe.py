"""The probe judge: logistic regression on mean hidden states of middle layers of the frozen embedded model.

The whole judge is one vector and a bias. It costs nothing, runs offline, and is never trained with the system it judges
(the base model's frozen weights carry no adapter). Its card is docs/reference/judging.md.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import numpy as np

from amends.errors import InputError, ModelError, StoreError
from amends.judges.base import Judge
from amends.models.chat import plain, render
from amends.models.decoding.batches import length_batches, right_padded, shared_prefix
from amends.models.loading import load_model, load_tokenizer
from amends.models.source import ModelSource, find_model
from amends.progress import ProgressCallback, no_progress
from amends.prompts import Language
from amends.records import Message, UserPrompt, messages_of
from amends.storage.files import file_digest, fingerprint

Pooling = Literal["response", "all"]
PROMPT_TOKENS = 256
RESPONSE_TOKENS = 256
BUNDLED = {"probe": "evaluation", "gate": "gate", "open-gate": "open-gate"}
LEARNT = "Latin"  # the script of all that the bundled ones learnt from
BATCH_TOKENS = {"cpu": 4_096, "cuda": 65_536}


@dataclass(frozen=True)
class Probe:
    """Weights [layers, hidden] and bias of a linear probe, and where they apply. `facts`: its training's figures."""

    weight: np.ndarray
    bias: float
    layers: tuple[int, ...]
    pooling: Pooling
    facts: dict[str, Any]

    def probability(self, features: np.ndarray) -> np.ndarray:
        """Probability of harmless [rows] from features [rows, layers, hidden]."""
        return 1.0 / (1.0 + np.exp(-np.clip(self.logits(features), -60, 60)))

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Its log-odds [rows]."""
        return np.einsum("rlh,lh->r", features.astype(np.float64), self.weight.astype(np.float64)) + self.bias

    def save(self, path: Path) -> None:
        """Writes a safetensors file whose metadata holds the layer, the pooling and the facts.

        Raises StoreError where it cannot.
        """
        metadata = {"layers": json.dumps(self.layers), "pooling": self.pooling, "facts": json.dumps(self.facts)}
        tensors = {"weight": self.weight.astype(np.float32), "bias": np.array([self.bias], np.float32)}
        write_tensors(path, tensors, metadata)

    @classmethod
    def load(cls, path: Path) -> "Probe":
        """Reads a probe. Raises ModelError where the file is none."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="np") as stream:
                metadata = stream.metadata()
                return cls(
                    weight=stream.get_tensor("weight"),
                    bias=float(stream.get_tensor("bias")[0]),
                    layers=tuple(json.loads(metadata["layers"])),
                    pooling=metadata["pooling"],
                    facts=json.loads(metadata["facts"]),
                )
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{path}: is no probe ({error}); make one with `amends probe train`") from error


def write_tensors(path: Path, tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    """Writes a safetensors file. Raises StoreError where it cannot."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, path, metadata=metadata)
    except (OSError, SafetensorError) as error:
        raise StoreError(f"{path}: cannot be written ({error}); choose another output") from error


def bundled_weights(name: str) -> Path:
    """File of a bundled judge.

    `evaluation`, `reader` and `open-reader` judge systems; `gate` and `open-gate` decide what is trained on.
    """
    return Path(str(resources.files("amends.judges"))) / "weights" / f"{name}.safetensors"


class ProbeJudge(Judge):
    """Scores responses with a probe. Loads the embedded model's lower layers on first use.

    Args:
        name: `probe` (the bundled judge that evaluates), `gate` or `open-gate` (bundled gates), or the path of a
            probe file.
    """

    def __init__(self, name: str = "probe") -> None:
        bundled = BUNDLED.get(name)
        path = bundled_weights(bundled) if bundled else Path(name)
        if not path.is_file():
            raise InputError(f"{name}: no such file of a probe; name `probe`, `gate`, `open-gate` or the path of one")
        self.name = f"probe/{path.stem}"
        self._bundled = name if bundled else ""
        self.probe = Probe.load(path)
        self._digest = file_digest(path)
        self._extractor: Extractor | None = None

    @property
    def fingerprint(self) -> str:
        """Hash of the probe's weights."""
        return fingerprint(probe=self._digest)

    @property
    def facts(self) -> dict[str, Any]:
        """Name, layers, and what the probe's training left."""
        return {"name": self.name, "layers": list(self.probe.layers), **self.probe.facts}

    def score(self, pairs: Sequence[tuple[UserPrompt, str]]) -> list[float | None]:
        """Probability of harmless for each (prompt, response).

        None for an empty response, where there is nothing to judge, and where the model's numbers overflowed.
        """
        if self._extractor is None:
            self._extractor = Extractor(find_model("embedded"), self.probe.layers, self.probe.pooling)
        distinct = list(dict.fromkeys(pair for pair in pairs if pair[1].strip()))  # equal pairs are read once
        if not distinct:
            return [None] * len(pairs)
        probabilities = self.probe.probability(self._extractor.features(distinct))
        scores = {
            pair: round(float(score), 6) if np.isfinite(score) else None
            for pair, score in zip(distinct, probabilities, strict=True)
        }
        return [scores.get(pair) for pair in pairs]

    def remarks(self, language: Language) -> list[str]:
        """That a bundled one never saw the script of a language."""
        if not self._bundled or LEARNT in language.scripts:
            return []
        return [
            f"the bundled {self._bundled} learnt from English alone, and says little of {language.title}: name a "
            "language model"
        ]

    def check(self) -> None:
        """Nothing can be wrong with it that was not refused when it was read."""

    def __getstate__(self) -> dict[str, Any]:
        """All but the model that it has loaded: another process loads it for itself."""
        return vars(self) | {"_extractor": None}

    def release(self) -> None:
        """Frees the model; the next use loads it again."""
        self._extractor = None


class Extractor:
    """Mean hidden states of chosen layers over the tokens of a response in its chat context.

    Args:
        source: the frozen model.
        layers: hidden states after these layers (1 is after the first); the layers above the highest are not computed.
        pooling: mean over the response's tokens, or over all tokens of the conversation.

    Raises ModelError for architectures whose layers are not kept as Llama's are (GPT-NeoX, Falcon, Bloom).
    """

    def __init__(self, source: ModelSource, layers: Sequence[int], pooling: Pooling) -> None:
        import torch

        self.tokenizer = load_tokenizer(source)
        backbone = load_model(source).get_decoder()
        if not (hasattr(backbone, "layers") and hasattr(backbone, "norm")):
            raise ModelError(f"{source.name}: a {type(backbone).__name__} is built otherwise than probes can read")
        if max(layers) > len(backbone.layers):
            raise InputError(f"layer {max(layers)}: {source.name} has {len(backbone.layers)} layers")
        backbone.layers = backbone.layers[: max(layers)]
        backbone.norm = torch.nn.Identity()
        self.backbone = backbone
        self.layers = list(layers)
        self.pooling = pooling
        self._read: list[int] = []
        self._kept: Any = None

    def features(self, pairs: Sequence[tuple[UserPrompt, str]], progress: ProgressCallback = no_progress) -> np.ndarray:
        """Array [pairs, layers, hidden] in float32. Long responses are cut to their first tokens, prompts as well.

        Of a conversation the last turns are read.
        """
        encoded = [self.encode(prompt, response) for prompt, response in pairs]
        prefix = self._prefix(encoded)
        budget = BATCH_TOKENS[self.backbone.device.type]
        result = np.empty((len(pairs), len(self.layers), self.backbone.config.hidden_size), np.float32)
        for rows in length_batches([len(ids) - len(prefix) for ids, _ in encoded], budget):
            result[rows] = self._batch([encoded[row] for row in rows], prefix)
            progress(len(rows), sum(len(encoded[row][0]) for row in rows))
        return result

    def _prefix(self, encoded: Sequence[tuple[list[int], int]]) -> list[int]:
        """What all conversations begin with, before any response: the template's own words. It is read once."""
        from amends.models.decoding.slots import attends_to_all

        if self.pooling == "all" or not encoded:  # then its states count
            return []
        if not attends_to_all(self.backbone.config):  # then its keys are not all that is kept of it
            return []
        shortest = min(start for _, start in encoded)
        return encoded[0][0][: min(shared_prefix([ids for ids, _ in encoded]), shortest - 1)]

    def encode(self, prompt: UserPrompt, response: str) -> tuple[list[int], int]:
        """Token ids of the conversation, and where the response begins; each is cut to its first tokens."""
        response = plain(response, self.tokenizer)
        context = render(self._latest(prompt), self.tokenizer, True)
        context_ids = self.tokenizer(context, add_special_tokens=False).input_ids
        response_ids = self.tokenizer(response, add_special_tokens=False).input_ids[:RESPONSE_TOKENS]
        return context_ids + response_ids, len(context_ids)

    def _latest(self, prompt: UserPrompt) -> list[Message]:
        """The last turns of a prompt that have `PROMPT_TOKENS` together, the first of these cut to its first tokens."""
        shown: list[Message] = []
        left = PROMPT_TOKENS
        for turn in reversed(messages_of(prompt)):
            text = plain(turn.content, self.tokenizer)
            ids = self.tokenizer(text, add_special_tokens=False).input_ids[:left]
            shown.insert(0, Message(role=turn.role, content=self.tokenizer.decode(ids) if len(ids) == left else text))
            left -= len(ids)
            if not left:
                break
        return shown[1:] if shown[0].role == "assistant" else shown  # templates want the user's turn first

    def _batch(self, batch: list[tuple[list[int], int]], prefix: list[int]) -> np.ndarray:
        import torch

        read = len(prefix)
        device = self.backbone.device
        ids, own = right_padded([tokens[read:] for tokens, _ in batch], 0)
        mask = torch.cat([torch.ones((len(batch), read), dtype=torch.long), own], 1)
        pooled = own.float()
        if self.pooling == "response":
            for row, (_, start) in enumerate(batch):
                pooled[row, : start - read] = 0
        pooled = (pooled / pooled.sum(1, keepdim=True)).to(device)
        with torch.inference_mode():
            states = self.backbone(
                input_ids=ids.to(device),
                attention_mask=mask.to(device),
                past_key_values=self._cache(prefix, len(batch)),
                output_hidden_states=self.layers,  # the others are not kept
                use_cache=bool(prefix),
            ).hidden_states
            means = [torch.einsum("bt,bth->bh", pooled, states[layer].float()) for layer in self.layers]
        return torch.stack(means, 1).cpu().numpy()

    def _cache(self, prefix: list[int], rows: int) -> Any:
        """Keys and values of the prefix for so many rows; None where there is no prefix."""
        import torch
        from transformers import DynamicCache

        if not prefix:
            return None
        if self._read != prefix:
            cache = DynamicCache(config=self.backbone.config)
            self.backbone(
                input_ids=torch.tensor([prefix], device=self.backbone.device), past_key_values=cache, use_cache=True
            )
            self._read, self._kept = prefix, cache
        expanded = DynamicCache(config=self.backbone.config)
        for number, layer in enumerate(self._kept.layers[: len(self.backbone.layers)]):
            keys, values = (one.expand(rows, -1, -1, -1) for one in (layer.keys, layer.values))
            expanded.update(keys, values, number)
        return expanded
