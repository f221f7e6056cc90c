"""A Llama in a GGUF file as transformers' own: its configuration and its weights.

transformers 5.23 reads such a file once for each of configuration, tokenizer and weights, with a parser that takes
seconds for a vocabulary, and looks 400 times through all names that any model has: 20 seconds of a processor, here 3.
Source: github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

from pathlib import Path
from typing import Any

PARTS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
ENDS = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}


def read_llama(path: Path) -> Any:
    """The model, in float32. Its output layer has to be its embeddings, as the embedded model's is.

    Raises ValueError, KeyError, RuntimeError where it is no such file.

    Example:
        read_llama(embedded_gguf()).save_pretrained("model")
    """
    import torch
    from transformers import LlamaForCausalLM

    configuration = _configuration(path)
    with torch.device("meta"):  # no numbers, which would be thrown away
        model = LlamaForCausalLM(configuration)
    weights = _weights(path, configuration)
    model.load_state_dict(weights | {"lm_head.weight": weights["model.embed_tokens.weight"]}, assign=True)
    model.tie_weights()
    return model


def _configuration(path: Path) -> Any:
    from transformers import LlamaConfig
    from transformers.integrations.gguf import read_gguf_metadata

    said, _ = read_gguf_metadata(str(path))
    shape = {name.removeprefix("llama."): value for name, value in said.items() if name.startswith("llama.")}
    tokens = {name: said[f"tokenizer.ggml.{name}_token_id"] for name in ("bos", "eos", "unknown", "padding")}
    return LlamaConfig(
        vocab_size=shape["vocab_size"],
        hidden_size=shape["embedding_length"],
        intermediate_size=shape["feed_forward_length"],
        num_hidden_layers=shape["block_count"],
        num_attention_heads=shape["attention.head_count"],
        num_key_value_heads=shape["attention.head_count_kv"],
        head_dim=shape["rope.dimension_count"],
        max_position_embeddings=shape["context_length"],
        rms_norm_eps=shape["attention.layer_norm_rms_epsilon"],
        rope_parameters={"rope_theta": shape["rope.freq_base"], "rope_type": "default"},
        tie_word_embeddings=True,
        bos_token_id=tokens["bos"],
        eos_token_id=tokens["eos"],
        unk_token_id=tokens["unknown"],
        pad_token_id=tokens["padding"],
        _model_name_or_path=said["general.name"],
    )


def _weights(path: Path, configuration: Any) -> dict[str, Any]:
    import numpy as np
    import torch
    from gguf import GGMLQuantizationType, dequantize
    from transformers.integrations.gguf import GgufHeader

    header, weights = GgufHeader.from_file(str(path)), dict[str, Any]()
    data = np.memmap(path, mode="r", dtype=np.uint8, offset=header.data_start)
    heads = {"attn_q": configuration.num_attention_heads, "attn_k": configuration.num_key_value_heads}
    for one in header.tensors:
        *layer, part, _ = one.name.removeprefix("blk.").split(".")
        packed = data[one.offset : one.offset + one.nbytes].reshape(*one.shape[:-1], -1)
        weight = torch.tensor(dequantize(packed, GGMLQuantizationType(one.ggml_type)))
        if part in heads:  # GGUF has the two halves that are rotated with each other row by row
            weight = weight.unflatten(0, (heads[part], -1, 2)).transpose(1, 2).reshape(one.shape)
        weights[f"model.layers.{layer[0]}.{PARTS[part]}.weight" if layer else f"{ENDS[part]}.weight"] = weight
    return weights
