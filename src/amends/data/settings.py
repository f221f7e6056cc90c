"""What a set of rows is named by: its source, its columns, and which of its rows are taken."""

from typing import Any

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from amends.settings import Seed, Settings

BOOLEANS = {"true": "true", "yes": "true", "on": "true", "false": "false", "no": "false", "off": "false"}
"""What YAML reads as true and false: a bare `no` in a configuration and the text "No" of a file are the same value."""


def value_text(value: Any) -> str:
    """A value of a row or a configuration as text, by which they are compared: 1 is 1.0 and "1", true is "True"."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = "" if value is None else str(value)
    return BOOLEANS.get(text.lower(), text)


class DataSettings(Settings):
    """A set of rows (docs/reference/formats.md): where it is, what its columns are called, and which rows are taken."""

    source: str = Field(
        description="JSON, CSV, TSV, Parquet or Arrow files by name, 'PATTERN' or directory, bundled:NAME/SPLIT, or a "
        "hub id."
    )
    columns: dict[str, str] | None = Field(
        default=None,
        description="Our names to the file's, as in `{prompt: question, chosen: good_answer}`. "
        "Ours are id, prompt, chosen, rejected and category, and of verifiable instructions constraint, "
        "constraint_number and constraint_text; well-known formats need none.",
    )
    where: dict[str, list[str]] | None = Field(
        default=None,
        description="Only rows with these values in these columns, as in `{label: [safe, borderline], lang: en}`. "
        "Values are compared as text. A column or value that no row has is refused.",
    )
    split: str | None = Field(
        default=None,
        description="The split of a hub set or a directory, where none means `train`. Elsewhere the rows with it in "
        "their column `split`.",
    )
    limit: int | None = Field(
        default=None,
        ge=1,
        description="Only so many rows, of those that are taken: the first ones, or with `draw` any of them.",
    )
    draw: Seed | None = Field(
        default=None,
        description="The seed by which the rows of `limit` are drawn from all of them. Of `instructions` and `benign` "
        "it is the run's seed, where none is named.",
    )
    distinct_prompts: bool = Field(
        default=False, description="One row of each prompt: the first with an answer, where there is one."
    )

    @field_validator("where", mode="before")
    @classmethod
    def _values_as_texts(cls, where: Any) -> Any:
        """One value or a list of them, each as text; equal choices are then equal in fingerprints."""
        if not isinstance(where, dict):
            return where
        lists = {str(column): one if isinstance(one, list) else [one] for column, one in where.items()}
        if any(
            not values or any(one is None or isinstance(one, list | dict) for one in values)
            for values in lists.values()
        ):
            raise PydanticCustomError("where", "name a value, or a list of values, for each column")
        return {column: sorted({value_text(one) for one in values}) for column, values in lists.items()} or None

    @property
    def is_for(self) -> tuple[str, bool] | None:
        """What its prompts must suit: a kind of suites, and whether that asks for harm; None where all do."""
        return None


def limited(rows: Any, limit: int) -> Any:
    """A set of rows that takes no more than so many; what is none is left as it is, and refused later.

    Args:
        rows: settings, or the content of a file that becomes them.
        limit: rows at most.

    Example:
        >>> limited({"source": "mine.jsonl", "limit": 40}, 10)
        {'source': 'mine.jsonl', 'limit': 10}
    """
    given = rows.limit if isinstance(rows, DataSettings) else rows.get("limit") if isinstance(rows, dict) else None
    least = {"limit": min(limit, given) if isinstance(given, int) else limit}
    if isinstance(rows, DataSettings):
        return rows.model_copy(update=least)
    return rows | least if isinstance(rows, dict) else rows
