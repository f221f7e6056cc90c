"""Out of amends: what is known of a run, merged models that answer as before, cards, and records as Parquet."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet
import pytest
from safetensors.torch import load_file, save_file

from amends.errors import AmendsError, InputError, MeasurementError, ModelError
from amends.models.base import Prompt
from amends.models.hf import LocalModel
from amends.pipeline.deployment import Deployment, deployment_of
from amends.pipeline.exporting import convert, export_model, export_records, find_converter
from amends.pipeline.guided_template import guided_template
from amends.pipeline.merging import write_merged
from amends.prompts import Guide, load_language
from amends.records import Message
from amends.storage.run_directory import RunDirectory
from conftest import run_amends
from tiny import tiny_adapter, tiny_model

METHOD = "mistake-analysis"


@pytest.fixture(scope="module")
def exported(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's method, exported by the command, the reminder in its template."""
    out = tmp_path_factory.mktemp("exported") / "safe"
    assert run_amends("export", str(finished_run), "--method", METHOD, "--out", str(out), "--with-reminder") == 0
    return out


def test_a_run_says_what_was_measured(finished_run: Path, tmp_path: Path) -> None:
    found = deployment_of(str(finished_run))
    assert found.method == METHOD, "what the primary comparison is about"
    assert found.guide == load_language("en").guide("respond", "reminder")
    adapter = RunDirectory(finished_run).trained("sft", full=False)
    by_adapter = deployment_of(None, adapter)
    assert (by_adapter.method, by_adapter.model, by_adapter.adapter) == ("sft", found.model, adapter)
    assert deployment_of(str(finished_run), method="vanilla").adapter is None
    for path in (adapter, adapter.with_name("adapter.manifest.json")):
        (shutil.copytree if path.is_dir() else shutil.copyfile)(path, tmp_path / path.name)
    alone = deployment_of(None, tmp_path / "adapter")
    assert (alone.method, alone.model) == (None, found.model), "by what its training says of itself"
    assert deployment_of(None, tmp_path / "adapter", weights=False).guide == found.guide
    assert deployment_of("embedded", system_prompt="Be brief.").system_prompt == "Be brief."
    with pytest.raises(InputError, match="no finished method 'sftt'; did you mean 'sft'"):
        deployment_of(str(finished_run), method="sftt")
    with pytest.raises(InputError, match="leave --adapter out"):
        deployment_of(str(finished_run), adapter)
    with pytest.raises(InputError, match="a method of a run"):
        deployment_of("embedded", method="sft")
    with pytest.raises(InputError, match="is a system turn"):
        deployment_of("embedded", system_prompt="Be brief.", guide="reminder-system")


def test_a_run_with_its_own_prompts_is_served_with_them(finished_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    facts = json.loads(RunDirectory(finished_run).run.read_text())
    facts["configuration"] |= {"system_prompt": "You sell plants.", "methods": ["vanilla", "chain-of-hindsight"]}
    facts["configuration"]["primary"] = None
    RunDirectory(run).run.write_text(json.dumps(facts))
    with pytest.raises(InputError, match="trained nothing yet"):
        deployment_of(str(run))
    trained = RunDirectory(run).trained("chain-of-hindsight", full=False)
    shutil.copytree(RunDirectory(finished_run).trained("sft", full=False), trained)
    found = deployment_of(str(run))
    assert (found.system_prompt, found.prefill) == ("You sell plants.", "A harmless answer:")
    facts["configuration"]["variants"] = {"a": {"induce.attempts": 1}, "b": {}}
    RunDirectory(run).run.write_text(json.dumps(facts))
    with pytest.raises(InputError, match="a run for each variant; name one of its directories: a, b"):
        deployment_of(str(run))


def test_an_exported_model_asks_and_answers_as_guided_inference(exported: Path, finished_run: Path) -> None:
    found = deployment_of(str(finished_run), method=METHOD)
    ours, theirs = LocalModel(str(exported)), found.local
    prompt = found.guide.prompt("How do I bake bread?")
    assert ours.render(Prompt((Message(role="user", content="How do I bake bread?"),))) == theirs.render(prompt)
    weights = load_file(exported / "model.safetensors")
    assert {str(one.dtype) for one in weights.values()} == {"torch.bfloat16"}
    assert not list(exported.parent.glob(".*")) and not list(exported.parent.glob("*.part"))


def test_a_card_says_what_it_is_and_names_no_path(exported: Path, finished_run: Path) -> None:
    adapter = RunDirectory(finished_run).trained(METHOD, full=False)
    for card in ((exported / "README.md").read_text(), (adapter / "README.md").read_text()):
        assert card.startswith("---\n") and "Chen et al., Gaining Wisdom from Setbacks" in card
        assert "Please make sure that your response is harmless, ethical and inoffensive." in card
        assert "bundled\\:redteam/train, 6 rows. Licence: Apache-2.0" in card
        assert "| mistake-analysis | guided |" in card and "| sft |" not in card and "95 % interval" in card
        for path in (finished_run, deployment_of(str(finished_run)).model):
            assert str(path) not in card


def test_a_template_takes_reminders_in_at_any_place() -> None:
    """It is compared with guided inference over conversations of several kinds, or refused."""
    model = LocalModel("embedded")
    guides = load_language("en").guide("respond", "reminder-system"), load_language("en").guide("respond", "reminder")
    in_system, behind = (guided_template(guide, model.source, None) for guide in guides)
    turns = [{"role": "user", "content": 'A "quote".'}]
    asked = model.tokenizer.apply_chat_template(turns, chat_template=in_system, tokenize=False)
    assert asked == model.tokenizer.apply_chat_template(
        [{"role": "system", "content": guides[0].system}, *turns], tokenize=False
    )
    written = model.tokenizer.apply_chat_template(
        [*turns, {"role": "assistant", "content": "Yes?"}], chat_template=behind, tokenize=False
    )
    assert f'A "quote".\n\n{guides[1].suffix}' in written, "also where the user was not the last to speak"
    tricky = Guide(name="own", suffix='Say "WORDS" \\ in {{ braces }}\n<|im_end|> twice.')
    assert "{{ braces }}" in guided_template(tricky, model.source, "You sell plants.")


def test_a_template_that_comes_out_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amends.pipeline.guided_template.SUFFIX", "{# nothing #}")
    guide = load_language("en").guide("respond", "reminder")
    with pytest.raises(ModelError, match="does not take the reminder in as guided inference does"):
        guided_template(guide, LocalModel("embedded").source, None)


def test_a_merge_that_changes_answers_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = tiny_model(tmp_path / "base")
    adapter = tiny_adapter(tmp_path / "adapter", base, targets=["q_proj", "down_proj", "up_proj"])
    from peft.tuners.lora.model import LoraModel

    merge = LoraModel.merge_and_unload

    def wrong(self: LoraModel) -> object:
        merged = merge(self)
        merged.model.layers[1].mlp.down_proj.weight.data *= 1.5
        return merged

    monkeypatch.setattr(LoraModel, "merge_and_unload", wrong)
    found = Deployment(str(base), adapter, None, load_language("en").guide("respond", "reminder"), "", None)  # type: ignore[arg-type]
    with pytest.raises(MeasurementError, match="the merged model is not the trained one"):
        export_model(found, tmp_path / "out", print)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter", "base"], "nothing half written"


def test_a_training_that_rounding_would_swallow_is_refused(tmp_path: Path) -> None:
    base = tiny_model(tmp_path / "base")
    adapter = tiny_adapter(tmp_path / "adapter", base)
    weights = load_file(adapter / "adapter_model.safetensors")
    small = {name: one * (1e-5 if "lora_B" in name else 1.0) for name, one in weights.items()}
    save_file(small, adapter / "adapter_model.safetensors", {"format": "pt"})
    with pytest.raises(MeasurementError, match="are rounding"):
        write_merged(LocalModel(str(base), adapter), tmp_path / "out")


def test_records_become_parquet(finished_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "records"
    written = export_records(finished_run, out)
    assert {path.relative_to(out).with_suffix("") for path in written} == {
        path.relative_to(finished_run).with_suffix("") for path in finished_run.rglob("*.jsonl")
    }
    rows = [json.loads(line) for line in (finished_run / "mistakes.jsonl").read_text().splitlines()]
    assert pyarrow.parquet.read_table(out / "mistakes.parquet").column("prompt").to_pylist() == [
        row["prompt"] for row in rows
    ]
    samples = pyarrow.parquet.read_table(out / "sft/samples.parquet").to_pylist()
    assert json.loads(samples[0]["prompt"])[0]["role"] == "user"


def test_what_cannot_be_exported_is_refused(
    finished_run: Path, tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, out = str(finished_run), tmp_path / "out"
    monkeypatch.delenv("LLAMA_CPP", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "convert_hf_to_gguf.py is not on the path" in refused("export", run, "--out", str(out), "--gguf")
    assert "no such directory" in refused("export", str(tmp_path / "none"), "--out", str(out))
    assert "no run.json in it" in refused("export", str(tmp_path), "--to", "parquet", "--out", str(out))
    assert "takes a run directory and --out alone" in refused("export", run, "--to", "parquet", "--gguf", "--out", "o")
    (tmp_path / "there").mkdir()
    assert "exists, and is not overwritten" in refused("export", run, "--out", str(tmp_path / "there"))


def test_gguf_is_llama_cpps(finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a converter that writes what it was asked, since llama.cpp is not here; and by one that fails."""
    (tmp_path / "llama").mkdir()
    converter = tmp_path / "llama" / "convert_hf_to_gguf.py"
    converter.write_text("import sys; open(sys.argv[5], 'w').write(' '.join(sys.argv[2:]))")
    monkeypatch.setenv("LLAMA_CPP", str(converter.parent))
    found = deployment_of(str(finished_run), method="sft")
    export_model(found, tmp_path / "out", print, gguf=True)
    asked = (tmp_path / "out" / "out-bf16.gguf").read_text()
    assert asked.startswith(f"--model-name {found.name} --outfile ") and asked.endswith("--outtype bf16")
    converter.write_text("import sys; sys.exit('no such architecture')")
    with pytest.raises(AmendsError, match="converter fails: no such architecture"):
        convert(find_converter(), tmp_path / "out", tmp_path / "other.gguf", "mine")
    converter.write_text("import sentencepiece_of_nobody.model")
    with pytest.raises(AmendsError, match=r"No module named 'sentencepiece_of_nobody'; pip install sentencepiece_of"):
        convert(find_converter(), tmp_path / "out", tmp_path / "other.gguf", "mine")
