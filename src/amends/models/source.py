"""Where a model comes from: `embedded`, a directory or a hub id, its files' fingerprint, and what is no model."""

import functools
from dataclasses import dataclass
from pathlib import Path

from amends.errors import ModelError, in_a_line
from amends.models.embedded import embedded_model_directory
from amends.storage.files import directory_fingerprint, expanded, fingerprint

CONFIGURATION, ADAPTER = "config.json", "adapter_config.json"
WEIGHTS = ("*.safetensors", "*.bin", "*.gguf")


@dataclass(frozen=True)
class ModelSource:
    """Where a model comes from: `name` as the user wrote it, `location` for from_pretrained.

    `system_prompt` is the system turn of all its conversations that have none of their own.
    """

    name: str
    location: str
    system_prompt: str | None = None

    def fingerprint(self) -> str:
        """Hash over the model's files, or over hub id and commit, and its system prompt, where it has one.

        Raises ModelError where the hub has no such model.
        """
        commit = self.commit()
        files = fingerprint(hub=self.location, commit=commit) if commit else directory_fingerprint(Path(self.location))
        return fingerprint(model=files, system_prompt=self.system_prompt) if self.system_prompt else files

    def directory(self) -> str:
        """Where its files lie on this machine; a hub's are fetched where they are not in the cache.

        Raises ModelError where they cannot be.
        """
        commit = self.commit()
        if not commit:
            return self.location
        from huggingface_hub import snapshot_download

        try:
            return str(snapshot_download(self.location, revision=commit))
        except Exception as error:
            raise ModelError(f"{self.name}: cannot be fetched: {in_a_line(error)}") from error

    def commit(self) -> str | None:
        """The commit of a hub's model, the same as long as it is in the cache; None of a directory."""
        return None if Path(self.location).is_dir() else _hub_commit(self.location)


@functools.cache
def _hub_commit(name: str) -> str:
    """The commit that the cache holds or, where there is none, that the hub has now (which fetches config.json)."""
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    try:
        found = try_to_load_from_cache(name, CONFIGURATION)
        path = Path(found if isinstance(found, str) else hf_hub_download(name, CONFIGURATION))
    except Exception as error:
        raise ModelError(
            f"{name}: neither a directory here nor a model of the hub that can be reached ({in_a_line(error)}); name "
            "`embedded`, a model directory or a hub id (offline: download it first; gated: ask for access there, then "
            "`hf auth login`)"
        ) from error
    refuse_adapter(path.parent, name)
    return path.parent.name


def find_model(name: str, system_prompt: str | None = None) -> ModelSource:
    """Resolves `embedded`, a model directory or a hub id. Raises ModelError for anything else, adapters included."""
    return ModelSource(name, _location(name), system_prompt)


def _location(name: str) -> str:
    if name == "embedded":
        return str(embedded_model_directory())
    path = expanded(name)
    if path.is_dir():
        refuse_adapter(path, str(path))
        if (path / CONFIGURATION).exists():
            return str(path.absolute())
        raise ModelError(f"{path}: no {CONFIGURATION} in it, so it is no model directory; name one that has it")
    if path.is_file():
        raise ModelError(
            f"{path}: is a file; name the directory with config.json and safetensors weights, or serve a GGUF file and "
            "name endpoint:MODEL@URL"
        )
    if "://" in name:
        raise ModelError(f"{name}: is an address; write a server as endpoint:MODEL@{name}")
    if name.count("/") == 1 and not name.startswith((".", "/", "~")) and not path.parent.exists():
        return name
    raise ModelError(
        f"{name}: no such directory; name `embedded`, an existing model directory or a hub id (owner/name)"
    )


def refuse_adapter(directory: Path, name: str) -> None:
    """Raises ModelError where an adapter lies in a model's place, or beside its weights.

    transformers would answer with both in silence, and training begin from the bare model.
    """
    if not (directory / ADAPTER).exists():
        return
    weights = {path.name for pattern in WEIGHTS for path in directory.glob(pattern)}
    weights = {one for one in weights if not one.startswith("adapter_")}
    if (directory / CONFIGURATION).exists() and weights:
        refuse_both(name)
    raise ModelError(
        f"{name}: is an adapter; merge it into its model first (docs/guides/own_model.md), and name that "
        "(`amends respond` also takes it as it is: --adapter)"
    )


def refuse_both(name: str) -> None:
    """Raises ModelError for a model with an adapter beside its weights."""
    raise ModelError(
        f"{name}: has an adapter beside the model's weights; merge them, or move {ADAPTER} and its weights to a "
        "directory of their own (`amends respond` takes that: --adapter)"
    )
