"""vLLM's engine, in an environment of its own: an actor that keeps what Ray's stage for it has loaded.

Ray's batch inference (`ray.data.llm`) loads an engine for each dataset that it executes, and a stage asks in many
rounds. So its stage is taken out of the processor, with its handling of errors, and stays in one actor.
https://docs.ray.io/en/releases-2.60.0/data/working-with-llms.html
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from amends.errors import in_a_line
from amends.models.source import ADAPTER

PROBE_SECONDS = 120.0  # for an interpreter that says its versions, on a file system that may be slow
RESTARTS = 3  # of an engine that dies, before the run stops
PROBE = """
import importlib.metadata, json, platform
found = {"Python": platform.python_version()}
for name in ("ray", "vllm"):
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        found[name] = None
print(json.dumps(found))
"""
"""What an interpreter is asked before an engine is started in it; it imports neither Ray nor vLLM."""
VARIABLES = {
    "PYTHONPATH": "",  # of who asks, with other versions of what vLLM stands on
    "VLLM_NO_USAGE_STATS": "1",  # nothing leaves the machine
    "HF_HUB_OFFLINE": "1",  # what it loads lies in a directory
    "RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES": "1",  # an actor without GPUs of its own would see none
}
"""Of the engine's process, before a library reads them."""
SHARED = ("CUDA_VISIBLE_DEVICES",)
"""Variables that it has from who starts it."""
DATA = "__data"  # the column in which the stages of a processor have a row
RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # of adapters, as vLLM 0.32 takes them


class EngineTold(NamedTuple):
    """What is known of an engine where the run is: its environment on every node, and vLLM's own options."""

    environment: str | None
    options: dict[str, Any]

    @property
    def python(self) -> str:
        """The interpreter: that of the environment, or the one of the workers."""
        if self.environment is None:
            return sys.executable
        return str(Path(self.environment) / "bin/python") if Path(self.environment).is_dir() else self.environment


def problem_of(told: EngineTold) -> str:
    """Why no engine can be started here, in words; empty where nothing stands in the way that is seen without it."""
    import platform

    import ray

    try:
        said = subprocess.run(
            [told.python, "-c", PROBE],
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
            check=True,
            env={},
        ).stdout
        found = json.loads(said)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return f"{told.python} does not run ({in_a_line(error)})"
    if not found["vllm"]:
        return f"{told.python} has no vLLM"
    wanted = {"Python": platform.python_version(), "ray": ray.__version__}
    other = [f"{name} {found[name]} (here {version})" for name, version in wanted.items() if found[name] != version]
    return f"{told.python} has another {', '.join(other)}, which Ray needs to be the same" if other else ""


def start_engine(told: EngineTold, directory: str, adapter: Path | None) -> Any:
    """The handle of an actor with an engine that begins to load a model; it ends with the process that started it.

    It is where that process is and has its GPUs, which are reserved once, for both: what was loaded there before is
    small, or freed.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    options = {"disable_log_stats": True, "seed": 0} | told.options
    if options.get("tensor_parallel_size", 1) > 1:
        options = {"distributed_executor_backend": "mp"} | options  # Ray's would reserve GPUs of its own
    if adapter:
        options |= {"enable_lora": True, "max_loras": 1, "max_lora_rank": _room_for(adapter)}
    shared = {name: os.environ[name] for name in SHARED if name in os.environ}
    kind = ray.remote(_engine_class()).options(
        num_cpus=0,  # its worker has them, and waits while it computes
        max_restarts=RESTARTS,
        max_task_retries=-1,  # what was asked of one that died is asked again of the next, which has the same handle
        max_concurrency=4_096,
        scheduling_strategy=NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False),
        runtime_env={"py_executable": told.python, "env_vars": VARIABLES | shared},
    )
    return kind.remote(directory, options)


def _room_for(adapter: Path) -> int:
    """The least rank that vLLM makes room for and that holds an adapter's."""
    rank = int(json.loads((adapter / ADAPTER).read_text(encoding="utf-8"))["r"])
    return next((one for one in RANKS if one >= rank), rank)


def _engine_class() -> type:
    """The actor's class. It is defined here, so that it is sent as code: amends is not in the engine's environment."""

    class Engine:
        """Ray's stage for vLLM, with its engine; rows that fail come back with what is said of them."""

        def __init__(self, directory: str, options: dict[str, Any]) -> None:
            from ray.data.llm import build_processor, vLLMEngineProcessorConfig

            told: dict[str, Any] = dict.fromkeys(("chat_template_stage", "tokenize_stage", "detokenize_stage"), False)
            processor = build_processor(
                vLLMEngineProcessorConfig(
                    model_source=directory,
                    engine_kwargs=options,
                    should_continue_on_error=True,
                    log_engine_metrics=False,
                    **told,
                )
            )
            stage = processor.get_stage_by_name("vLLMEngineStage")
            self._stage = stage.fn(**stage.get_dataset_map_batches_kwargs(1, DATA)["fn_constructor_kwargs"])

        def ready(self) -> None:
            """Returns when it has loaded."""

        async def answer(self, row: dict[str, Any]) -> tuple[list[int], str]:
            """The tokens that are generated for a row, and what went wrong with it, if anything did."""
            async for batch in self._stage({DATA: [row]}):
                (found,) = batch[DATA]
            return list(found["generated_tokens"]), str(found["__inference_error__"])

    return Engine
