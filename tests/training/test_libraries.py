"""What training overrides or takes from inside the libraries is there, in the versions that pyproject.toml allows."""

import inspect
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from packaging.requirements import Requirement
from transformers import LlamaForCausalLM, Trainer, TrainingArguments
from trl import DPOTrainer, RewardTrainer, RLOOTrainer, SFTTrainer
from trl.trainer.utils import FusedCausalLMOutput

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (Trainer, "_get_train_sampler"),
        (SFTTrainer, "_get_train_sampler"),
        (RLOOTrainer, "_get_train_sampler"),
        (DPOTrainer, "_prepare_dataset"),
        (DPOTrainer, "_precompute_ref_logps"),
        (DPOTrainer, "compute_ref_log_probs"),
        *[
            (owner, name)
            for owner in (SFTTrainer, DPOTrainer, RewardTrainer)
            for name in ("training_step", "compute_loss")
        ],
    ],
)
def test_what_is_overridden_is_called_by_the_trainers(owner: type[Any], name: str) -> None:
    assert callable(getattr(owner, name))
    users = [one for one in owner.__mro__ if one is not object and f"self.{name}" in inspect.getsource(one)]
    assert users, "an override of what nobody calls would do nothing"


def test_the_output_has_the_fields_that_ours_fills() -> None:
    fields = {"loss", "log_probs", "entropy", "mean_logits", "is_top1", "label_mask"}
    assert fields <= set(FusedCausalLMOutput.__dataclass_fields__)


def test_the_number_of_gpus_can_be_set() -> None:
    getter = TrainingArguments.n_gpu.fget
    assert getter is not None
    assert "return self._n_gpu" in inspect.getsource(getter), "recipe.py sets it to one at most"


def test_what_decides_about_slots_and_precision_is_there() -> None:
    """Both are asked for with a fallback or at a distance: without them all would be slower, and nothing would tell."""
    assert LlamaForCausalLM._supports_attention_backend
    assert torch.ops.mkldnn._is_mkldnn_bf16_supported() in (True, False)


def test_the_tested_versions_are_bounded_and_installed() -> None:
    wanted = {one.name: one for one in map(Requirement, PROJECT["dependencies"])}
    for name in ("transformers", "trl"):
        assert wanted[name].specifier.contains(version(name)), name
        assert any(bound.operator == "<" for bound in wanted[name].specifier), name
