"""Whether a server goes on with the first words of an answer, or begins another turn behind them.

It shows in the length of the prompt as the server counts it: one word more is one token where the turn stays open. A
turn that is closed, and a new one that is opened, are several more. What a model writes would tell less: a weak one
goes on with nothing, and a strong one repeats what stands before.
"""

from dataclasses import replace

from amends.models.base import SHORT, Generation, Sampling
from amends.models.endpoint.asking import Asking

WORD = "Yes"  # a token of its own in the vocabularies of GPT-2, Llama, Mistral, Qwen, Gemma and SmolLM2
ONE = Sampling(max_new_tokens=1, temperature=0.0)


async def refusal_of_prefill(asking: Asking) -> str:
    """Why a server does not go on with an answer's first words; empty where it does. It is asked two short questions.

    Raises as `Connection.request`, where it does not answer the one without such words.
    """
    import openai

    plain = await asking.reply(asking.request(SHORT, ONE, 0), ONE.max_new_tokens, False)
    try:
        begun = await asking.reply(asking.request(replace(SHORT, prefill=WORD), ONE, 0), ONE.max_new_tokens, False)
    except openai.APIStatusError as error:
        return f"it refuses them: {asking.connection.reason_of(error)}"
    if isinstance(plain, Generation) or isinstance(begun, Generation) or plain.read is None or begun.read is None:
        return "it does not say how many tokens it reads, from which that would be seen"
    more = begun.read - plain.read
    return "" if more <= 1 else f"it begins a new turn behind them: of one word it reads {more} tokens more"
