"""What is loaded where the processes of `forked` begin: all that a run imports, and the prompts."""

import gc
import pkgutil
from contextlib import suppress
from importlib import import_module

import pytest
from transformers.models.llama import modeling_llama
from trl import DPOTrainer, RewardTrainer, RLOOTrainer, SFTTrainer

import amends
from amends.prompts import english

__all__ = ["DPOTrainer", "RLOOTrainer", "RewardTrainer", "SFTTrainer", "modeling_llama", "pytest"]

for module in pkgutil.walk_packages(amends.__path__, "amends."):
    with suppress(ImportError):  # of an extra that is not installed
        import_module(module.name)
english()
gc.collect()
gc.freeze()  # a collection would write to, and so copy, each page that a process shares with the one that it left
