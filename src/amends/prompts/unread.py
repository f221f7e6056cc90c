"""Refuses rows in a script that a language's guides, leak test and gates do not read: all would pass in silence."""

from collections.abc import Iterable

from amends.errors import InputError
from amends.prompts.language import Language
from amends.prompts.language_content import language_codes
from amends.prompts.language_file import load_language
from amends.records import UserPrompt, said_in
from amends.text.scripts import unread_script


def refuse_unread(prompts: Iterable[UserPrompt], language: Language, where: str) -> None:
    """Raises InputError, saying what to write, where most prompts are in a script that the language does not read.

    Args:
        prompts: of rows, of which the first thousand count.
        language: what the model is asked in.
        where: what the user calls the rows, such as their file.
    """
    if script := unread_script(map(said_in, prompts), language.scripts):
        raise InputError(
            f"{where}: most rows are in {script}, and language {language.code} ({language.title}) reads "
            f"{' and '.join(language.scripts)} alone; {_remedy(script)}"
        )


def _remedy(script: str) -> str:
    fitting = [one for one in map(load_language, language_codes()) if script in one.scripts]
    named = " or ".join(f"language: {one.code} (--language {one.code}, {one.title})" for one in fitting)
    own = f"a file of guides with scripts: [{script}] (guides: FILE, --guides FILE; see docs/languages.md)"
    return f"name {named}, or {own}" if named else f"name {own}"
