"""Everything that is said to a model, and recognised in what it says, in one language."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from re import Pattern
from typing import Any, Literal

from amends.errors import InputError, unknown
from amends.prompts.guide import Guide, GuideStage
from amends.records import UserPrompt
from amends.text.refusal import Refusals, plain
from amends.text.words import sentence_ends, word_pattern, words

HOW = "a YAML file (guides: FILE, --guides FILE), or amends.register_guides (docs/languages.md)"
Question = Literal["verdict", "open"]
"""The neutral question: whether a response is harmful or harmless, or only to assess it."""


@dataclass(frozen=True)
class Gates:
    """Patterns of the gate of analyses: a text that names harm, says why, denies harm, or accuses a response of it."""

    harm: Pattern[str]
    why: Pattern[str]
    denies: Pattern[str]
    accuses: Pattern[str]

    def name_harm(self, text: str) -> bool:
        """Whether a text calls something harmful, in whatever words, and does not deny it."""
        return not self.denies.search(plain(text)) and bool(self.harm.search(plain(text)))

    def say_why(self, text: str) -> bool:
        """Whether a text names a harm and a reason."""
        return bool(self.why.search(plain(text)) and self.harm.search(plain(text)))

    def call_harmless(self, text: str) -> bool:
        """Whether a text calls something harmless."""
        return bool(self.denies.search(plain(text)))


@dataclass(frozen=True)
class Language:
    """Guides, templates and patterns of one language, as its YAML file has them, with a user's own laid over it.

    Attributes:
        code: its name in a configuration, such as `en`; of a user's own language the path of its file.
        own: the user's file that was laid over it, if any.
        title: what people call it.
        scripts: Unicode's names of the scripts in which its guides are written, such as `Latin`.
        stages: guides by stage and name.
        templates: texts with places in braces, by name.
        gates, refusals: patterns of analyses and of refusals.
        patterns: what these are made from, for fingerprints.
        registered: stages and names of the guides that others have registered for it.

    Example:
        >>> from amends.prompts import load_language
        >>> load_language("en").guide("respond", "reminder").suffix
        'Please make sure that your response is harmless, ethical and inoffensive.'
    """

    code: str
    own: str | None
    title: str
    scripts: tuple[str, ...]
    stages: Mapping[GuideStage, Mapping[str, Guide]]
    templates: Mapping[str, str]
    gates: Gates
    refusals: Refusals
    patterns: Mapping[str, Any]
    registered: tuple[str, ...] = ()

    def guide(self, stage: GuideStage, name: str) -> Guide:
        """A guide by name. Raises InputError with the nearest name where there is none."""
        known = self.stages[stage]
        if name not in known:
            raise unknown(f"{stage} guide", name, list(known), HOW)
        return known[name]

    def guides(self, stage: GuideStage, names: Sequence[str]) -> list[Guide]:
        """Guides by name, in the order given."""
        return [self.guide(stage, name) for name in names]

    def guide_names(self, stage: GuideStage) -> list[str]:
        """Names of a stage's guides, in the order of the file."""
        return list(self.stages[stage])

    def template(self, name: str) -> str:
        """A template as it stands, such as a control phrase, its places not filled in.

        Raises InputError where the language has none of that name: some are for some methods alone.
        """
        if name not in self.templates:
            raise InputError(
                f"templates.{name} is missing in {self.own or self.code}; write it there as en.yaml has it"
            )
        return self.templates[name]

    def analysis_question(self, prompt: UserPrompt, response: str) -> str:
        """The neutral question about a response, as it stands in guided analysis and in training."""
        return self._filled("analyze", prompt=prompt, response=response)

    def chain_question(self, prompt: UserPrompt, response: str) -> str:
        """The neutral question about a response that asks for a better one, too."""
        return self._filled("chain", prompt=prompt, response=response)

    def asking(self, question: Question) -> "Language":
        """The language with another neutral question: `open` names no axis that a response is judged on.

        Raises InputError where the language has no such question.

        Example:
            >>> from amends.prompts import load_language
            >>> load_language("en").asking("open").analysis_question("Hi.", "Hello.").splitlines()[-1]
            'Assess the response.'
        """
        if question == "verdict":
            return self
        return replace(self, templates={**self.templates, "analyze": self.template("assess")})

    def verdict_in(self, text: str) -> list[tuple[int, int]]:
        """Where the word stands with which a text calls a response harmful or harmless: begin and end, or nothing.

        It is looked for in the first sentence. The words are those in which the templates of both verdicts differ.

        Raises InputError where the language has no such templates, or either has no word of its own.

        Example:
            >>> from amends.prompts import load_language
            >>> load_language("en").verdict_in("This answer is harmless, since it hurts nobody.")
            [(15, 23)]
        """
        harmful, harmless = (words(self.template(name)) for name in ("says_harmful", "says_harmless"))
        own = [[word for word in one if word not in other] for one, other in ((harmful, harmless), (harmless, harmful))]
        if not all(own):
            raise InputError(
                f"templates.says_harmful and says_harmless of {self.own or self.code} differ by no word in both; word "
                "them so, or set train.verdict_weight to 1"
            )
        ends = sentence_ends(text)
        found = word_pattern([one[-1] for one in own]).search(text[: ends[0]] if ends else text)
        return [found.span()] if found else []

    def rating_question(self, prompt: UserPrompt, response: str) -> str:
        """What a language model that judges is asked about a response."""
        return self._filled("rate", prompt=prompt, response=response)

    def preference_question(self, prompt: UserPrompt, first: str, second: str) -> str:
        """What a language model that judges is asked about two responses."""
        return self._filled("prefer", prompt=prompt, first=first, second=second)

    def is_refusal(self, response: str, disapproval: bool = True) -> bool:
        """Whether a response opens with a refusal (`Refusals.found_in`)."""
        return self.refusals.found_in(response, disapproval)

    def fingerprint(self) -> list[object]:
        """All guides and templates: what the leak test, which reads all guides, is made from."""
        named = {
            stage: {name: one.model_dump(exclude_unset=True, exclude={"name"}) for name, one in guides.items()}
            for stage, guides in self.stages.items()
        }
        return [named, dict(self.templates)]

    def _filled(self, name: str, **parts: UserPrompt) -> str:
        """A template with its places filled in at once, so that braces in a part stay braces."""
        places = "|".join(rf"\{{{part}\}}" for part in parts)
        return re.sub(places, lambda match: str(parts[match.group()[1:-1]]).strip(), self.template(name))
