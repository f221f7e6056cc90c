"""A model card: what a trained model is, what it learnt from, how it is asked, and what was measured of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from amends.config.methods import METHODS
from amends.data.layouts import PUBLIC
from amends.data.sources import BUNDLED_PREFIX
from amends.errors import AmendsError
from amends.evaluation.results import Results
from amends.judges.load import load_judge
from amends.reporting.headline import headline, judge_licence, model_words
from amends.reporting.tables import comparisons_table, headline_comparisons, results_table
from amends.reporting.wording import SystemName
from amends.text.display import for_markdown

EMBEDDED = "HuggingFaceTB/SmolLM2-135M-Instruct"
LIMITS = (
    "Its safety was measured on the suites above, by the judge that is named there. It says little of other prompts.",
    "The judge errs. One number of a small judge is no proof: read answers before you trust the model.",
    "A safer model refuses more. Look at the share of refused safe prompts above.",
    "It is not safe against every attack, and a determined user can have it trained back.",
)
UNMEASURED = (
    "Nothing of it was measured: not its safety, not what it refuses, not what it is still good for.",
    LIMITS[-1],
)


@dataclass(frozen=True)
class Facts:
    """What a card is written from.

    Attributes:
        model: the base, as the configuration names it.
        method: a row of the comparison.
        sets: of the training data, by name: `source`, `rows`.
        gate: the judge that chose the data, as the configuration names it; empty where it is not known.
        reminder: the words of guided inference.
        prefill: the words that open each answer.
        has_system_prompt: whether it was measured with a system prompt, which is not repeated here.
        form: what lies beside the card, in words.
        results: of the run, if it has some.
    """

    model: str
    method: str
    sets: Mapping[str, Mapping[str, Any]]
    gate: str
    reminder: Sequence[str]
    prefill: str
    has_system_prompt: bool
    form: str
    results: Results | None


def base_name(model: str) -> str:
    """A model's hub id, or its directory's name: never a path of this machine.

    Example:
        >>> base_name("/models/of/mine/Qwen3-8B"), base_name("Qwen/Qwen3-8B")
        ('Qwen3-8B', 'Qwen/Qwen3-8B')
    """
    if model == "embedded":
        return EMBEDDED
    return model if is_hub_id(model) else Path(model).expanduser().resolve().name


def is_hub_id(model: str) -> bool:
    """Whether it is written as a hub id is, and there is no such directory."""
    return model == "embedded" or (
        model.count("/") == 1 and not model.startswith((".", "/", "~")) and not Path(model).exists()
    )


def model_card(facts: Facts) -> str:
    """The card as Markdown, with the metadata that the hub reads."""
    base = base_name(facts.model)
    metadata = {
        **({"base_model": base} if is_hub_id(facts.model) else {}),
        "library_name": "peft" if facts.form == "adapter" else "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["amends", facts.method, "safety"],
    }
    head = yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True)
    sections = [
        f"# {for_markdown(f'{base}, {facts.method}')}",
        "\n".join(_about(facts, base)),
        "## How it is asked\n\n" + "\n".join(_asked(facts)),
        "## What it learnt from\n\n" + "\n".join(_data(facts)),
        *_measured(facts, base),
        "## Limits\n\n" + "\n".join(f"- {one}" for one in (LIMITS if facts.results else UNMEASURED)),
    ]
    return f"---\n{head}---\n\n" + "\n\n".join(sections) + "\n"


def _about(facts: Facts, base: str) -> Iterator[str]:
    source = f" ({for_markdown(METHODS[facts.method].source)})" if facts.method in METHODS else ""
    yield f"- **Base model**: {for_markdown(base)}"
    yield f"- **Method**: {for_markdown(facts.method)}{source}"
    yield f"- **Form**: {facts.form}"
    yield "- **Licence**: the base model's and the data's apply; this card grants none."


def _asked(facts: Facts) -> Iterator[str]:
    if facts.reminder:
        words = " ".join(f"`{one}`" for one in facts.reminder)
        yield f'- Rows "guided" were measured with the reminder: {words}'
    if facts.prefill:
        yield f"- Each answer was made to begin with `{facts.prefill}`."
    if facts.has_system_prompt:
        yield "- It was trained, and all was measured, with a system prompt, which is not repeated here."
    yield "- Models that can reason were trained and measured without: `enable_thinking=false`."


def _data(facts: Facts) -> Iterator[str]:
    for name, one in facts.sets.items():
        source = str(one["source"])
        yield f"- {name}: {for_markdown(_without_path(source))}, {one['rows']} rows. Licence: {licence_of(source)}."
    if facts.gate:
        gate = _gate(facts)
        licence = judge_licence({"gate": gate})
        said = f"What the model wrote itself was chosen by {_judge_words(str(gate['name']))}."
        yield f"- {for_markdown(said)}" + (f" {for_markdown(licence)}." if licence else "")


def _gate(facts: Facts) -> Mapping[str, Any]:
    """What the results say of the gate, else what it says of itself; its name alone where it cannot be loaded here."""
    if facts.results and (known := facts.results.judges.get("gate")):
        return known
    try:
        return load_judge(facts.gate).facts
    except AmendsError:
        return {"name": facts.gate}


def _judge_words(name: str) -> str:
    """A judge by its name, whose model may be a directory of this machine."""
    kind, slash, model = name.partition("/")
    return f"{kind}{slash}{model_words(model)}"


def _without_path(source: str) -> str:
    return source if _is_public(source) or is_hub_id(source.partition(":")[0]) else Path(source).name


def _is_public(source: str) -> bool:
    return source.startswith(BUNDLED_PREFIX)


def licence_of(source: str) -> str:
    """The licence of a data set, where amends knows the set.

    Example:
        >>> licence_of("PKU-Alignment/PKU-SafeRLHF")
        'CC-BY-NC-4.0'
        >>> licence_of("mine.jsonl")
        'not known to amends; say it here'
    """
    if _is_public(source):
        return "Apache-2.0, drafted with a language model"
    known = (one.licence for one in PUBLIC if one.address.rstrip("/").endswith(f"/{source.partition(':')[0]}"))
    return next(known, "not known to amends; say it here")


def _measured(facts: Facts, base: str) -> Iterator[str]:
    yield "## What was measured"
    if facts.results is None:
        yield "Nothing yet."
        return
    results = facts.results
    first = next(iter(dict.fromkeys(row.method for row in results.systems)), facts.method)
    kept = {first, facts.method}
    systems = [row for row in results.systems if row.method in kept]
    compared = [row for row in results.comparisons if {row.a.partition("/")[0], row.b.partition("/")[0]} <= kept]
    shown = results.model_copy(update={"model": base, "systems": systems, "comparisons": compared})
    judge = _judge_words(str(results.judges.get("evaluation", {}).get("name", "unknown")))
    limited = f" {for_markdown(licence)}." if (licence := judge_licence(results.judges)) else ""
    yield f"Judge of the numbers below: {for_markdown(judge)}.{limited}"
    yield results_table(shown).markdown()
    if results.primary and SystemName.of(results.primary.a).method == facts.method:
        yield for_markdown(headline(results).text)
    if headlines := headline_comparisons(shown):
        yield comparisons_table(headlines).markdown()
    for note in results.notes:
        yield f"**Note.** {for_markdown(note)}"
