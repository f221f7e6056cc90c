"""Whether a model takes guides and rows: some chat templates have no system turn, and servers no prefill."""

from collections.abc import Iterable, Mapping, Sequence

from amends.errors import InputError, ModelError
from amends.models.base import SHORT, Model
from amends.prompts.guide import UNGUIDED, Guide
from amends.records import PromptRecord, messages_of


def check_guides(asked: Mapping[str, tuple[Sequence[Guide], Model]]) -> None:
    """Raises InputError where guides are in a place that the model does not have.

    `asked`: guides and who is asked with them, by the key or option that names them.
    """
    problems = []
    for key, (guides, model) in asked.items():
        model.check(SHORT)  # what is wrong without any is said of the model
        if wrong := misfits(guides, model):
            name, why = next(iter(wrong.items()))
            fit = ", ".join(guide.name for guide in guides if guide.name not in wrong)
            problems.append(f"{key}: guide {name!r}: {why}" + (f" (of these {fit})" if fit else ""))
    if problems:
        raise InputError("\n".join(problems))


def misfits(guides: Sequence[Guide], model: Model) -> dict[str, ModelError]:
    """The guides in a place that the model does not have, by name, and why."""
    found = {}
    for guide in guides:
        try:
            model.check(guide.prompt("Hello."))
        except ModelError as error:
            found[guide.name] = error
    return found


def check_conversations(rows: Iterable[PromptRecord], model: Model, where: str) -> None:
    """Raises InputError for a row whose turns the model's chat template does not take.

    Of each order of roles one is tried. `where`: the key or option that names the rows.
    """
    tried = set()
    for row in rows:
        roles = tuple(turn.role for turn in messages_of(row.prompt))
        if roles in tried:
            continue
        tried.add(roles)
        try:
            model.check(UNGUIDED.prompt(row.prompt))
        except ModelError as error:
            raise InputError(
                f"{where}: row {row.id!r} is no conversation for this model; leave it out: {error}"
            ) from None
