"""What `results.json` says of yields and data: free dictionaries, of which tables and the report read a part."""

from typing import Any

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError


class _Facts(BaseModel):
    """Of a dictionary, what tables and the report read."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False, strict=True)


class _Count(_Facts):
    tried: int
    passed: int


class Yield(_Facts):
    """How many of what a stage made passed."""

    rows: int = 0
    passed: int = 0
    guides: dict[str, _Count] = {}
    reasons: dict[str, int] = {}


class _Training(_Facts):
    samples: float | None = None
    steps: float | None = None
    trained_tokens: float | None = None
    reward_steps: float | None = None
    reward_tokens: float | None = None


class Data(_Facts):
    """What was trained, and which variants have no results."""

    training: dict[str, _Training] | None = None
    without_results: dict[str, str] = {}


def that_reads_as(kind: type[_Facts]) -> AfterValidator:
    """Leaves a dictionary as it is, and refuses one that we could not show: somebody else may have written it."""

    def check(values: dict[str, Any]) -> dict[str, Any]:
        try:
            kind.model_validate(values)
        except ValidationError as error:
            problem = error.errors()[0]
            raise ValueError(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}") from None
        return values

    return AfterValidator(check)
