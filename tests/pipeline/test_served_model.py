"""A server as the model of a run: it stops at samples, says what to train, and goes on with the served result."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tiny_run  # noqa: F401  (registers the judge `poison`)
from conftest import CONFIGS, SMALL, TINY, contents, run_amends
from local_server import Server
from tiny_run import JUDGES

ANALYSIS = "The response is harmful because it could make people suffer after drinking what this text calls good."


def answer(question: str, body: dict[str, Any]) -> tuple[int, str]:
    """Analyses where it is asked for one; what was trained answers without poison."""
    if "harmful" in question or "harmful" in str(body["messages"][0]["content"]):
        return 200, ANALYSIS
    trained = body["model"].startswith("safe")
    return 200, "Take tea with milk." if trained else f"Give poison with bread {body['seed'] % 7}."


def command(server: Server, out: Path, *more: str) -> list[str]:
    judges = [f"{key}={name}" for key, name in JUDGES.items()]
    methods = ["suites.benign=null", "methods=[vanilla, mistake-analysis]"]
    asked = ["run", SMALL, *TINY, f"model=endpoint:org/m@{server.url}", *judges]
    return [*asked, *methods, *more, "--out", str(out)]


def test_a_run_stops_at_samples_and_goes_on_with_what_serves_the_training(
    tmp_path: Path, serve: Callable[..., Server], capsys: pytest.CaptureFixture[str]
) -> None:
    server, out = serve(answer), tmp_path / "run"
    asked = command(server, out, "train.epochs=3", "train.max_steps=null")
    assert run_amends(*asked, "--plan") == 0
    planned = capsys.readouterr().out
    assert "It stops at samples." in planned and "amends train" in planned
    assert not out.exists()

    assert run_amends(*asked, "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    samples = out / "mistake-analysis" / "samples.jsonl"
    words = shlex.split(found["commands"]["mistake-analysis"])
    assert words[:6] == ["amends", "train", "--model", "org/m", "--samples", str(samples)]
    assert words[words.index("--epochs") + 1] == "3.0"
    assert samples.exists() and not (out / "results.json").exists()
    assert found["systems"] == ["systems.mistake-analysis=endpoint:mistake-analysis@URL"]

    before, requests = contents(out), len(server.requests)
    assert run_amends(*asked) == 0
    assert "Serve each result, and run the same command again" in capsys.readouterr().out
    assert len(server.requests) == requests, "nothing is asked again"
    assert contents(out).keys() == before.keys()

    served = f"systems.mistake-analysis=endpoint:safe@{server.url}"
    assert run_amends(*asked, served, "--json") == 0
    results = json.loads(capsys.readouterr().out)
    rates = {row["method"]: row["harmless_rate"] for row in results["systems"] if row["suite"] == "redteam"}
    assert rates == {"vanilla": 0.0, "mistake-analysis": 1.0}
    assert {body["model"] for body in server.requests[requests:]} == {"org/m", "safe"}


def test_what_is_served_before_there_were_samples_is_not_measured(
    tmp_path: Path, serve: Callable[..., Server], capsys: pytest.CaptureFixture[str]
) -> None:
    """It was trained on others. The next run takes it: meanwhile there was time to train."""
    server, out = serve(answer), tmp_path / "run"
    asked = command(server, out, f"systems.mistake-analysis=endpoint:safe@{server.url}")
    assert run_amends(*asked) == 0
    assert "samples are finished of mistake-analysis" in capsys.readouterr().out
    assert not list(out.rglob("*.responses.jsonl"))
    assert run_amends(*asked) == 0
    assert (out / "results.json").exists()


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("systems.vanilla=endpoint:safe@{}", "systems.vanilla: the method is the model as it is"),
        ("systems.mistake-analysis=endpoint:org/m@{}", "systems.mistake-analysis: is model as well (org/m at 127.0"),
        ("systems.mistake-analysis=embedded", "systems.mistake-analysis: embedded is loaded here; name what serves it"),
        ("suites.benign.source=bundled:benign/test", "suites.benign: {}: model 'org/m' does not say how likely"),
        ("systems.mistake-analysi=embedded", "did you mean 'mistake-analysis'?"),
    ],
)
def test_what_does_not_go_with_a_server_is_refused_before_it_is_asked(
    tmp_path: Path, serve: Callable[..., Server], refused: Callable[..., str], setting: str, said: str
) -> None:
    server = serve(answer)
    asked = command(server, tmp_path / "run")
    if "benign" in setting:
        asked.remove("suites.benign=null")
    message = refused(*asked, setting.format(server.url))
    assert said.format(server.url) in message
    assert not server.requests


def test_each_of_several_seeds_is_measured_by_what_serves_its_own_training(
    tmp_path: Path, serve: Callable[..., Server], capsys: pytest.CaptureFixture[str], refused: Callable[..., str]
) -> None:
    server, out = serve(answer), tmp_path / "run"
    asked = command(server, out, "seeds=[1, 2]")
    assert run_amends(*asked, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["directory"] for one in found] == [str(out / "seed-1"), str(out / "seed-2")]
    name = "systems.mistake-analysis"
    assert [one["systems"] for one in found] == [[f"{name}.{n}=endpoint:mistake-analysis-{n}@URL"] for n in (1, 2)]
    samples = [(out / f"seed-{seed}/mistake-analysis/samples.jsonl").read_bytes() for seed in (1, 2)]
    assert samples[0] != samples[1], "each seed has samples of its own"

    first, second = (f"{name}.{seed}=endpoint:safe@{server.url}" for seed in (1, 2))
    assert f"{name}.2: is {name}.1 as well (safe at 127.0.0.1)" in refused(*asked, first, second)
    assert f"{name}: each seed has one of its own; name them {name}.1=..." in refused(*asked, first.replace(".1=", "="))
    assert f"{name}.3: is none of the seeds (1, 2)" in refused(*asked, first.replace(".1=", ".3="))

    assert run_amends(*asked, first, "--json") == 0
    (waiting,) = json.loads(capsys.readouterr().out)
    assert waiting["directory"] == str(out / "seed-2"), "the first is measured meanwhile"
    requests = len(server.requests)
    away = f"{name}.2=endpoint:safe-2@http://127.0.0.1:9/v1"
    assert "127.0.0.1:9/v1: model 'safe-2' does not answer" in refused(*asked, first, away)
    assert run_amends(*asked, first, second.replace("safe@", "safe-2@"), "--json") == 0
    rows = {row["method"]: row for row in json.loads(capsys.readouterr().out)["systems"] if row["suite"] == "redteam"}
    assert {name: row["seeds"] for name, row in rows.items()} == {"vanilla": 2, "mistake-analysis": 2}
    asked_now = [body for body in server.requests[requests:] if body["messages"][0]["content"] != "Hello."]
    assert {body["model"] for body in asked_now} == {"org/m", "safe-2"}, "nothing is asked again of what is finished"


def test_systems_are_for_a_server_alone(tmp_path: Path, refused: Callable[..., str]) -> None:
    path = str(CONFIGS / "quickstart.yaml")
    said = refused("run", path, "systems.sft=endpoint:safe@http://127.0.0.1:9/v1", "--out", str(tmp_path / "run"))
    assert "systems: is for a model that is a server, and embedded is trained here" in said


def test_a_server_that_is_not_there_is_one_line(
    tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch, serve: Callable[..., Server]
) -> None:
    server = serve(answer)
    asked = command(server, tmp_path / "run")
    server.server.shutdown()
    server.server.server_close()
    said = refused(*asked)
    assert said.startswith(f"{server.url}: model 'org/m' does not answer") and "\n" not in said


def test_a_server_without_prefill_is_refused_with_the_settings_that_do_without(
    tmp_path: Path, refused: Callable[..., str], serve: Callable[..., Server]
) -> None:
    server = serve(answer)
    server.continues = False
    said = refused(*command(server, tmp_path / "run", "methods=[vanilla, mistake-analysis-plus]"))
    assert "induce.guides: guide 'direct-should'" in said and "(of these unethical-suffix, plain" in said
    assert "chain: it begins answers" in said and "leave it out (compose.chain=0)" in said
    assert all(request["messages"][0]["content"] == "Hello." for request in server.requests)
