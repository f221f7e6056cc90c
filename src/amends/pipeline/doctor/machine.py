"""This machine, whatever is to be run on it: versions, device, the embedded model, the cache, disk space."""

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

from amends import __version__
from amends.errors import ModelError
from amends.models.device import best_device, best_dtype, hardware
from amends.models.embedded import embedded_gguf
from amends.pipeline.doctor.finding import Finding
from amends.storage.files import cache_directory

SHOWN = ("torch", "transformers", "trl", "peft")
"""Libraries whose versions change what a run gives; of others only what does not fit is said."""
NVIDIA = Path("/proc/driver/nvidia")
LITTLE_BYTES = 2_000_000_000  # a run of the embedded model with its checkpoints, with room to spare
FULL = "delete old runs, or name a directory on another disk with --out"


def look_at_machine() -> Iterator[Finding]:
    """Looks at this machine: versions, device, the embedded model, the cache."""
    yield Finding("amends", "ok", __version__)
    yield Finding("python", "ok", platform.python_version())
    yield from _versions()
    yield from _devices()
    yield _embedded()
    yield _cache()


def _versions() -> Iterator[Finding]:
    """What amends requires, as its own metadata say; there are none where it runs from its sources alone."""
    try:
        required = [Requirement(one) for one in importlib.metadata.requires("amends") or ()]
    except importlib.metadata.PackageNotFoundError:
        required = [Requirement(name) for name in SHOWN]
    for one in required:
        if one.marker and not one.marker.evaluate({"extra": ""}):
            continue
        remedy = f"pip install '{one.name}{one.specifier}'"
        try:
            version = importlib.metadata.version(one.name)
        except importlib.metadata.PackageNotFoundError:
            yield Finding(one.name, "stop", "is not installed", remedy)
            continue
        if not one.specifier.contains(version, prereleases=True):
            yield Finding(one.name, "stop", f"{version} does not fit {one.specifier}", remedy)
        elif one.name in SHOWN:
            yield Finding(one.name, "ok", version)


def _devices() -> Iterator[Finding]:
    device = best_device()
    for name, found in hardware(device).items():
        yield Finding(name, "ok", found)
    if device == "cpu" and NVIDIA.exists():
        build = "install torch's build for your CUDA version: https://pytorch.org/get-started/locally/"
        yield Finding("device", "note", "cpu, though there is a GPU that torch does not see", build)
    else:
        yield Finding("device", "ok", device)
    precision = str(best_dtype(device)).removeprefix("torch.")
    slow = device == "cpu" and precision == "float32"
    yield Finding(
        "precision",
        "note" if slow else "ok",
        precision,
        "this processor does not compute in bfloat16, so models take twice the memory and more time" if slow else "",
    )


def _embedded() -> Finding:
    try:
        return Finding("embedded model", "ok", str(embedded_gguf()))
    except ModelError as error:  # a configuration that needs it is refused by itself
        return Finding("embedded model", "note", str(error), "the bundled judge and gate read answers with it, too")


def _cache() -> Finding:
    place = cache_directory()
    if os.access(existing(place), os.W_OK):
        return Finding("cache", "ok", str(place))
    return Finding("cache", "stop", f"{place} cannot be written", "AMENDS_CACHE=DIRECTORY names another place")


def disk_space(directory: Path, needed: int = LITTLE_BYTES) -> Finding:
    """Whether there is room for so many bytes where a directory is, or is going to be."""
    free = shutil.disk_usage(existing(directory)).free
    found = f"{free / 1e9:,.1f} GB are free at {directory}, about {needed / 1e9:,.2f} GB are wanted"
    return Finding("disk space", "ok", found) if free > needed else Finding("disk space", "stop", found, FULL)


def existing(path: Path) -> Path:
    """The path, or the nearest directory above it that is there."""
    path = path.absolute()
    return next(one for one in (path, *path.parents) if one.is_dir())
