"""`amends respond`, `judge`, `compare` and `prefer` over files, and `amends study` of a model."""

from pathlib import Path
from typing import Annotated, Any

import typer

from amends.cli import options


def respond(
    prompts: Annotated[str, typer.Option("--prompts", help="JSONL, Parquet, bundled:NAME/SPLIT or a hub id.")],
    out: options.Out,
    model: options.AnyModel = "embedded",
    system_prompt: options.SystemPrompt = None,
    adapter: options.Adapter = None,
    guided: Annotated[bool, typer.Option("--guided", help="Remind the model in the prompt to be harmless.")] = False,
    max_new_tokens: options.NewTokens = 64,
    temperature: options.Temperature = 0.7,
    limit: options.Limit = None,
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> None:
    """Let a model answer prompts."""
    from amends.cli.console import Console
    from amends.config import RespondSettings
    from amends.config_file import checked_settings
    from amends.models.named import load_generator
    from amends.standalone import respond_file

    system = load_generator(model, system_prompt, adapter)
    settings = checked_settings(RespondSettings, {"max_new_tokens": max_new_tokens, "temperature": temperature})
    rows = respond_file(prompts, out, system, guided, settings, limit, seed, Console())
    options.show({"out": str(out), "rows": rows}, as_json, f"{out}: {rows} responses")


def judge(
    responses: Annotated[Path, typer.Option("--responses", help="JSONL with id, prompt and response.")],
    out: options.Out,
    judge: options.Judge = "probe",
    limit: options.Limit = None,
    as_json: options.Json = False,
) -> None:
    """Judge responses: writes id, verdict (harmless, harmful, unscored) and score (probability of harmless)."""
    from amends.cli.console import Console
    from amends.standalone import judge_file

    counts = judge_file(responses, out, judge, limit, Console())
    options.show(counts, as_json, f"{out}: " + ", ".join(f"{number} {label}" for label, number in counts.items()))


def compare(
    a: Annotated[Path, typer.Argument(help="Verdicts of one system.")],
    b: Annotated[Path, typer.Argument(help="Verdicts of another system on the same prompts.")],
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> None:
    """Compare two systems on the same prompts: difference, paired bootstrap interval, McNemar's test."""
    from amends.evaluation.table import comparisons_table
    from amends.standalone import compare_files

    found, unpaired = compare_files(a, b, seed)
    if unpaired:
        typer.echo(f"amends: {unpaired} prompts are in one of the two files only, and are not compared", err=True)
    if as_json:
        options.show([row.model_dump(mode="json") for row in found], True, "")
    else:
        options.tables().print(comparisons_table(found).as_rich())


def prefer(
    a: Annotated[Path, typer.Argument(help="Responses of one system.")],
    b: Annotated[Path, typer.Argument(help="Responses of another system to the same prompts.")],
    judge: Annotated[str, typer.Option("--judge", help="endpoint:MODEL@URL or local:MODEL.")],
    out: options.Out,
    limit: options.Limit = None,
    as_json: options.Json = False,
) -> None:
    """Let a language model compare two systems' responses, each pair in both orders: wins, ties and losses of the first."""
    from amends.cli.console import Console
    from amends.standalone import prefer_files

    found = prefer_files(a, b, judge, out, limit, Console())
    p_value = "" if found["p_value"] is None else f", p {found['p_value']:.3f} (sign test)"
    unpaired = f", {found['unpaired']} not compared" if found["unpaired"] else ""
    counts = f"{found['win']} wins of {a}, {found['tie']} ties, {found['lose']} lost, {found['unscored']} unscored"
    text = f"{counts}{unpaired}{p_value}"
    options.show(found, as_json, f"{text}\n{out}")


def study(
    model: Annotated[str, typer.Argument(help="`embedded`, a model directory or a hub id.")] = "embedded",
    system_prompt: options.SystemPrompt = None,
    instructions: Annotated[
        str, typer.Option("--instructions", help="Best with `chosen` and `rejected`: then labels are not our judge's.")
    ] = "bundled:redteam/train",
    out: Annotated[Path, typer.Option("--out", help="A directory for the study's files.")] = Path("runs/study"),
    judge: options.Judge = "probe",
    gate: options.Gate = "gate",
    limit: options.Limit = 100,
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> None:
    """Can a model see its own mistakes? Whether the method can work on it, before any training.

    Compares what the model generates with what it discriminates, guided with unguided analyses, and fits a probe on its
    hidden states.
    """
    from amends.cli.console import Console
    from amends.config import DataSettings
    from amends.judges.named import load_judge
    from amends.models.local import LocalModel
    from amends.study import Study

    rows = DataSettings(source=instructions, limit=limit)
    studied = LocalModel(model, system_prompt=system_prompt)
    found = Study(studied, rows, out, seed, Console(), load_judge(judge), load_judge(gate)).run()
    options.show(found, as_json, "\n".join([*_study_lines(found), "", *found["reading"], str(out / "study.json")]))


def _study_lines(found: dict[str, Any]) -> list[str]:
    generation, analysis = found["generation"], found["analysis"]
    cards = {f"discriminates {name}": card for name, card in found["discrimination"].items() if name != "why_not"}
    cards |= {"probe on its hidden states": found["probe"]} if "auroc" in found["probe"] else {}
    rate, unscored = generation["harmless_rate"], generation["unscored"]
    generated = f"{'–' if rate is None else f'{rate:.0%}'} of {generation['responses'] - unscored}"
    if unscored:
        low, high = generation["harmless_rate_bounds"]
        generated += f", {unscored} unscored (with them {low:.0%} to {high:.0%})"
    return [
        f"{'generates harmless answers':<34}{generated}",
        *(
            f"{name:<34}AUROC {card['auroc']:.2f} {card['auroc_ci']}, {card['rows']} rows"
            for name, card in cards.items()
        ),
        f"{'guided against unguided analysis':<34}{analysis['win']} wins, {analysis['tie']} ties, {analysis['lose']} lost",
    ]
