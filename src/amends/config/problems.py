"""Problems that are gathered, so that all of them are said at once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from amends.errors import ConfigError, InputError

Found = TypeVar("Found")


class Problems:
    """What was found to be wrong, so that it is said at once."""

    def __init__(self) -> None:
        self.errors: list[InputError] = []
        self.said: list[str] = []

    @contextmanager
    def noted(self, key: str = "") -> Iterator[None]:
        """Keeps an error of what is done in it, as that of a key where one is named."""
        try:
            yield
        except ConfigError as error:
            self.errors.append(error)
            self.said += error.problems
        except InputError as error:
            said = f"{key}: {error}" if key else str(error)
            self.errors.append(ConfigError("configuration", [said]) if key else error)
            self.said.append(said)

    def note(self, error: InputError) -> None:
        """Keeps an error."""
        with self.noted():
            raise error

    def given(self, find: Callable[[], Found]) -> Found | None:
        """What is found; None where that fails, which is noted."""
        with self.noted():
            return find()
        return None

    def refuse(self) -> None:
        """Raises what was found: one error as it is, several as a ConfigError of them all."""
        if len(set(self.said)) > 1:
            raise ConfigError("configuration", list(dict.fromkeys(self.said)))
        for error in self.errors:
            raise error
