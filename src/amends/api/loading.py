"""Models, judges and rows from Python: by name, by file, or as they are."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from amends.data.memory import CALLED
from amends.data.settings import DataSettings
from amends.judges.base import Judge
from amends.judges.load import load_judge as judge_named
from amends.models.load import load_model as model_named
from amends.pipeline.in_memory import Asked, Given, rows_given
from amends.prompts import Language, Question
from amends.prompts import load_language as language_named
from amends.records import Instruction, Response
from amends.reporting.notebook_rows import Rows
from amends.settings import Settings
from amends.training.environment import prepare

Setting = str | int | float | bool | None | Sequence[str]
SettingsOf = TypeVar("SettingsOf", bound=Settings)

prepare()  # the environment, before a library reads it


class LoadedModel(Asked):
    """A model that answers, as `load_model` and `train` give it. Its weights load on first use.

    Example:
        model = amends.load_model("embedded")
        model.respond([{"prompt": "How do I apologise?"}], guided=True)
    """

    def respond(
        self,
        prompts: Given,
        *,
        guided: bool = False,
        seed: int = 0,
        language: Language | str = "en",
        progress: bool | None = None,
        **settings: Setting,
    ) -> Rows[Response]:
        """What the model answers to each prompt; see `amends.respond`."""
        from amends.api.measuring import respond

        return respond(self, prompts, guided=guided, seed=seed, language=language, progress=progress, **settings)

    def release(self) -> None:
        """Frees its weights, such as before a judge is loaded that needs the room; the next use loads them again."""
        self.model.release()

    def __repr__(self) -> str:
        """One line."""
        return f"<model {self.name}>"


def load_model(name: str, *, adapter: str | Path | None = None, system_prompt: str | None = None) -> LoadedModel:
    """Names a model; its weights load on first use.

    Args:
        name: `embedded`, a model directory, a hub id, endpoint:MODEL@URL for a server, or one that was registered.
        adapter: a PEFT adapter directory that was trained on it.
        system_prompt: the system turn that the model is deployed with, everywhere.

    Raises:
        ModelError: there is no such model, or the adapter is none.
        StoreError: the adapter is not as its training wrote it.

    Example:
        model = amends.load_model("embedded")
    """
    return LoadedModel(model_named(name, system_prompt, None if adapter is None else Path(adapter)))


def load_judge(name: str, *, language: Language | str = "en") -> Judge:
    """Names a judge; its weights load on first use.

    Args:
        name: `bundled` (the bundled judge, `probe`), `gate`, `reader`, `open-reader`, `open-gate`, a probe file,
            classifier:FILE, endpoint:MODEL@URL, local:MODEL, guard:MODEL, or one that was registered.
        language: what a language model is asked in, by its code or as `amends.load_language` gives it.

    Raises:
        InputError: there is no such judge.

    Example:
        gate, judge = amends.load_judge("gate"), amends.load_judge("bundled")
    """
    return judge_named("probe" if name == "bundled" else name, spoken(language))


def load_language(code: str = "en", guides: str | Path | None = None, question: Question = "verdict") -> Language:
    """What is said in a language: guides, templates, and the patterns that texts are read by.

    Args:
        code: such as `en` or `zh`.
        guides: a YAML file of your own guides, templates and patterns, laid over it.
        question: the neutral question of analyses: `verdict` (harmful or harmless?) or `open` (only to assess).

    Raises:
        InputError: there is no such language, or the file cannot be used.

    Example:
        chinese = amends.load_language("zh")
    """
    return language_named(code, None if guides is None else Path(guides)).asking(question)


def load_data(
    source: Given,
    *,
    columns: Mapping[str, str] | None = None,
    where: Mapping[str, str | Sequence[str]] | None = None,
    split: str | None = None,
    limit: int | None = None,
    distinct_prompts: bool = False,
) -> Rows[Instruction]:
    """Reads instructions, with safe answers (`chosen`) and bad ones (`rejected`) where there are any.

    Args:
        source: a file, pattern or directory, `bundled:NAME/SPLIT`, a hub id, or rows in memory.
        columns: our names (id, prompt, chosen, rejected, category) to those of the source; known layouts need none.
        where: the values, or the one value, that a row has to have, by the source's columns.
        split: of a hub data set or a directory; of other rows, the value of their column `split`.
        limit: how many rows are taken at most.
        distinct_prompts: whether one row is taken of those with the same prompt.

    Raises:
        InputError: a row cannot be used; names the file and line, or the row's number from 1.

    Example:
        rows = amends.load_data([{"prompt": "How do I stay polite?", "chosen": "Listen first."}])
    """
    named = str(source) if isinstance(source, str | Path) else CALLED
    settings = checked(
        DataSettings,
        {
            "source": named,
            "columns": columns and dict(columns),
            "where": where and {name: one if isinstance(one, str) else list(one) for name, one in where.items()},
            "split": split,
            "limit": limit,
            "distinct_prompts": distinct_prompts,
        },
    )
    given = list(source) if isinstance(source, Rows) else source
    return rows_given(given, Instruction, settings)


def spoken(language: Language | str) -> Language:
    """A language by its code, or as it is."""
    return language_named(language, None) if isinstance(language, str) else language


def model_of(model: Asked | str) -> Asked:
    """A model by its name, or as it is."""
    return load_model(model) if isinstance(model, str) else model


def judge_of(judge: Judge | str, language: Language) -> Judge:
    """A judge by its name, or as it is."""
    return load_judge(judge, language=language) if isinstance(judge, str) else judge


def checked(kind: type[SettingsOf], values: Mapping[str, object]) -> SettingsOf:
    """Settings from keyword arguments. Raises ConfigError with every problem, in the words of the command line."""
    return kind.model_validate(dict(values))
