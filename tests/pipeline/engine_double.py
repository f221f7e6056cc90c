"""An environment in which Ray's stage for vLLM stands in for itself: it answers as that one did, without weights.

Its rows and what it gives are those of `ray.data.llm` 2.60 with vLLM 0.32, as they were seen: a row is a prompt's
tokens and what is told of sampling; what comes back are tokens with the one that ended them, or what went wrong.
"""

import sys
from pathlib import Path
from textwrap import dedent

STAGE = '''
"""Loaded when the interpreter starts; it stands where `ray.data.llm` would be found."""
import os, sys, types
from pathlib import Path


class Stage:
    def __init__(self, model, engine_kwargs, should_continue_on_error):
        if "nonsense" in engine_kwargs:
            raise TypeError("AsyncEngineArgs.__init__() got an unexpected keyword argument 'nonsense'")
        assert should_continue_on_error and (Path(model) / "config.json").exists()
        self.notes, self.faults = Path(engine_kwargs["notes"]), engine_kwargs.get("faults", {})
        self.lora = engine_kwargs.get("enable_lora"), engine_kwargs.get("max_lora_rank")
        (self.notes / f"engine.{os.getpid()}").write_text(os.environ.get("CUDA_VISIBLE_DEVICES", ""))

    async def __call__(self, batch):
        (row,) = batch["__data"]
        ids, told, tokens, wrong = row["tokenized_prompt"], row["sampling_params"], [], ""
        fault = self.faults.get(str(sum(ids)), self.faults.get("all"))
        mark = self.notes / f"{fault}.{sum(ids)}"
        if fault == "dies once" and not mark.exists():
            mark.touch()
            os._exit(1)
        if fault == "dies":
            os._exit(1)
        if fault == "fails" or (fault == "fails once" and not mark.exists()):
            mark.touch()
            wrong = "RuntimeError: no room in the cache"
        else:
            length = 1 + told["seed"] % 3
            tokens = [*ids[-8:-5], *ids[:length], told["stop_token_ids"][0]][: told["max_tokens"]]
            if row.get("model"):
                assert self.lora == (True, 8) and (Path(row["model"]) / "adapter_config.json").exists()
                tokens = tokens[::-1]
        yield {"__data": [row | {"generated_tokens": tokens, "__inference_error__": wrong}]}


class Parts:
    fn = Stage

    def __init__(self, config):
        self.config = config

    def get_stage_by_name(self, name):
        assert name == "vLLMEngineStage"
        return self

    def get_dataset_map_batches_kwargs(self, batch_size, data_column):
        names = {"model_source": "model", "engine_kwargs": "engine_kwargs"}
        told = {mine: self.config[name] for name, mine in names.items()}
        return {"fn_constructor_kwargs": told | {"should_continue_on_error": self.config["should_continue_on_error"]}}


module = types.ModuleType("ray.data.llm")
module.vLLMEngineProcessorConfig, module.build_processor = dict, Parts
sys.modules["ray.data.llm"] = module
'''


def environment(directory: Path, version: str = "0.32.0") -> Path:
    """Writes it, with a Python that is this one and sees what this one sees, and returns its directory."""
    packages = directory / "packages"
    written = packages / f"vllm-{version}.dist-info" / "METADATA"
    written.parent.mkdir(parents=True)
    written.write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n")
    (packages / "sitecustomize.py").write_text(STAGE)
    python = directory / "bin" / "python"
    python.parent.mkdir()
    python.write_text(
        dedent(f"""\
        #!/bin/sh
        PYTHONPATH={packages} exec {sys.executable} "$@"
        """)
    )
    python.chmod(0o755)
    return directory
