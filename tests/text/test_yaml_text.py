"""YAML that anyone may have written: whatever it is, it is read, or refused at once in one line."""

import time
from pathlib import Path

import pytest
import yaml

from amends.config.reading import load_configuration
from amends.errors import ConfigError
from amends.text.yaml import DEEPEST, MOST_NODES, read_yaml
from conftest import CONFIGS, run_amends

ALIASES = ",".join(["*{}"] * 9)
BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{ALIASES.format(*[f'a{n - 1}'] * 9)}]\n" for n in range(1, 12))
MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{ALIASES.format(*[f'a{n - 1}'] * 9)}]}}\n" for n in range(1, 12)
)
MALFORMED = {
    "an empty integer": ("a: !!int ''", "'' cannot be read as int"),
    "an empty float": ("a: !!float ''", "cannot be read as float"),
    "an octal number": ("a: 010", "'010' would be 8 in YAML; write that, or put text in quotes"),
    "a time of day": ("a: 12:30", "'12:30' would be 750 in YAML"),
    "a time of day with a fraction": ("a: 1:30.5", "'1:30.5' would be 90.5 in YAML"),
    "no boolean": ("a: !!bool x", "'x' cannot be read as bool"),
    "no time": ("a: !!timestamp x", "'x' cannot be read as timestamp"),
    "no such day": ("a: 2024-13-45", "'2024-13-45' cannot be read as timestamp"),
    "5,000 digits": ("a: " + "1" * 5_000, "cannot be read as int"),
    "5,000 hexadecimal digits": ("a: 0x" + "f" * 5_000, "cannot be read as int"),
    "3,000 brackets": ("[" * 3_000, f"nested more than {DEEPEST} levels deep"),
    "3,000 closed brackets": ("[" * 3_000 + "]" * 3_000, f"nested more than {DEEPEST} levels deep"),
    "3,000 braces": ("{a: " * 3_000, f"nested more than {DEEPEST} levels deep"),
    "3,000 levels of a list": ("- " * 3_000 + "x", f"nested more than {DEEPEST} levels deep"),
    "aliases of aliases": (BOMB, f"more than {MOST_NODES:,} values"),
    "merges of merges": (MERGES, f"more than {MOST_NODES:,} values"),
    "a part of itself": ("a: &a [*a]", "*a is a part of itself"),
    "a Python object": ("a: !!python/object:os.system {}", "python/object:os.system"),
    "an unknown tag": ("a: !mine x", "'!mine'"),
    "a list as a key": ("? [a]\n: b", "unhashable key"),
    "two documents": ("--- a\n--- b\n", "but found another document"),
    "a key twice": ("a: 1\na: 2", "the key 'a' is there twice"),
    "a control character": ("a: \x1b[31m", "#x001b"),
    "two million characters": ("a: " + "x" * 2_000_000, "more than 1,000,000 characters"),
}


@pytest.mark.parametrize(("text", "said"), MALFORMED.values(), ids=MALFORMED)
def test_what_cannot_be_read_is_said_in_one_line_at_once(text: str, said: str) -> None:
    began = time.monotonic()
    with pytest.raises(yaml.YAMLError) as caught:
        read_yaml(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) <= 300
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: &one {x: 1}\nb: *one\nc: {<<: *one, y: 2}", {"a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1, "y": 2}}),
        ("9223372036854775807", 2**63 - 1),
        ("[0, 0.5, 0x10, 08, 1e-4, 2024-01-02, '010']", None),
        ("[" * DEEPEST + "]" * DEEPEST, None),
        ("", None),
    ],
)
def test_what_can_be_read_is(text: str, value: object) -> None:
    found = read_yaml(text)
    assert value is None or found == value


@pytest.mark.parametrize("name", ["an empty integer", "3,000 brackets", "5,000 digits", "aliases of aliases"])
def test_a_malformed_file_or_override_is_one_message_and_exit_code_2(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, said = MALFORMED[name]
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    for arguments in ([str(path)], [str(CONFIGS / "own.yaml"), f"seed={text}"]):
        assert run_amends("run", *arguments) == 2
        printed = capsys.readouterr().err
        assert said in printed
        assert "Traceback" not in printed


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text((CONFIGS / "own.yaml").read_text(), encoding="utf-8-sig")
    assert load_configuration(path) == load_configuration(CONFIGS / "own.yaml")


def test_a_long_value_is_not_shown_whole(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_configuration(CONFIGS / "own.yaml", ["train.epochs=" + "x" * 5_000])
    assert len(str(caught.value)) < 500
