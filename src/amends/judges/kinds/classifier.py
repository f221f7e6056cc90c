"""`classifier:FILE`: a fine-tuned classifier, with limits between which it abstains where they are named."""

import re

from amends.errors import InputError
from amends.judges.base import Judge
from amends.judges.kinds import JUDGES, JudgeKind
from amends.prompts import Language
from amends.storage.files import expanded

OPTION = re.compile(r"(?P<file>.+?)(?P<options>(,(abstain|source)=[^,]+)*)")
LIMITS = re.compile(r"(0?\.\d+)-(0?\.\d+)")


def make(argument: str, language: Language) -> Judge:
    """The classifier in the file. Raises ModelError where there is none in it, InputError for options that are none."""
    from amends.judges.classifier import ALL, ClassifierJudge

    found = OPTION.fullmatch(argument)
    assert found  # it is not empty
    options = dict(one.split("=", 1) for one in found["options"].split(",") if one)
    abstain = None
    if "abstain" in options:
        limits = LIMITS.fullmatch(options["abstain"])
        abstain = (float(limits[1]), float(limits[2])) if limits else None
        if abstain is None or not abstain[0] <= 0.5 <= abstain[1] or abstain[0] == abstain[1]:
            raise InputError(
                f"judge 'classifier:{argument}': abstain={options['abstain']} are no limits around .5; write them as "
                "abstain=.35-.65"
            )
    return ClassifierJudge(expanded(found["file"]), abstain, options.get("source", ALL))


JUDGES.register(
    "classifier",
    JudgeKind(
        "classifier:FILE",
        "what `amends probe tune` wrote; FILE,abstain=.35-.65 leaves what is between unscored",
        make=make,
    ),
)
