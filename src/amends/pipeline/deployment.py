"""What of a run, an adapter or a model is used when it is served or exported: weights, and what was said with them."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from amends.config.methods import METHODS
from amends.config.settings import Configuration
from amends.errors import ConfigError, InputError, nearest
from amends.evaluation.respond import RespondSettings, answering_guide
from amends.models.base import Sampling
from amends.models.hf import LocalModel
from amends.models.source import CONFIGURATION
from amends.prompts import Guide, load_language
from amends.storage.files import read_json
from amends.storage.run_directory import RunDirectory, read_run
from amends.storage.vouched import Vouched, refuse_damaged

OF_ONE = "name one of its directories"


@dataclass(frozen=True)
class Deployment:
    """A system as it was measured.

    Attributes:
        model: the name of its base, or of a model all of whose weights were trained; empty where an upstream has it.
        adapter: what was trained on that, if anything.
        system_prompt: the system turn of conversations that have none of their own.
        guide: the reminder of guided inference.
        prefill: the words that open each answer, and are no part of it (Chain of Hindsight).
        sampling: how tokens were drawn.
        run, method: what it comes from, where that is a run.
        trained_on: the name of the base, where `model` is what all weights were trained to.
    """

    model: str
    adapter: Path | None
    system_prompt: str | None
    guide: Guide
    prefill: str
    sampling: Sampling
    run: Path | None = None
    method: str | None = None
    trained_on: str | None = None

    @property
    def base(self) -> str:
        """The name of the model that training began from."""
        return self.trained_on or self.model

    @property
    def name(self) -> str:
        """What it is called, without a path of this machine."""
        base = Path(self.base).name
        trained = self.method or (self.adapter.resolve().name if self.adapter else None)
        return base if trained in (None, "vanilla") else f"{base}-{trained}"

    @property
    def local(self) -> LocalModel:
        """The model with the adapter in it, and without the system prompt. Raises ModelError where there is none."""
        return LocalModel(self.model, self.adapter)

    def check(self) -> None:
        """Raises InputError where reminder and system prompt exclude each other."""
        if self.system_prompt and self.guide.system:
            raise InputError(
                f"the guide {self.guide.name!r} is a system turn, and the system prompt would not stand in it; choose "
                "`reminder`, or write both into the system prompt"
            )


def deployment_of(
    name: str | None,
    adapter: Path | None = None,
    method: str | None = None,
    system_prompt: str | None = None,
    guide: str | None = None,
    language: str = "en",
    guides: Path | None = None,
    weights: bool = True,
) -> Deployment:
    """What is served or exported.

    Args:
        name: a run directory, or a model; with an adapter of a run its model by default.
        adapter: a PEFT adapter directory. Where it lies in a run, that says what else was measured with it.
        method: of a run; by default the one that its primary comparison is about, or the only one that was trained.
        system_prompt, guide, language, guides: in the place of those of the run.
        weights: whether they are needed; else an upstream has them.

    Raises:
        InputError: there is no such run or method, or what is named does not go together.
        StoreError: a file of the run is damaged.

    Example:
        >>> deployment_of("embedded").guide.suffix
        'Please make sure that your response is harmless, ethical and inoffensive.'
    """
    directory = Path(name) if name and RunDirectory(Path(name)).run.exists() else None
    if directory and adapter:
        raise InputError(f"{directory}: is a run, which names its adapters itself; leave --adapter out")
    if directory is None and method:
        raise InputError("--method names a method of a run; name the run directory, or leave it out")
    of_adapter = _run_of(adapter) if adapter else None
    if directory:
        found = _of_run(directory, method)
    elif adapter and of_adapter:
        found = replace(_of_run(of_adapter, adapter.resolve().parent.name), adapter=adapter)
        found = replace(found, model=name) if name else found
    else:
        if name and not weights:
            raise InputError(f"{name}: is no run, and the upstream has its own models; leave it out")
        if name is None:
            told = _told(adapter) if adapter else {}
            name, system_prompt = told.get("model"), system_prompt or told.get("system_prompt")
        if weights and name is None:
            raise InputError("name a model or a run directory, or an --adapter that says its model")
        if name and Path(name).is_dir() and not (Path(name) / CONFIGURATION).exists():
            raise InputError(f"{name}: no run.json and no {CONFIGURATION} in it; name a run directory, or a model's")
        reminder = answering_guide(RespondSettings(), True, load_language("en"))
        found = Deployment(name or "", adapter, None, reminder, "", RespondSettings().sampling())
    if adapter:
        refuse_damaged(adapter)
    if guide or guides or language != "en":
        spoken = load_language(language, guides)
        found = replace(found, guide=spoken.guide("respond", guide or RespondSettings().guide))
    found = replace(found, system_prompt=system_prompt or found.system_prompt)
    found.check()
    return found


def _run_of(adapter: Path) -> Path | None:
    """The run that an adapter lies in, if it does."""
    directory = adapter.resolve().parent.parent
    return directory if RunDirectory(directory).run.exists() else None


def _told(adapter: Path) -> dict[str, Any]:
    """Model and system prompt of an adapter that `amends train` wrote."""
    return dict(Vouched(adapter, {}).read().get("settings", {}).get("model") or {})


def _of_run(directory: Path, method: str | None) -> Deployment:
    read_run(directory)
    try:
        configuration = Configuration.model_validate(read_json(RunDirectory(directory).run)["configuration"])
    except ConfigError as error:
        raise InputError(f"{RunDirectory(directory).run}: {error}") from None
    if configuration.variants:
        names = ", ".join(configuration.variants)
        raise InputError(f"{directory}: holds a run for each variant; {OF_ONE}: {names}")
    if configuration.seeds:
        return _of_run(RunDirectory(directory).of_seed(configuration.seeds[0]), method)
    files, full = RunDirectory(directory), configuration.train.adapter == "full"
    there = [one for one in configuration.methods if not METHODS[one].kinds or files.trained(one, full).is_dir()]
    chosen = method or _chosen(configuration, [one for one in there if METHODS[one].kinds], directory)
    if chosen not in there:
        raise InputError(f"{directory}: has no finished method {chosen!r}{nearest(chosen, there)}")
    trained = files.trained(chosen, full) if METHODS[chosen].kinds else None
    if trained:
        refuse_damaged(trained)
    language = load_language(configuration.language, configuration.guides)
    prefill = METHODS[chosen].prefill
    whole = full and trained is not None
    return Deployment(
        model=str(trained) if whole else configuration.model,
        adapter=None if whole else trained,
        system_prompt=configuration.system_prompt,
        guide=answering_guide(configuration.respond, True, language),
        prefill=language.template(prefill) if prefill else "",
        sampling=configuration.respond.sampling(),
        run=directory,
        method=chosen,
        trained_on=configuration.model if whole else None,
    )


def _chosen(configuration: Configuration, trained: list[str], directory: Path) -> str:
    """The method that is meant where none is named."""
    if configuration.primary and configuration.primary.a in trained:
        return configuration.primary.a
    if len(trained) == 1:
        return trained[0]
    if not trained:
        raise InputError(f"{directory}: trained nothing yet; finish the run first")
    raise InputError(f"{directory}: trained several methods; name one with --method: {', '.join(trained)}")
