"""A tiny Llama with random weights, and adapters of it: milliseconds for seconds."""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from amends.models.loading import load_tokenizer
from amends.models.source import find_model

SIZE = 32


@cache
def embedded_tokenizer() -> Any:
    return load_tokenizer(find_model("embedded"))


def tiny_model(directory: Path, size: int = SIZE, seed: int = 0, tokenizer: Any = None, **changes: Any) -> Path:
    """Writes it and returns its directory. By default its tokenizer is the embedded model's: most of it, and slow."""
    tokenizer = tokenizer or embedded_tokenizer()
    torch.manual_seed(seed)
    shape = {
        "hidden_size": size,
        "intermediate_size": 2 * size,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 2048,
        "tie_word_embeddings": True,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    model = LlamaForCausalLM(LlamaConfig(**shape | changes))
    for weight in model.parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.1)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def tiny_adapter(
    directory: Path, model: Path, base: str | None = None, targets: Sequence[str] = ("q_proj",), **more: Any
) -> Path:
    """Writes an adapter of it that changes its answers, with `base` as the name of what it was trained on."""
    torch.manual_seed(1)
    configuration = LoraConfig(target_modules=list(targets), task_type="CAUSAL_LM", r=4, **more)
    adapted = get_peft_model(LlamaForCausalLM.from_pretrained(model), configuration)
    for name, weight in adapted.named_parameters():
        if "lora_B" in name or "lora_embedding_B" in name:
            torch.nn.init.normal_(weight)
    adapted.save_pretrained(directory)
    path = directory / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"base_model_name_or_path": base}))
    return directory
