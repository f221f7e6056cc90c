"""Loading tokenizers and models: one place for precision, special tokens, and errors that say what to do."""

from pathlib import Path
from typing import Any

from amends.errors import ModelError, in_a_line, memory_is_full
from amends.models.adapters import merged
from amends.models.chat import end_of_turn_token, render, template_with
from amends.models.configuration import mended, read_configuration, vocabulary
from amends.models.device import avoid_cudnn_attention, best_device, best_dtype
from amends.models.libraries import quiet_libraries
from amends.models.source import ModelSource, refuse_both
from amends.models.source import find_model as find_model
from amends.models.template_limits import refuse_endless
from amends.records import Message

CONVERSATION = (
    Message(role="system", content="Be kind."),
    Message(role="user", content="Hello."),
    Message(role="assistant", content="Hi."),
)


def load_tokenizer(source: ModelSource, chat_template: str | None = None) -> Any:
    """The model's own tokenizer, padding on the left, with another chat template where one is given.

    Raises ModelError where it has none, one that never ends, one without a place for the model's system prompt, or one
    that writes tokens that the model has no embedding of.
    """
    from transformers import AutoTokenizer

    quiet_libraries()
    commit = source.commit()
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            source.location, revision=commit, padding_side="left", trust_remote_code=False
        )
    except Exception as error:
        raise ModelError(
            f"{source.name}: its tokenizer cannot be loaded; save it beside the weights ({in_a_line(error)})"
        ) from error
    tokenizer.chat_template = chat_template or tokenizer.chat_template
    if not tokenizer.chat_template:
        raise ModelError(
            f"{source.name}: its tokenizer has no chat template, so it is a base model; use its instruct version, or "
            "save a chat_template.jinja beside the tokenizer"
        )
    try:
        written = f"{tokenizer.chat_template}\n{tokenizer.special_tokens_map}"
        refuse_endless(written, lambda: _render_conversations(tokenizer))
        _mend_special_tokens(tokenizer, vocabulary(read_configuration(source)))
        if source.system_prompt:
            tokenizer.chat_template = template_with(source.system_prompt, tokenizer)
    except ModelError as error:
        said = str(error)
        raise ModelError(said if said.startswith(source.name) else f"{source.name}: {said}") from error
    return tokenizer


def _render_conversations(tokenizer: Any) -> None:
    """With and without a system turn, an answer and an opening."""
    for first in (0, 1):
        for behind, opens in ((2, True), (3, False)):
            try:
                render(CONVERSATION[first:behind], tokenizer, opens)
            except ModelError as error:
                if isinstance(error.__cause__, MemoryError):
                    raise
                # Not every template takes every conversation.


def _mend_special_tokens(tokenizer: Any, embeddings: int) -> None:
    """Gives the tokenizer an end and a padding that the model has embeddings of; 0 `embeddings`: not known.

    Both may be missing, or a padding was added whose embedding never was. What pads is masked wherever it stands, so
    that any token serves. Tokens without an embedding become special: then no text is read as one of them (chat.plain).
    """
    from tokenizers import AddedToken

    beyond = {place: token for place, token in tokenizer.added_tokens_decoder.items() if 0 < embeddings <= place}
    if more := [token for token in beyond.values() if not token.special]:
        tokenizer.add_tokens([AddedToken(token.content, special=True) for token in more], special_tokens=True)
    for name in ("eos_token", "pad_token"):
        if getattr(tokenizer, f"{name}_id") in beyond:
            setattr(tokenizer, name, None)
    if tokenizer.eos_token is None:
        tokenizer.eos_token = tokenizer.convert_ids_to_tokens(end_of_turn_token(tokenizer))
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    ids = tokenizer(render(CONVERSATION[1:], tokenizer, False), add_special_tokens=False).input_ids if beyond else []
    if lost := [beyond[place] for place in ids if place in beyond]:
        raise ModelError(
            f"its chat template writes {lost[0].content!r}, of which the model has no embedding ({embeddings} in all); "
            "resize the embeddings to the tokenizer, and train them"
        )


def load_model(source: ModelSource, device: str | None = None, adapter: Path | None = None) -> Any:
    """A causal language model in evaluation mode on `device`, with a PEFT adapter where one is named.

    Raises ModelError where the files are missing or damaged, or the adapter does not fit the model.
    """
    from transformers import AutoModelForCausalLM

    device = device or best_device()
    model = load_weights(AutoModelForCausalLM, source, device).to(device)
    if adapter is not None:
        model = merged(model, source, adapter)
    return model.eval()


def load_weights(kind: Any, source: ModelSource, device: str, dtype: Any = None, **options: Any) -> Any:
    """A model of transformers' class `kind`, in the precision for `device`, with `options` of its configuration.

    `dtype`: in another precision.

    Raises ModelError where the files are missing or damaged.
    """
    quiet_libraries()
    avoid_cudnn_attention(device)
    commit = source.commit()
    options |= mended(read_configuration(source))
    try:
        model = kind.from_pretrained(
            source.location,
            revision=commit,
            dtype=dtype or best_dtype(device),
            use_safetensors=True,
            trust_remote_code=False,
            **options,
        )
    except Exception as error:
        if memory_is_full(error):
            raise
        raise ModelError(
            f"{source.name}: cannot be loaded: {in_a_line(error)}; name `embedded`, a model directory with "
            "safetensors weights, or a hub id that can be reached (offline: download it first)"
        ) from error
    if getattr(model, "_hf_peft_config_loaded", False):  # the hub's, which were not seen before
        refuse_both(source.name)
    return model
