"""Configurations from files, bundled ones by name, and options: `key=value`, and all problems at once."""

from pathlib import Path
from typing import Any

from yaml import YAMLError

from amends.config.dotted import put
from amends.config.settings import Configuration
from amends.data.readers import can_be_read
from amends.errors import ConfigError, closest
from amends.settings.keys import holds_text
from amends.settings.problems import shortened
from amends.storage.run_directory import RunDirectory
from amends.text.yaml import DEEPEST, read_yaml

MEASURED = {"methods", "variants", "suites", "respond"}
"""Sections that say which systems are measured, and on what."""
BUNDLED = Path(__file__).parent / "bundled"
"""Where the configurations lie that come with the package."""


def bundled_configurations() -> list[str]:
    """The names of the configurations that come with the package, such as `quickstart`."""
    return sorted(path.stem for path in BUNDLED.glob("*.yaml"))


def find_configuration(given: str | Path) -> Path:
    """A configuration's file, by its path or by the name of a bundled one; a file of that name goes first.

    What is neither is given as it is, so that reading it says what is wrong.
    """
    path = Path(given)
    bundled = str(given) in bundled_configurations() and not path.is_file()
    return BUNDLED / f"{given}.yaml" if bundled else path


def load_configuration(
    given: str | Path | None, overrides: list[str] | None = None, limit: int | None = None
) -> Configuration:
    """Reads a YAML file and applies `key=value` overrides (`train.epochs=3`). Values are YAML; those of settings that
    hold text (`model`, `system_prompt`, every `source`) are that text as it is.

    Args:
        given: a file, or the name of a bundled configuration; None is `own`, a run of one's own data.
        overrides: `key=value`.
        limit: rows of every set at most.

    Raises:
        ConfigError: every problem at once, each with the key's full name.
    """
    path = find_configuration(given or "own")
    try:
        content = read_yaml(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(str(path), [f"no such file{_meant(path)}"]) from None
    except IsADirectoryError:
        of_a_run = f"is a run's directory; name its configuration, and go on with --out {path}"
        other = "is a directory; name a configuration in it, or a bundled one"
        raise ConfigError(str(path), [of_a_run if RunDirectory(path).run.exists() else other]) from None
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), [f"is not UTF-8 (byte {error.start + 1}); save the file as UTF-8"]) from None
    except OSError as error:
        raise ConfigError(
            str(path), [f"cannot be read ({error.strerror}); check the path and who may read it"]
        ) from None
    except YAMLError as error:
        rows = f"holds rows; give them to a configuration, as in amends run own instructions.source={path}"
        raise ConfigError(str(path), [rows if can_be_read(path) else f"is not YAML: {error}"]) from None
    if not isinstance(content, dict):
        raise ConfigError(str(path), [f"is no mapping of keys to values; {BUNDLED / 'quickstart.yaml'} is one"])
    problems: list[str] = []
    for override in overrides or []:
        _apply(content, override, problems)
    if limit is not None:
        content["limit"] = limit
    try:
        configuration = _validated(content, overrides or [])
    except ConfigError as error:
        raise ConfigError(str(path), problems + error.problems) from None
    if problems:
        raise ConfigError(str(path), problems)
    return configuration


def _validated(content: dict[str, Any], overrides: list[str]) -> Configuration:
    """The configuration; without the file's primary comparison where an override leaves out what that names."""
    try:
        return Configuration.model_validate(content)
    except ConfigError as error:
        overridden = {override.partition("=")[0].split(".")[0] for override in overrides}
        if "primary" in overridden or not overridden & MEASURED or not all(map(_of_primary, error.problems)):
            raise
        return Configuration.model_validate(content | {"primary": None})


def _of_primary(problem: str) -> bool:
    return problem.startswith("primary")


def takes_text(key: str) -> tuple[bool, bool]:
    """Whether an override's value is its text as it is, and not YAML, and whether `null` stands for none there.

    Example:
        >>> takes_text("model"), takes_text("variants.mine.analyze.source"), takes_text("seed")
        ((True, False), (True, False), (False, False))
    """
    of_variant = key.startswith("variants.")  # whose keys are those of a configuration
    return holds_text(Configuration, ".".join(key.split(".")[2:]) if of_variant else key)


def _meant(path: Path) -> str:
    """The bundled configurations, and which one may be meant."""
    close = closest(path.stem, bundled_configurations())
    hint = f"; did you mean {close!r}?" if close else ";"
    return f"{hint} bundled are: {', '.join(bundled_configurations())}"


def _apply(content: dict[str, Any], override: str, problems: list[str]) -> None:
    key, separator, text = override.partition("=")
    shown = shortened(override)
    if not separator or not key:
        problems.append(f"override {shown}: write it as key=value, as in train.epochs=3")
        return
    if key.count(".") > DEEPEST:
        problems.append(f"override {shown}: no key has that many sections")
        return
    text_wanted, may_be_none = takes_text(key)
    try:
        override.encode()
        value = read_yaml(text) if not text_wanted else None if may_be_none and text == "null" else text
    except UnicodeEncodeError:
        problems.append(f"{key}: is not UTF-8; save the file that it comes from as UTF-8")
        return
    except YAMLError as error:
        problems.append(f"override {shown}: the value is not YAML: {error}")
        return
    suites, name = content.get("suites"), key.removeprefix("suites.")
    of_suite = key != name and "." not in name
    if of_suite and value is None and isinstance(suites, dict) and name not in suites:
        problems.append(f"override {shown}: there is no such suite; known: {', '.join(map(str, suites))}")
    put(content, key, value, f"override {shown}", problems)
