"""Sources as they are read, or refused."""

from collections.abc import Iterator
from typing import Any

import pytest

from amends.data.settings import DataSettings
from amends.data.sources import load_instructions
from amends.errors import InputError
from amends.records import Instruction

ROWS = [{"id": "a", "prompt": "First?", "response": "One."}, {"id": "b", "prompt": "Second?", "response": "Two."}]


def load(source: object, **options: Any) -> Iterator[Instruction]:
    return load_instructions(DataSettings(source=str(source), **options))


def refusal(source: object, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        list(load(source, **options))
    return str(caught.value)
