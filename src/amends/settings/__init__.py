"""Base of all settings: unknown keys fail, values do not change, and every problem is said at once, in our words."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from amends.errors import ConfigError
from amends.settings.problems import problems

Seed = Annotated[int, Field(ge=0, lt=2**31)]


@contextmanager
def _in_our_words(kind: type[BaseModel]) -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        raise ConfigError(kind.__name__, problems(error, kind)) from None


if TYPE_CHECKING:
    _Checked = BaseModel  # what type checkers know of pydantic's models stays true
else:

    class _SaysProblems(type(BaseModel)):
        """Reached by what a user constructs, and by no section inside of it: so all problems come together."""

        def __call__(cls, *args: Any, **values: Any) -> Any:
            with _in_our_words(cls):
                return super().__call__(*args, **values)

    class _Checked(BaseModel, metaclass=_SaysProblems):
        pass


class Settings(_Checked):
    """Base of all sections of a configuration.

    A field's `description` is its help on the command line and its entry in docs/reference/configuration.md.

    Raises:
        ConfigError: every problem at once; of an unknown key, with the nearest one.

    Example:
        >>> class Cooking(Settings):
        ...     minutes: int = Field(default=5, ge=1, description="How long the egg is boiled.")
        >>> Cooking(minutes=7).minutes
        7
        >>> Cooking(minute=7)
        Traceback (most recent call last):
        amends.errors.ConfigError: Cooking: 1 problem
          - minute: unknown key; did you mean 'minutes'?
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Settings from a mapping, as of a file. Raises ConfigError with every problem."""
        with _in_our_words(cls):
            return super().model_validate(obj, **options)

    @field_validator("*")
    @classmethod
    def _no_empty_text(cls, value: Any) -> Any:
        if isinstance(value, str) and not value.strip():
            raise PydanticCustomError("empty", "is empty; write what it is, or leave it out")
        return value
