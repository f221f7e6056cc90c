"""An ext4 file system in memory whose device can break at an instant, and be copied as it was then. Needs root."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SIZE = 128 << 20
SET_FILE, CLEAR_FILE, GET_FREE = 0x4C00, 0x4C01, 0x4C82  # include/uapi/linux/loop.h
TOOLS = ("mkfs.ext4", "e2fsck", "mount", "umount")
CLEAN = (0, 1)  # what e2fsck says of a file system without errors, and of one with errors that it mended
# Metadata is committed each second, data when the kernel likes: a name may be there, and what it names empty.
SHARPEST = "commit=1,noauto_da_alloc,data=writeback"
JOURNALS = (SHARPEST, "commit=1,noauto_da_alloc", "commit=1", "")


def why_not() -> str:
    """Why there can be no such device here; empty where there can."""
    if os.geteuid():
        return "needs root"
    missing = [name for name in TOOLS if not shutil.which(name)]
    if missing:
        return f"needs {', '.join(missing)}"
    return "" if Path("/dev/loop-control").exists() else "needs /dev/loop-control"


@dataclass(frozen=True)
class Device:
    """A memory file behind a loop device.

    Attributes:
        image: the memory file's descriptor in this process.
        loop: the loop device.
    """

    image: int
    loop: Path

    @property
    def file(self) -> Path:
        """The memory file as other processes find it."""
        return Path(f"/proc/{os.getpid()}/fd/{self.image}")


def break_off(image: Path) -> None:
    """Nothing is written any more from this instant on: each write is an error of the device."""
    descriptor = os.open(image, os.O_RDWR)
    try:
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
    finally:
        os.close(descriptor)


def make_read_only(loop: Path) -> None:
    """As ext4 does itself where it finds an error, whoever has files open; mounted with `errors=remount-ro`."""
    Path(f"/sys/fs/ext4/{loop.name}/trigger_fs_error").write_text("amends")


@contextmanager
def device(copied: Device | None = None) -> Iterator[Device]:
    """A new device with an empty ext4 on it, or with what another one had."""
    image = os.memfd_create("amends-device", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
    try:
        os.ftruncate(image, SIZE)
        done = 0
        while copied and done < SIZE:
            done += os.copy_file_range(copied.image, image, SIZE - done, done, done)
        with _loop(image) as loop:
            if not copied:
                subprocess.run(["mkfs.ext4", "-q", str(loop)], check=True)
            yield Device(image, loop)
    finally:
        os.close(image)


@contextmanager
def _loop(image: int) -> Iterator[Path]:
    control = os.open("/dev/loop-control", os.O_RDWR)
    try:
        loop = Path(f"/dev/loop{fcntl.ioctl(control, GET_FREE)}")
    finally:
        os.close(control)
    descriptor = os.open(loop, os.O_RDWR)
    try:
        fcntl.ioctl(descriptor, SET_FILE, image)
        yield loop
        fcntl.ioctl(descriptor, CLEAR_FILE, 0)
    finally:
        os.close(descriptor)


@contextmanager
def mounted(on: Device, place: Path, options: str = "") -> Iterator[None]:
    """Its file system at `place`."""
    place.mkdir(parents=True, exist_ok=True)
    chosen = ["-o", options] if options else []
    subprocess.run(["mount", "-t", "ext4", *chosen, str(on.loop), str(place)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


def checked(on: Device) -> str:
    """Replays its journal and checks it; what is wrong with it, if anything."""
    done = subprocess.run(["e2fsck", "-p", str(on.loop)], capture_output=True, text=True, check=False)
    return "" if done.returncode in CLEAN else f"e2fsck ended with {done.returncode}: {done.stdout[-600:]}"
