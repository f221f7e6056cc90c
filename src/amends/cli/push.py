"""`amends push`: what was trained, with its card, to the hub."""

from typing import Annotated

import typer

from amends.cli import options


def push(
    *,
    directory: Annotated[
        str, typer.Argument(metavar="RUN", help="A run directory, or what `amends export` or `amends train` wrote.")
    ],
    repo: Annotated[str, typer.Option("--repo", metavar="OWNER/NAME", help="The repository, which is made.")],
    method: Annotated[str | None, typer.Option("--method", help="Of a run: the method that is uploaded.")] = None,
    public: Annotated[bool, typer.Option("--public", help="Everyone may read it; otherwise it is private.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Put the files into a repository that exists already.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be uploaded, and upload nothing.")] = False,
    as_json: options.Json = False,
) -> None:
    """Upload an adapter or an exported model with its card to the Hugging Face hub; records of the run stay here.

    The key comes from HF_TOKEN, or from `hf auth login`. What goes there is said first.

    Example: amends push runs/mine --repo owner/name --dry-run
    """
    from amends.pipeline.pushing import push as push_to_hub
    from amends.pipeline.pushing import refuse_name, upload_of
    from amends.reporting.console import Console

    refuse_name(repo)
    upload, console = upload_of(directory, method), Console()
    for line in upload.lines(repo, public):
        console.say(line)
    found = None if dry_run else push_to_hub(upload, repo, public, overwrite)
    told = {"address": found, "files": list(upload.files)}
    options.show(told, as_json, found or "nothing was uploaded: --dry-run")
