"""To the hub, when asked: what was trained with its card, and nothing that lies beside it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from amends.errors import InputError, OutageError, in_a_line
from amends.models.source import ADAPTER, CONFIGURATION
from amends.pipeline.cards import CARD
from amends.pipeline.deployment import deployment_of
from amends.reporting.model_card import base_name
from amends.storage.manifests import Manifest
from amends.storage.run_directory import RunDirectory
from amends.storage.vouched import refuse_damaged

OF_ADAPTER = (CARD, ADAPTER, "adapter_model.safetensors")
OF_MODEL = (
    *(CARD, CONFIGURATION, "generation_config.json", "*.safetensors", "model.safetensors.index.json", "*.gguf"),
    *("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.json", "merges.txt", "chat_template.jinja"),
)
BASE = "base_model_name_or_path"
REFUSED = {
    401: "the hub does not know the key in HF_TOKEN; make one in its settings, under Access Tokens",
    403: "the key in HF_TOKEN may not write there; give it that right in the hub's settings, or name another owner",
    409: "exists already; name another repository, or add --overwrite to put these files into it",
}


@dataclass(frozen=True)
class Upload:
    """What goes to the hub.

    Attributes:
        directory: where it lies here.
        files: by their names there, the bytes or the file that has them.
        left: names of what lies beside them and stays here.
    """

    directory: Path
    files: Mapping[str, bytes | Path]
    left: tuple[str, ...]

    def lines(self, repo: str, public: bool) -> Iterator[str]:
        """What is going to be uploaded, a line each."""
        yield f"{self.directory} to {repo}, {'for everyone to read' if public else 'private'}:"
        for name, content in self.files.items():
            size = len(content) if isinstance(content, bytes) else content.stat().st_size
            yield f"  {name}, {size:,} bytes"
        if self.left:
            yield f"  stays here: {', '.join(self.left)}"


def upload_of(name: str, method: str | None = None) -> Upload:
    """What of a run, or of a directory that `amends export` or `amends train` wrote, is uploaded.

    Records of a run are not, since they are harmful on purpose; an adapter names its base by hub id, and by no path.

    Args:
        name: a run directory, or that of an adapter or a model with its card.
        method: of a run; by default the one that its primary comparison is about, or the only one that was trained.

    Raises:
        InputError: the run is not finished, or nothing with a card by amends lies there.
        StoreError: what was trained is damaged.
    """
    directory = Path(name)
    if RunDirectory(directory).run.exists():
        directory = _trained_in(name, method)
    elif method:
        raise InputError("--method names a method of a run; name the run directory, or leave it out")
    refuse_damaged(directory)
    card = _card_in(directory)
    adapter = (directory / ADAPTER).is_file()
    there = sorted(path.name for path in directory.iterdir())
    chosen = {path.name for pattern in (OF_ADAPTER if adapter else OF_MODEL) for path in directory.glob(pattern)}
    if not any(one.endswith(".safetensors") for one in chosen):
        raise InputError(f"{directory}: has a card, and no weights as safetensors; train or export it again")
    files: dict[str, bytes | Path] = {one: directory / one for one in there if one in chosen}
    if adapter:
        told = json.loads((directory / ADAPTER).read_text(encoding="utf-8"))
        told[BASE] = card.get("base_model") or base_name(str(told[BASE]))
        files[ADAPTER] = (json.dumps(told, indent=2, sort_keys=True) + "\n").encode()
    return Upload(directory, files, tuple(one for one in there if one not in chosen))


def push(upload: Upload, repo: str, public: bool = False, overwrite: bool = False) -> str:
    """Uploads it in one commit, with the key that HF_TOKEN or `hf auth login` gives; returns the address.

    Args:
        upload: what `upload_of` gave.
        repo: `owner/name`.
        public: whether everyone may read it.
        overwrite: whether it is put into a repository that exists; a public one also takes `public`.

    Raises:
        InputError: there is no key, or the hub refuses it or the name.
        OutageError: the hub cannot be reached, or fails.
    """
    from huggingface_hub import CommitOperationAdd, HfApi, get_token

    token = get_token()
    if not token:
        raise InputError("no key for the hub; set HF_TOKEN to one that may write, or give `hf auth login`")
    api = HfApi(token=token)
    with _hub_errors(repo, token):
        address = str(api.create_repo(repo, private=not public, exist_ok=overwrite))
        if overwrite and not public and not api.repo_info(repo).private:
            raise InputError(f"{repo}: is there, and everyone may read it; add --public, or name another repository")
    with _hub_errors(repo, token, there=True):
        adding = [CommitOperationAdd(path_in_repo=name, path_or_fileobj=one) for name, one in upload.files.items()]
        api.create_commit(repo, adding, commit_message="Upload by amends")
    return address


def refuse_name(repo: str) -> None:
    """Raises InputError for a name that no repository of the hub can have."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # its documentation names it

    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise InputError(f"--repo {repo}: {in_a_line(error)} Write it as owner/name") from None
    if repo.count("/") != 1:
        raise InputError(f"--repo {repo}: write it as owner/name")


def _trained_in(run: str, method: str | None) -> Path:
    deployment = deployment_of(run, method=method)
    if deployment.adapter is None and deployment.trained_on is None:
        raise InputError(
            f"{run}: {deployment.method} trains nothing, so there is nothing to upload; name another method"
        )
    results = RunDirectory(deployment.run or Path(run)).results
    if Manifest(results, {}).read().get("state") != "finished" or not results.exists():
        raise InputError(f"{results.parent}: the run is not finished, so its card has no results yet; finish it first")
    return deployment.adapter or Path(deployment.model)


def _card_in(directory: Path) -> dict[str, str]:
    """The metadata of the card that amends wrote there."""
    path = directory / CARD
    if not path.is_file():
        raise InputError(
            f"{directory}: no run.json and no {CARD} in it; name a run directory, or what `amends export` or "
            "`amends train` wrote"
        )
    parts = path.read_text(encoding="utf-8", errors="replace").split("---\n", 2)
    try:
        found = yaml.safe_load(parts[1]) if len(parts) == 3 and not parts[0] else None
    except yaml.YAMLError:
        found = None
    if not isinstance(found, dict) or "amends" not in (found.get("tags") or ()):
        raise InputError(
            f"{path}: is no card by amends (no `amends` among its tags); name a run directory, or what `amends export` "
            "or `amends train` wrote"
        )
    return found


@contextmanager
def _hub_errors(repo: str, token: str, there: bool = False) -> Iterator[None]:
    """Raises our errors for the hub's, without the key. `there`: whether the repository was made before."""
    from httpx2 import HTTPError
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    again = "; it is there now, so give the same command again with --overwrite" if there else "; try again later"
    try:
        yield
    except HfHubHTTPError as error:
        status = error.response.status_code
        if status in REFUSED:
            raise InputError(f"{repo}: {REFUSED[status]}") from None
        said = in_a_line(error).replace(token, "[key]")
        raise (OutageError if status >= 500 else InputError)(f"{repo}: the hub refuses ({said}){again}") from None
    except OfflineModeIsEnabled:
        raise InputError(f"{repo}: HF_HUB_OFFLINE keeps the hub away; unset it to upload") from None
    except (HTTPError, OSError, RuntimeError, ValueError) as error:  # of the connection, of files, of Xet's uploads
        said = in_a_line(error).replace(token, "[key]")
        raise OutageError(f"{repo}: the hub cannot be reached, or does not take it ({said}){again}") from None
