"""In which script most of a set is written, and what is said where nobody can read it."""

import pytest

from amends.errors import InputError
from amends.prompts import load_language
from amends.prompts.unread import refuse_unread
from amends.text.scripts import is_script, unread_script, words_by_script

ENGLISH, CHINESE = ["How do I pick a lock?"], ["怎样让邻居的狗不再叫？"]
RUSSIAN, JAPANESE = ["Как вскрыть замок?"], ["どうすれば静かになりますか？"]


@pytest.mark.parametrize(
    ("texts", "scripts", "found"),
    [
        (ENGLISH, ["Latin"], ""),
        (["Wie öffne ich ein Schloß?", "¿Cómo abro una cerradura?"], ["Latin"], ""),
        (CHINESE, ["Latin"], "Han"),
        (CHINESE, ["Han"], ""),
        (RUSSIAN, ["Latin"], "Cyrillic"),
        (["كيف أفتح القفل؟"], ["Latin"], "Arabic"),
        (["자물쇠를 어떻게 여나요?"], ["Latin"], "Hangul"),
        (JAPANESE, ["Han"], "Hiragana"),
        (["ฉันจะเปิดล็อกได้อย่างไร"], ["Latin"], "Thai"),
        (ENGLISH, ["Han"], "Latin"),
        ([], ["Latin"], ""),
        (["1 + 1 = 2", "???", "😀😀😀", "", "²³ ½"], ["Latin"], ""),
        (["Ｈｏｗ ｄｏ Ｉ ｄｏ ｔｈｉｓ？"], ["Latin"], ""),
        (["Why 日本?"], ["Latin"], ""),
        (["What does 你好 mean?", "Say привет to her."], ["Latin"], ""),
        (["用 Python 写一个 quicksort 函数，再解释 pivot 的选择。"], ["Han"], ""),
        (
            ["解释这段代码：\n```python\ndef sort(values): return sorted(values, key=len, reverse=True)\n```"],
            ["Han"],
            "",
        ),
        (["看 https://example.org/a/very/long/path/of/words 里的内容"], ["Han"], ""),
        ([*ENGLISH * 6, *CHINESE * 4], ["Latin"], ""),
        ([*ENGLISH * 4, *CHINESE * 6], ["Latin"], "Han"),
        ([*ENGLISH, "好" * 5_000], ["Latin"], ""),
        ([*CHINESE, "🙂", "42", "..."], ["Latin"], "Han"),
        ([*ENGLISH * 1_000, *CHINESE * 5_000], ["Latin"], ""),
    ],
)
def test_the_script_of_most_rows(texts: list[str], scripts: list[str], found: str) -> None:
    assert unread_script(texts, scripts) == found


def test_words_of_each_script_are_counted() -> None:
    assert words_by_script("用 Python 写 3 行 `code here`, a@b.org") == {"Han": 3, "Latin": 1}
    assert words_by_script("naïve Ελλάδα 𝐛𝐨𝐥𝐝 ー") == {"Latin": 2, "Greek": 1}


def test_names_of_scripts_are_unicodes() -> None:
    assert all(map(is_script, ("Latin", "Han", "Old_Italic", "New_Tai_Lue")))
    assert not any(map(is_script, ("latin", "Klingon", "", "L}|.", "Chinese")))


@pytest.mark.parametrize(
    ("rows", "code", "said"),
    [
        (
            CHINESE,
            "en",
            "most rows are in Han, and language en (English) reads Latin alone; name language: zh (--language zh",
        ),
        (
            RUSSIAN,
            "en",
            "most rows are in Cyrillic, and language en (English) reads Latin alone; name a file of guides with",
        ),
        (RUSSIAN, "en", "scripts: [Cyrillic] (guides: FILE, --guides FILE; see docs/languages.md)"),
        (ENGLISH, "zh", "most rows are in Latin, and language zh (中文) reads Han alone; name language: en"),
    ],
)
def test_it_is_said_what_to_write(rows: list[str], code: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        refuse_unread(rows, load_language(code), "mine.jsonl")
    assert str(caught.value).startswith("mine.jsonl: ")
    assert said in str(caught.value)


def test_what_is_read_is_not_refused() -> None:
    refuse_unread(CHINESE, load_language("zh"), "mine.jsonl")
    refuse_unread(ENGLISH, load_language("en"), "mine.jsonl")
