"""Guides, templates and patterns, one YAML file a language, and what puts them around an instruction."""

from amends.prompts.guide import GUIDE_STAGES, UNGUIDED, Guide, GuideStage
from amends.prompts.language import Gates, Language, Question
from amends.prompts.language_content import language_codes
from amends.prompts.language_file import english, load_language
from amends.prompts.registered import register_guides

__all__ = [
    "GUIDE_STAGES",
    "UNGUIDED",
    "Gates",
    "Guide",
    "GuideStage",
    "Language",
    "Question",
    "english",
    "language_codes",
    "load_language",
    "register_guides",
]
