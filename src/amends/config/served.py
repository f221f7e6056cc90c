"""A model that is asked and not trained here, as a server is: what serves its methods' results, and what is refused."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from amends.config.methods import METHODS, kinds_of, stages_for
from amends.config.settings import Configuration
from amends.errors import InputError, ModelError
from amends.evaluation.suites.base import SUITE_KINDS
from amends.models.base import SHORT, Model
from amends.models.load import load_model, weights_here
from amends.stages.base import STAGES
from amends.training.sample_kinds.base import SAMPLE_KINDS


def served(configuration: Configuration) -> dict[str, Model]:
    """What serves the result of each method's training, by the method's name: of several seeds' those of this one.

    Raises InputError for what cannot.
    """
    seed, named = configuration.seed, configuration.systems.items()
    asked = {name: one if isinstance(one, str) else one.get(seed) for name, one in named}
    found = {name: load_model(one, configuration.system_prompt) for name, one in asked.items() if one}
    for name, model in found.items():
        if not METHODS[name].kinds:
            raise InputError(f"systems.{name}: the method is the model as it is; leave this out")
        if not model.elsewhere:
            raise InputError(f"systems.{name}: {model.name} is loaded here; name what serves it, endpoint:MODEL@URL")
    return found


def refusals(configuration: Configuration, base: Model, systems: Mapping[str, Model]) -> Iterator[InputError]:
    """Why a configuration cannot be run with such a base, and such systems."""
    if weights_here(base):
        if systems:
            yield InputError(
                f"systems: is for a model that is a server, and {base.name} is trained here; leave it out, or name a "
                "model=endpoint:MODEL@URL"
            )
        return
    for suite, settings in configuration.suites.items():
        if SUITE_KINDS[settings.kind].by_losses and not base.says_losses:
            yield InputError(
                f"suites.{suite}: {base.label} does not say how likely it finds given answers, which is what suites "
                f"of the kind {settings.kind} measure; leave it out (suites.{suite}=null)"
            )
    seen = {base.identity: "model"}
    for name, model in systems.items():
        if (same := seen.setdefault(model.identity, f"systems.{name}")) != f"systems.{name}":
            yield InputError(f"systems.{name}: is {same} as well ({model.title}); name what was trained by {name}")


def refuse_equal_systems(systems: Mapping[int, Mapping[str, Model]]) -> None:
    """Raises InputError where one server is named for two seeds: intervals over seeds would then say too little.

    `systems`: those of each seed, by the method.
    """
    seen: dict[tuple[str, str], int] = {}
    for seed, of_seed in systems.items():
        for name, model in of_seed.items():
            if (first := seen.setdefault((name, model.identity), seed)) != seed:
                raise InputError(
                    f"systems.{name}.{seed}: is systems.{name}.{first} as well ({model.title}); name what was trained "
                    f"on the samples of seed {seed}"
                )


def begun_refusals(configuration: Configuration, maker: Model, systems: Mapping[str, Model]) -> Iterator[InputError]:
    """Why answers cannot be begun, where a stage or a method begins them whatever the guides; asks servers once.

    `maker`: who is asked in such stages.
    """
    for stage in stages_for(configuration.methods, configuration.shares):
        if STAGES[stage].begins:
            yield from _begun(maker, f"{stage}: it begins answers", f"leave it out ({_without(configuration, stage)})")
    for name, model in systems.items():
        if METHODS[name].prefill:
            yield from _begun(model, f"methods: {name} begins answers", "leave it out")


def _begun(model: Model, what: str, remedy: str) -> Iterator[InputError]:
    try:
        model.check(replace(SHORT, prefill="So"))
    except ModelError as error:
        yield InputError(f"{what}: {error}. Or {remedy}")


def _without(configuration: Configuration, stage: str) -> str:
    """The settings that leave out what is trained on a stage's rows."""
    trained = kinds_of(configuration.methods, configuration.shares)
    rows = STAGES[stage].writes
    return ", ".join(f"compose.{kind}=0" for kind in sorted(trained) if rows in SAMPLE_KINDS[kind].needs)
