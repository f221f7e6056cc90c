"""Reads a language from its YAML file, and lays a user's own over it: every part is checked, and named if wrong."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from amends.errors import InputError, nearest
from amends.prompts.guide import GUIDE_STAGES, Guide, GuideStage
from amends.prompts.language import Gates, Language
from amends.prompts.language_content import ENGLISH, Raw, bundled, checked_guide, read_content, text_of
from amends.prompts.registered import GUIDES, with_registered
from amends.text.refusal import Refusals
from amends.text.scripts import is_script

PLACES: dict[str, tuple[str, ...]] = {
    "analyze": ("prompt", "response"),
    "assess": ("prompt", "response"),
    "chain": ("prompt", "response"),
    "better": (),
    "critique": (),
    "revise": (),
    "hindsight_bad": (),
    "hindsight_good": (),
    "verdict_harmless": (),
    "verdict_harmful": (),
    "says_harmless": (),
    "says_harmful": (),
    "rate": ("prompt", "response"),
    "prefer": ("prompt", "first", "second"),
}
"""The templates there are, and the places that each must have."""
OF_JUDGES = ("rate", "prefer")
"""Templates that a language may leave to English: a language model that judges is then asked in English."""
OF_SOME = ("assess", "chain", "better", "says_harmless", "says_harmful")
"""Templates of some methods and settings alone: what needs one that a language has not is refused."""
GATES, REFUSALS = ("harm", "why", "denies"), ("apology", "inability", "as_an_ai", "disapproval")


def english() -> Language:
    """What is said where nobody names a language."""
    return _without_file(ENGLISH, GUIDES.of(ENGLISH))


@cache
def _without_file(code: str, registered: tuple[tuple[GuideStage, Guide], ...]) -> Language:
    """A language as amends has it, with the guides that are registered now."""
    return _made(code, None, with_registered(code, bundled(code)))


def load_language(code: str = ENGLISH, own: Path | str | None = None) -> Language:
    """A language by its code, with the guides that are registered for it, and what a user's own file has over both.

    A file that says `language` is a whole language of its own, and nothing is laid under it.

    Raises:
        InputError: no such language or file; a key, cue, pattern or template of the file that cannot be used.

    Example:
        >>> load_language("zh").title
        '\u4e2d\u6587'
    """
    if own is None:
        return _without_file(code, GUIDES.of(code))
    content = read_content(str(own), text_of(Path(own)))
    if "language" in content:
        _refuse_gaps(str(own), content)
        judging = {name: bundled(ENGLISH)["templates"][name] for name in OF_JUDGES}
        return _made(str(own), str(own), content | {"templates": judging | content["templates"]})
    return _made(code, str(own), _laid(content, with_registered(code, bundled(code))))


def _refuse_gaps(source: str, content: Raw) -> None:
    """Raises InputError where a whole language has not all that the stages need."""
    needed: dict[str, tuple[str, ...]] = {
        "guides": GUIDE_STAGES,
        "templates": tuple(name for name in PLACES if name not in (*OF_JUDGES, *OF_SOME)),
        "gates": GATES,
        "refusals": (*REFUSALS, "opening_characters"),
    }
    lacking = [] if "scripts" in content else ["scripts"]
    lacking += [f"{key}.{name}" for key, names in needed.items() for name in names if name not in content.get(key, {})]
    if lacking:
        raise InputError(
            f"{source}: {', '.join(lacking)}: missing; a file that says `language` has all of a language (leave "
            "`language` out, and the file is laid over the one that the configuration names)"
        )


def _laid(content: Raw, base: Raw) -> Raw:
    """A language with what a file has in the place of the same, and beside it; it reads the scripts of both."""
    guides = {stage: base["guides"][stage] | content.get("guides", {}).get(stage, {}) for stage in GUIDE_STAGES}
    scripts = dict.fromkeys([*base["scripts"], *content.get("scripts", [])])
    parts = {key: base.get(key, {}) | content.get(key, {}) for key in ("templates", "words", "gates", "refusals")}
    return {"language": base["language"], "scripts": list(scripts), "guides": guides, **parts}


def _made(code: str, own: str | None, content: Raw) -> Language:
    """The language of a whole content. Raises InputError for what no key alone is wrong in, too."""
    scripts, source = tuple(content["scripts"]), own or code
    for script in scripts:
        if not is_script(script):
            raise InputError(f"{source}: scripts: Unicode has no script {script!r}; they are Latin, Cyrillic, Han, ...")
    stages = {
        stage: {
            name: checked_guide(source, stage, name, places, scripts)
            for name, places in content["guides"][stage].items()
        }
        for stage in GUIDE_STAGES
    }
    for name, text in content["templates"].items():
        _check_template(source, name, text)
    listed = {name: _any_of(source, f"words.{name}", texts) for name, texts in content.get("words", {}).items()}
    read = {"accuses": content["gates"]["harm"]} | content["gates"]
    gates = {kind: _pattern(source, f"gates.{kind}", texts, listed) for kind, texts in read.items()}
    refusals = {kind: _pattern(source, f"refusals.{kind}", content["refusals"][kind], listed) for kind in REFUSALS}
    return Language(
        code,
        own,
        content["language"],
        scripts,
        stages,
        content["templates"],
        Gates(**gates),
        Refusals(content["refusals"]["opening_characters"], **refusals),
        {key: content.get(key, {}) for key in ("words", "gates", "refusals")},
        tuple(f"{stage}/{guide.name}" for stage, guide in GUIDES.of(code)),
    )


def _check_template(source: str, name: str, text: str) -> None:
    where = f"{source}: templates.{name}"
    if name not in PLACES:
        raise InputError(f"{where}: unknown template{nearest(name, list(PLACES))}")
    if not text.strip():
        raise InputError(f"{where}: is empty")
    for place in PLACES[name]:
        if f"{{{place}}}" not in text:
            raise InputError(f"{where}: lacks {{{place}}}, where the {place} stands")


def _any_of(source: str, where: str, texts: list[str]) -> str:
    return f"(?:{_pattern(source, where, texts, {}).pattern})"


def _pattern(source: str, where: str, texts: list[str], listed: Mapping[str, str]) -> re.Pattern[str]:
    """One pattern of several, any of which may be found; a name in braces stands for any of its words."""
    filled = []
    for text in texts:
        for name in re.findall(r"\{([a-z_]+)\}", text):
            if name not in listed:
                raise InputError(f"{source}: {where}: {{{name}}} is none of words{nearest(name, list(listed))}")
        one = re.sub(r"\{([a-z_]+)\}", lambda found: listed[found[1]], text)
        try:
            if re.compile(one).search(""):
                raise InputError(f"{source}: {where}: {text!r} is found in every text")
        except re.error as error:
            raise InputError(f"{source}: {where}: {text!r} is no regular expression: {error}") from None
        filled.append(one)
    return re.compile("|".join(filled), re.IGNORECASE)
