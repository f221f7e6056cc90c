"""Uploads to a local stand-in of the hub: what goes there, what never does, and what is refused."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from safetensors.torch import load_file

from amends.pipeline.deployment import deployment_of
from amends.storage.run_directory import RunDirectory
from conftest import run_amends
from hub_server import KEY, READING, Hub

METHOD = "mistake-analysis"
FILES = ["README.md", "adapter_config.json", "adapter_model.safetensors"]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """In the place of the real one, with a key that may write. Xet's storage has a protocol that is not public."""
    one = Hub()
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", one.url)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setenv("HF_TOKEN", KEY)
    yield one
    one.server.shutdown()
    one.server.server_close()


def test_an_adapter_goes_with_its_card_and_nothing_else(
    finished_run: Path, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_amends("push", str(finished_run), "--repo", "me/safe") == 0
    printed = capsys.readouterr()
    there = hub.repositories["me/safe"]
    assert there["private"] and list(there["files"]) == FILES
    said = printed.err.splitlines()
    assert said[0].endswith("to me/safe, private:") and [line.split(",")[0].strip() for line in said[1:]] == FILES
    assert printed.out == f"{hub.url}/me/safe\n" and KEY not in printed.out + printed.err
    trained = RunDirectory(finished_run).trained(METHOD, full=False)
    assert there["files"]["adapter_model.safetensors"] == (trained / "adapter_model.safetensors").read_bytes()
    assert there["files"]["README.md"] == (trained / "README.md").read_bytes()
    base = Path(deployment_of(str(finished_run)).model)
    told = json.loads((trained / "adapter_config.json").read_text())
    assert told["base_model_name_or_path"] == str(base)
    assert json.loads(there["files"]["adapter_config.json"]) == told | {"base_model_name_or_path": base.name}
    whole = b"".join(there["files"].values())
    rows = [json.loads(line) for line in (finished_run / "mistakes.jsonl").read_text().splitlines()]
    secrets = [str(finished_run), str(base), *(row[key] for row in rows for key in ("prompt", "response"))]
    assert [text for text in secrets if text and text.encode() in whole] == []


def test_what_would_be_uploaded_is_said_without_a_connection(
    finished_run: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    told = ("--repo", "me/safe", "--method", "sft", "--public", "--dry-run", "--json")
    assert run_amends("push", str(finished_run), *told) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"address": None, "files": FILES}
    assert "sft/adapter to me/safe, for everyone to read:" in printed.err
    assert hub.paths == []


def test_an_exported_model_goes_whole(finished_run: Path, hub: Hub, tmp_path: Path) -> None:
    out = tmp_path / "safe"
    assert run_amends("export", str(finished_run), "--method", METHOD, "--out", str(out)) == 0
    (out / "mistakes.jsonl").write_text("harmful")
    assert run_amends("push", str(out), "--repo", "me/merged", "--public") == 0
    there = hub.repositories["me/merged"]
    assert not there["private"]
    assert {path.name for path in out.iterdir()} - there["files"].keys() == {"mistakes.jsonl"}
    (tmp_path / "back.safetensors").write_bytes(there["files"]["model.safetensors"])
    assert load_file(tmp_path / "back.safetensors").keys() == load_file(out / "model.safetensors").keys()
    assert str(finished_run.parent).encode() not in b"".join(there["files"].values())


def test_a_repository_that_exists_is_added_to_on_request_alone(
    finished_run: Path, hub: Hub, refused: Callable[..., str]
) -> None:
    push = ("push", str(finished_run), "--method", "sft", "--repo", "me/safe")
    said = {"private": True, "files": {"LICENSE": b"mine"}}
    hub.repositories["me/safe"] = said
    assert _refusal(refused, *push).startswith("me/safe: exists already; name another repository, or add --overwrite")
    said["private"] = False
    assert "everyone may read it; add --public" in _refusal(refused, *push, "--overwrite")
    assert list(said["files"]) == ["LICENSE"]
    assert run_amends(*push, "--overwrite", "--public") == 0
    assert list(said["files"]) == ["LICENSE", *FILES]


def test_what_the_hub_refuses_is_said_with_its_remedy(
    finished_run: Path,
    hub: Hub,
    refused: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run, mine = ("push", str(finished_run), "--repo"), "me/safe"
    assert "may not write there; give it that right" in _refusal(refused, *run, "others/safe")
    hub.fails = ("/commit/", 500, f"out of order, says {KEY}")
    message = _refusal(refused, *run, mine, exit_code=1)
    assert "out of order, says [key]" in message and message.endswith("give the same command again with --overwrite")
    hub.fails = None
    assert run_amends(*run, mine, "--overwrite") == 0
    capsys.readouterr()
    for key, words in ((READING, "may not write there"), ("hf_other", "does not know the key")):
        monkeypatch.setenv("HF_TOKEN", key)
        message = _refusal(refused, *run, "me/other")
        assert words in message and key not in message
    monkeypatch.delenv("HF_TOKEN")
    asked = len(hub.paths)
    assert _refusal(refused, *run, mine) == (
        "no key for the hub; set HF_TOKEN to one that may write, or give `hf auth login`"
    )
    assert len(hub.paths) == asked
    monkeypatch.setenv("HF_TOKEN", KEY)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE keeps the hub away" in _refusal(refused, *run, mine)


def test_nobody_answers(finished_run: Path, hub: Hub, refused: Callable[..., str]) -> None:
    hub.server.shutdown()
    hub.server.server_close()
    message = _refusal(refused, "push", str(finished_run), "--repo", "me/safe", exit_code=1)
    assert message.startswith("me/safe: the hub cannot be reached") and message.endswith("try again later")


def test_what_cannot_be_uploaded_is_refused(finished_run: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    run, to = str(finished_run), ("--repo", "me/safe", "--dry-run")
    assert "write it as owner/name" in refused("push", run, "--repo", "safe")
    assert "Write it as owner/name" in refused("push", run, "--repo", "me/safe model")
    assert "vanilla trains nothing" in _refusal(refused, "push", run, *to, "--method", "vanilla")
    assert "did you mean 'sft'?" in _refusal(refused, "push", run, *to, "--method", "stf")
    assert "no run.json and no README.md in it" in refused("push", str(tmp_path), *to)
    (tmp_path / "model").mkdir()
    card = tmp_path / "model" / "README.md"
    for text in ("# A model", "---\ntags: [peft\n---\n", "---\ntags:\n- peft\n---\n"):
        card.write_text(text)
        assert refused("push", str(tmp_path / "model"), *to).startswith(f"{card}: is no card by amends")
    card.write_text("---\ntags:\n- amends\n---\n")
    assert "no weights as safetensors" in refused("push", str(tmp_path / "model"), *to)
    assert "a method of a run" in refused("push", str(tmp_path / "model"), *to, "--method", "sft")
    for path in ("run.json", f"{METHOD}/adapter.manifest.json"):
        (tmp_path / "run" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(finished_run / path, tmp_path / "run" / path)
    shutil.copytree(finished_run / METHOD / "adapter", tmp_path / "run" / METHOD / "adapter")
    assert "the run is not finished, so its card has no results yet" in refused("push", str(tmp_path / "run"), *to)


def _refusal(refused: Callable[..., str], *arguments: str, exit_code: int = 2) -> str:
    """What is said where the files that would be uploaded are said first."""
    return refused(*arguments, exit_code=exit_code, may_write=["nothing"])
