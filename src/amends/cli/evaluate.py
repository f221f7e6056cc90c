"""`amends respond`, `judge`, `compare` and `prefer` over files, and `amends study` of a model."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from amends.cli import options
from amends.cli.settings_options import Fields
from amends.errors import InputError
from amends.evaluation.respond import RespondSettings

if TYPE_CHECKING:
    from amends.evaluation.results import Comparison


def respond(
    *,
    prompts: options.Prompts,
    out: options.Out,
    selection: options.Selection,
    model: options.AnyModel,
    system_prompt: options.SystemPrompt,
    adapter: options.Adapter = None,
    guided: Annotated[bool, typer.Option("--guided", help="Remind the model in the prompt to be harmless.")] = False,
    spoken: options.Spoken,
    settings: Annotated[RespondSettings, Fields(without=["inference"])],
    limit: options.Limit,
    seed: options.Seed,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
) -> None:
    """Let a model answer prompts.

    Example: amends respond --prompts bundled:redteam/test --guided --limit 40 --out responses.jsonl
    """
    from amends.models.load import load_model
    from amends.pipeline.single_steps import respond_file
    from amends.reporting.console import Console

    if settings.guide != RespondSettings().guide and not guided:
        raise InputError("--guide names the reminder of guided inference; add --guided, or leave it out")
    rows = selection.of(prompts, limit)
    language = spoken.load()
    system = load_model(model, system_prompt, adapter)
    count = respond_file(rows, out, system, guided, settings, seed, Console(), language, overwrite)
    options.show({"out": str(out), "rows": count}, as_json, f"{out}: {count} responses")


def judge(
    *,
    responses: Annotated[Path, typer.Option("--responses", help="JSONL with id, prompt and response.")],
    out: options.Out,
    judge: options.Judge,
    spoken: options.Spoken,
    limit: options.Limit,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
) -> None:
    """Judge responses: writes id, verdict (harmless, harmful, unscored) and score (probability of harmless).

    Example: amends judge --responses responses.jsonl --out verdicts.jsonl
    """
    from amends.pipeline.single_steps import judge_file
    from amends.reporting.console import Console

    counts = judge_file(responses, out, judge, limit, Console(), spoken.load(), overwrite)
    options.show(counts, as_json, f"{out}: " + ", ".join(f"{number} {label}" for label, number in counts.items()))


def compare(
    *,
    a: Annotated[Path, typer.Argument(help="Verdicts of one system.")],
    b: Annotated[Path, typer.Argument(help="Verdicts of another system on the same prompts.")],
    seed: options.Seed,
    as_json: options.Json = False,
) -> None:
    """Compare two systems on the same prompts: difference, paired bootstrap interval, McNemar's test.

    Example: amends compare before.verdicts.jsonl after.verdicts.jsonl
    """
    from amends.pipeline.comparing import compare_files
    from amends.reporting.tables import comparisons_table

    found, unpaired = compare_files(a, b, seed)
    if unpaired:
        typer.echo(f"amends: {unpaired} prompts are in one of the two files only, and are not compared", err=True)
    if as_json:
        options.show([row.model_dump(mode="json") for row in found], True, "")
    else:
        options.show_parts(None, False, [*_did_it_work(found), comparisons_table(found)])


def _did_it_work(found: Sequence["Comparison"]) -> Iterator[str]:
    """What is asked first of two systems, in words; and what these verdicts cannot answer."""
    from amends.reporting.wording import detectable_text, difference_text, finding

    first = found[0]
    yield (
        f"{first.a} against {first.b}, {first.n} prompts: {difference_text(first)}: {finding(first)} "
        f"(found from {detectable_text(first)})"
    )
    for row in found:
        if row.metric == "refusal_rate":
            yield f"refusals: {difference_text(row)}: {finding(row)}"
    yield "Did it work? Compare verdicts on safe prompts, too: more refusals there are the cost. Then read answers."


def prefer(
    *,
    a: Annotated[Path, typer.Argument(help="Responses of one system.")],
    b: Annotated[Path, typer.Argument(help="Responses of another system to the same prompts.")],
    judge: Annotated[str, typer.Option("--judge", help="endpoint:MODEL@URL or local:MODEL.")],
    out: options.Out,
    spoken: options.Spoken,
    limit: options.Limit,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
) -> None:
    """Let a language model compare two systems' responses, each pair in both orders: the first's wins, ties, losses.

    Example: amends prefer before.jsonl after.jsonl --judge endpoint:judge@http://localhost:8000/v1 --out wins.jsonl
    """
    from amends.pipeline.comparing import prefer_files
    from amends.reporting.console import Console

    found = prefer_files(a, b, judge, out, limit, Console(), spoken.load(), overwrite)
    p_value = "" if found["p_value"] is None else f", p {found['p_value']:.3f} (sign test)"
    unpaired = f", {found['unpaired']} not compared" if found["unpaired"] else ""
    counts = f"{found['win']} wins of {a}, {found['tie']} ties, {found['lose']} lost, {found['unscored']} unscored"
    text = f"{counts}{unpaired}{p_value}"
    options.show(found, as_json, f"{text}\n{out}")


def study(
    *,
    model: Annotated[
        str | None, typer.Argument(help="`embedded`, a model directory or a hub id; `embedded` without it.")
    ] = None,
    named: Annotated[str | None, typer.Option("--model", help="The same, as the other commands take it.")] = None,
    system_prompt: options.SystemPrompt,
    instructions: Annotated[
        str, typer.Option("--instructions", help="Best with `chosen` and `rejected`: then labels are not our judge's.")
    ] = "bundled:redteam/train",
    selection: options.Selection,
    out: Annotated[Path, typer.Option("--out", help="A directory for the study's files.")] = Path("runs/study"),
    judge: options.Judge,
    gate: options.Gate,
    spoken: options.Spoken,
    question: options.NeutralQuestion,
    limit: options.Limit = 100,
    seed: options.Seed,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
) -> None:
    """Can a model see its own mistakes? Whether the method can work on it, before any training.

    Compares what the model generates with what it discriminates, guided with unguided analyses, and fits a probe on its
    hidden states.

    Example: amends study embedded --limit 40 --out runs/study
    """
    from amends.judges.load import load_judge
    from amends.models.load import load_local_model
    from amends.pipeline.study import Study
    from amends.pipeline.study_reading import next_command, study_lines
    from amends.reporting.console import Console

    if model and named and model != named:
        raise InputError(f"{model} and --model {named}: name one model")
    model = model or named or "embedded"
    rows = selection.of(instructions, limit)
    studied = load_local_model(model, system_prompt)
    language, reporter = spoken.load(question), Console()
    judges = load_judge(judge, language), load_judge(gate, language)
    for remark in (remark for one in judges for remark in one.remarks(language)):
        reporter.say(remark)
    found = Study(studied, rows, out, seed, reporter, *judges, overwrite, language).run()
    after = next_command(found, model, instructions, limit)
    options.show_parts(found, as_json, [*study_lines(found), str(out / "study.json"), after])
