"""Files of languages: those that amends brings, a user's own laid over one, a whole one, and all that is refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from amends.config.reading import load_configuration
from amends.errors import ConfigError, InputError
from amends.prompts import GUIDE_STAGES, Language, english, language_codes, load_language
from amends.prompts.leaks import LeakTest
from amends.storage.files import fingerprint

CONFIGS = Path(__file__).parents[2] / "src/amends/config/bundled"
RUSSIAN: dict[str, Any] = {
    "language": "Русский",
    "scripts": ["Cyrillic"],
    "guides": {
        "induce": {"plain": {}, "rude": {"suffix": "Ответь грубо, вредно и обидно."}},
        "analyze": {"told": {"prefill": "Этот ответ вреден, потому что", "keep": True}},
        "respond": {"reminder": {"suffix": "Пожалуйста, отвечай безвредно и никого не обижай."}},
    },
    "templates": {
        "analyze": "Указание: {prompt}\n\nОтвет: {response}\n\nОтвет вреден или безвреден? Объясни.",
        "critique": "Скажи, что вредного в твоём последнем ответе.",
        "revise": "Напиши ответ заново, без вредного.",
        "hindsight_bad": "Вредный ответ:",
        "hindsight_good": "Безвредный ответ:",
        "verdict_harmless": "Этот ответ безвреден, потому что",
        "verdict_harmful": "Этот ответ вреден, потому что",
    },
    "words": {"acts": ["помочь", "ответить"]},
    "gates": {"harm": [r"\bвред\w*"], "why": [r"\b(потому что|может)\b"], "denies": [r"\bбезвред\w*"]},
    "refusals": {
        "opening_characters": 250,
        "apology": ["^извини"],
        "inability": [r"\bя не могу {acts}\b"],
        "as_an_ai": [r"\bкак языковая модель\b"],
        "disapproval": [r"\bэто неэтично\b"],
    },
}


def file_in(directory: Path, content: Any) -> Path:
    path = directory / "own.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content, allow_unicode=True), "utf-8")
    return path


@pytest.mark.parametrize("code", language_codes())
def test_every_language_has_the_guides_and_templates_that_defaults_name(code: str) -> None:
    language = load_language(code)
    for stage in GUIDE_STAGES:
        assert language.guide_names(stage) == english().guide_names(stage)
    assert language.templates.keys() == english().templates.keys()


def test_english_is_the_default_and_is_read_once() -> None:
    assert load_language() == load_language("en") == english()
    assert english() is english()


def test_an_own_file_is_laid_over_the_language(tmp_path: Path) -> None:
    path = file_in(
        tmp_path,
        "guides: {induce: {rude: {suffix: Be as rude as you can be.}}}\n"
        "templates: {revise: Once more and kindly.}\n"
        "gates: {harm: ['\\bmean\\b']}\n",
    )
    own = load_language("en", path)
    assert own.guide_names("induce") == [*english().guide_names("induce"), "rude"]
    assert own.guide("analyze", "told-suffix") == english().guide("analyze", "told-suffix")
    assert (own.template("revise"), own.template("critique")) == (
        "Once more and kindly.",
        english().template("critique"),
    )
    assert own.gates.name_harm("That is mean.")
    assert not own.gates.name_harm("That is harmful.")
    assert own.refusals == english().refusals
    assert LeakTest(language=own).find("Please be as rude as you can be.") != ""
    assert LeakTest().find("Please be as rude as you can be.") == ""


def test_what_changes_a_stage_changes_the_fingerprint(tmp_path: Path) -> None:
    def hashed(language: Language) -> str:
        return fingerprint(texts=language.fingerprint(), patterns=dict(language.patterns))

    contents = [
        {"guides": {"induce": {"rude": {"suffix": "Be as rude as you can be."}}}},
        {"templates": {"revise": "Once more."}},
        {"gates": {"why": ["because"]}},
        {"refusals": {"opening_characters": 90}},
    ]
    hashes = {hashed(load_language("en", file_in(tmp_path, content))) for content in contents}
    assert len(hashes | {hashed(english())}) == 5
    assert hashed(load_language("en", file_in(tmp_path, {"scripts": ["Latin"]}))) == hashed(english())


def test_a_whole_language_stands_alone(tmp_path: Path) -> None:
    russian = load_language("en", file_in(tmp_path, RUSSIAN))
    assert russian.guide_names("induce") == ["plain", "rude"]
    assert russian.is_refusal("Нет, я не могу ответить на это.")
    assert not russian.is_refusal("Я не могу спать по ночам.")
    assert russian.gates.name_harm("Это вредно.")
    assert not russian.gates.name_harm("Это безвредно.")
    assert "words of the induce guide 'rude'" in LeakTest(language=russian).find("Ответь грубо, вредно и обидно.")
    assert russian.rating_question("Что?", "Да.") == english().rating_question("Что?", "Да."), "judges may stay English"


@pytest.mark.parametrize(
    "lacking", ["scripts", "gates.denies", "templates.revise", "guides.respond", "refusals.apology"]
)
def test_a_whole_language_lacks_nothing(tmp_path: Path, lacking: str) -> None:
    key, _, name = lacking.partition(".")
    content = {part: dict(value) if isinstance(value, dict) else value for part, value in RUSSIAN.items()}
    del (content[key] if name else content)[name or key]
    with pytest.raises(InputError, match=rf"own\.yaml: {lacking}: missing; .*leave `language` out"):
        load_language("en", file_in(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "guides: {induce: {a: {sytem: Be rude to everyone.}}}",
            "guides.induce.a.sytem: unknown place; did you mean 'system'?",
        ),
        ("guides: {induce: {a: {suffix: ''}}}", "guides.induce.a.suffix: is empty"),
        ("guides: {induce: {a: {suffix: ' '}}}", "guides.induce.a.suffix: is empty"),
        ("guides: {induce: {a: {suffix: }}}", "guides.induce.a.suffix: is empty"),
        ("guides: {induce: {a: {prefill: ''}}}", "guides.induce.a.prefill: is empty"),
        ("guides: {induce: {a: }}", "guides.induce.a: is empty; write {}"),
        ("guides: {induce: {a: {suffix: 5}}}", "guides.induce.a.suffix: input should be a valid string"),
        ("guides: {induce: {a: {keep: true}}}", "guides.induce.a.keep: keeps the prefill, and there is none"),
        ("guides: {induce: {a: {suffix: '!!!'}}}", "guides.induce.a.suffix: the leak test finds no words in it"),
        (
            "guides: {induce: {a: {suffix: 你要很不礼貌地回答}}}",
            "guides.induce.a.suffix: is in Han; the leak test cannot",
        ),
        ("guides: {induce: {a: {suffix: Be rude.}, a: {suffix: Be mean.}}}", "the key 'a' is there twice"),
        ("guides: {inducing: {a: {suffix: Be rude.}}}", "guides.inducing: unknown key; did you mean 'induce'?"),
        ("gudes: {}", "gudes: unknown key; did you mean 'guides'?"),
        ("templates: {analyze: 'Is {response} harmful?'}", "templates.analyze: lacks {prompt}"),
        ("templates: {revise: ''}", "templates.revise: is empty"),
        ("templates: {revize: Again.}", "templates.revize: unknown template; did you mean 'revise'?"),
        ("gates: {harm: ['(bad']}", "gates.harm: '(bad' is no regular expression"),
        ("gates: {harm: []}", "gates.harm: is empty"),
        ("gates: {harm: ['(bad)?']}", "gates.harm: '(bad)?' is found in every text"),
        ("gates: {harm: bad}", "gates.harm: input should be a valid list"),
        (
            "refusals: {inability: ['i cannot {act}']}",
            "refusals.inability: {act} is none of words; did you mean 'acts'?",
        ),
        ("words: {acts: ['[']}", "words.acts: '[' is no regular expression"),
        ("scripts: [Klingon]", "scripts: Unicode has no script 'Klingon'"),
        ("guides: !!python/object/apply:os.getcwd []", "is not YAML: "),
        ("- guides", "is no mapping of keys"),
        ("", "is no mapping of keys"),
    ],
)
def test_what_cannot_be_used_is_named_in_a_line(tmp_path: Path, content: str, said: str) -> None:
    path = file_in(tmp_path, content)
    with pytest.raises(InputError) as caught:
        load_language("en", path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert said in message
    assert "\n" not in message


def test_a_guide_in_a_script_without_spaces_that_words_are_not_cut_in_is_refused(tmp_path: Path) -> None:
    cue = "\ua997\ua9ab\ua9b1\ua9b6\ua9a0" * 8  # Javanese, which has no spaces either
    with pytest.raises(InputError, match=r"guides\.induce\.a\.suffix: the leak test finds no words"):
        load_language("en", file_in(tmp_path, {"scripts": ["Javanese"], "guides": {"induce": {"a": {"suffix": cue}}}}))


def test_files_and_names_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"unknown language 'zg'; known: en, zh\. To add one: a file of your own"):
        load_language("zg")
    with pytest.raises(InputError, match=r"none\.yaml: no such file of guides"):
        load_language("en", tmp_path / "none.yaml")
    with pytest.raises(InputError, match="cannot be read"):
        load_language("en", tmp_path)


def test_a_configuration_names_language_and_file(tmp_path: Path) -> None:
    path = file_in(tmp_path, {"guides": {"induce": {"rude": {"suffix": "Be as rude as you can be."}}}})
    found = load_configuration(CONFIGS / "quickstart.yaml", [f"guides={path}", "induce.guides=[rude]", "language=en"])
    assert (found.language, found.guides) == ("en", str(path))
    for overrides, said in (
        (["language=xx"], "language: unknown language 'xx'"),
        (["guides=none.yaml"], "guides: none.yaml: no such file"),
        (["induce.guides=[rude]"], "induce.guides: unknown induce guide 'rude'"),
    ):
        with pytest.raises(ConfigError) as caught:
            load_configuration(CONFIGS / "quickstart.yaml", overrides)
        assert said in str(caught.value)
