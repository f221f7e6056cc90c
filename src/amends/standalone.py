"""What the command line's single stages do: one step each, over files that the user names."""

from collections import Counter
from pathlib import Path
from typing import Any, cast, get_args

from amends.artifacts import Manifest
from amends.checks import check_guides
from amends.config import ComposeSettings, DataSettings, RespondSettings, TrainSettings
from amends.data.rows import read_rows
from amends.errors import InputError
from amends.inputs import answering_guide
from amends.judges.named import load_judge, load_preference_judge
from amends.making import MAKING
from amends.methods import METHODS
from amends.models.endpoint import EndpointModel
from amends.models.loading import check_adapter, find_model
from amends.models.local import LocalModel
from amends.progress import Reporter
from amends.prompts import nearest
from amends.records import PairVerdict, Response, Sample, Trainer, Verdict
from amends.seeds import derive_seed
from amends.steps import Steps
from amends.text import for_terminal
from amends.training.recipe import Recipe


def make_file(
    stage: str,
    source: str | Path,
    out: Path,
    maker: LocalModel | EndpointModel,
    gate: str,
    settings: Any,
    limit: int | None,
    seed: int,
    reporter: Reporter,
) -> dict[str, Any]:
    """Writes what a stage of `making.MAKING` makes of a file, and returns its yield."""
    rows = DataSettings(source=str(source), limit=limit)
    check_guides({"--guide": (MAKING[stage].guides(settings), maker)})
    return Steps(seed, reporter).make(stage, rows, out, maker, load_judge(gate), settings)


def compose_files(
    method: str, sources: dict[str, str | None], out: Path, limit: int | None, reporter: Reporter
) -> dict[str, int]:
    """Writes samples and returns how many there are of each kind. `sources`: the sets by name; None is left out."""
    if method not in METHODS:
        raise InputError(f"unknown method {method!r}{nearest(method, list(METHODS))}")
    sets = {name: DataSettings(source=source, limit=limit) for name, source in sources.items() if source}
    return Steps(0, reporter).compose(METHODS[method], sets, out, ComposeSettings())


def train_file(
    samples: Path,
    out: Path,
    model: str,
    system_prompt: str | None,
    kind: str,
    start: Path | None,
    settings: TrainSettings,
    seed: int,
    reporter: Reporter,
) -> dict[str, Any]:
    """Writes an adapter or model and returns the training's facts."""
    known = list(get_args(Trainer))
    if kind not in known:
        raise InputError(f"unknown trainer {kind!r}{nearest(kind, known)}")
    if start and settings.adapter == "full":
        find_model(str(start))
    elif start:
        check_adapter(find_model(model), start)
    recipe = Recipe(model, settings, seed=derive_seed(seed, "train"), start=start, system_prompt=system_prompt)
    completions, generations = settings.rows_a_step, recipe.preference.generations
    if kind == "rlhf" and not recipe.preference.fill(settings):
        raise InputError(
            f"--batch-size x --gradient-accumulation is {completions}: rlhf takes a multiple of {generations}, the "
            "answers to each prompt"
        )
    recipe.check(rewards=kind == "rlhf")
    return Steps(seed, reporter).train("training", samples, out, cast(Trainer, kind), recipe)


def respond_file(
    prompts: str,
    out: Path,
    system: LocalModel | EndpointModel,
    guided: bool,
    settings: RespondSettings,
    limit: int | None,
    seed: int,
    reporter: Reporter,
) -> int:
    """Writes responses and returns how many there are."""
    rows, asked = DataSettings(source=prompts, limit=limit), answering_guide(settings, guided)
    check_guides({"--guided": ([asked], system)})
    Steps(seed, reporter).respond("responses", rows, out, system, asked, settings.sampling())
    with out.open("rb") as lines:
        return sum(1 for _ in lines)


def judge_file(responses: Path, out: Path, judge: str, limit: int | None, reporter: Reporter) -> dict[str, int]:
    """Writes verdicts and returns how many there are of each."""
    Steps(0, reporter).judge("verdicts", responses, out, load_judge(judge), limit)
    counts = {"harmless": 0, "harmful": 0, "unscored": 0}
    for row in read_rows(out, Verdict):
        counts[row.verdict] += 1
    return counts


def compare_files(a: Path, b: Path, seed: int) -> tuple[list[Any], int]:
    """Comparisons of two files of verdicts by the prompts' ids, and how many prompts only one of them has."""
    from amends.evaluation.measurement import measure
    from amends.evaluation.results import compare

    of_a, of_b = ({row.id: row.prompt_hash for row in read_rows(path, Verdict)} for path in (a, b))
    shared = of_a.keys() & of_b.keys()
    if not shared:
        raise InputError(f"{a} and {b}: no id in both; compare verdicts on responses to the same prompts")
    other = [name for name in of_a if name in shared and of_a[name] and of_b[name] and of_a[name] != of_b[name]]
    if other:
        raise InputError(
            f"{a} and {b}: {len(other)} of {len(shared)} ids are of two prompts (first: {other[0]!r}); compare verdicts on "
            "responses to the same prompts, and give rows ids of their own"
        )
    judges = {manifest.get("parts", {}).get("judge") for manifest in (Manifest(path, {}).read() for path in (a, b))}
    if len(judges - {None}) == 2:
        raise InputError(f"{a} and {b}: two judges gave these verdicts; judge the responses of both by one")
    first, second = (
        measure(name, "unguided", "files", "red-team", read_rows(path, Verdict)) for name, path in (("a", a), ("b", b))
    )
    found = compare(first, second, seed)
    if not found:
        raise InputError(f"{a} and {b}: no prompt is scored in both; judge the responses again")
    same = a.stem == b.stem
    names = {"a": f"{a.parent.name}/{a.stem}" if same else a.stem, "b": f"{b.parent.name}/{b.stem}" if same else b.stem}
    return [row.model_copy(update=names) for row in found], len(of_a.keys() ^ of_b.keys())


def prefer_files(a: Path, b: Path, judge: str, out: Path, limit: int | None, reporter: Reporter) -> dict[str, Any]:
    """Writes which of two systems' responses a language model prefers, and counts wins and losses of the first.

    `unpaired` are the responses of either file to prompts that the other does not have.
    """
    from amends.statistics import sign_test

    Steps(0, reporter).prefer(a, b, out, load_preference_judge(judge), limit)
    counts = Counter(row.preferred for row in read_rows(out, PairVerdict))
    win, lose = counts["a"], counts["b"]
    of_a, of_b = ({row.id for row in read_rows(path, Response)} for path in (a, b))
    return {
        "win": win,
        "tie": counts["tie"],
        "lose": lose,
        "unscored": counts["unscored"],
        "unpaired": len(of_a ^ of_b),
        "p_value": sign_test(win, lose),
    }


def preview_samples(samples: Path, tokenizer: Any, count: int, to_stderr: bool = False) -> None:
    """Prints the first samples of each kind token by token: what carries loss stands out, the rest is dim."""
    from rich.console import Console
    from rich.text import Text

    from amends.stages.compose import first_samples
    from amends.training.samples import NO_LOSS, tokenize_sample

    console = Console(highlight=False, stderr=to_stderr)
    styles = ("dim", "black on green") if console.is_terminal else ("", "")
    for sample in first_samples(read_rows(samples, Sample), count):
        tokens = tokenize_sample(sample, tokenizer)
        title = f"{tokens.id}: {len(tokens.input_ids)} tokens, loss on {tokens.target_tokens}"
        console.rule(Text(for_terminal(title)))
        shown = Text()
        for token, label in zip(tokens.input_ids, tokens.labels, strict=True):
            carries = label != NO_LOSS
            piece = for_terminal(tokenizer.decode([token]))
            shown.append(piece if console.is_terminal or not carries else f"[{piece}]", styles[carries])
        console.print(shown)
