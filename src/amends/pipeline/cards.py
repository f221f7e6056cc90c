"""The model card that lies beside what was trained: of a run's method, of a merged model, of a training alone."""

from pathlib import Path
from typing import Any

from amends.evaluation.results import Results
from amends.pipeline.deployment import Deployment, deployment_of
from amends.reporting.model_card import Facts, model_card
from amends.storage.files import read_as, write_atomically
from amends.storage.run_directory import RunDirectory, read_run
from amends.training.recipe import Recipe

CARD = "README.md"
FULL = "model of which all weights were trained"


def card_of(deployment: Deployment, form: str) -> str:
    """The card of a deployment; of a run with what it was trained on and what was measured."""
    sets: dict[str, Any] = {}
    results, gate = None, ""
    if deployment.run:
        files = RunDirectory(deployment.run)
        gate = str((read_run(deployment.run) or {}).get("gate", ""))
        results = read_as(Results, files.results) if files.results.exists() else None
        found = results.data.get("sets", {}) if results else {}
        sets = {name: one for name, one in found.items() if not name.startswith("suite ")}
    guide = deployment.guide
    return model_card(
        Facts(
            model=deployment.base,
            method=deployment.method or "adapter",
            sets=sets,
            gate=gate,
            reminder=[words for words in (guide.system, guide.suffix) if words],
            prefill=deployment.prefill,
            has_system_prompt=bool(deployment.system_prompt),
            form=form,
            results=results,
        )
    )


def write_card(run: Path, method: str) -> None:
    """Writes the card of what a method of a run trained."""
    deployment = deployment_of(str(run), method=method)
    trained = deployment.adapter or Path(deployment.model)
    write_atomically(trained / CARD, card_of(deployment, "adapter" if deployment.adapter else FULL))


def write_card_of_training(out: Path, kind: str, recipe: Recipe, samples: Path, rows: int) -> None:
    """Writes the card of a training that is in no run, of which nothing was measured; one that is there stays.

    Args:
        out: what was trained: an adapter or a model directory.
        kind: the trainer's name.
        recipe: of the training.
        samples, rows: the file that it learnt from, and how many samples are in it.
    """
    facts = Facts(
        model=recipe.model,
        method=f"{kind} on samples",
        sets={"samples": {"source": str(samples), "rows": rows}},
        gate="",
        reminder=(),
        prefill="",
        has_system_prompt=bool(recipe.system_prompt),
        form=FULL if recipe.train.adapter == "full" else "adapter",
        results=None,
    )
    if not (out / CARD).exists():  # its reader may have filled in a licence
        write_atomically(out / CARD, model_card(facts))
