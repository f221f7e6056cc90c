"""The environment of the process: what amends does not heed is left out, before a library reads it.

Clusters, containers and notebooks leave variables behind that make trainers start other processes, compute in another
precision, or fail. amends takes them out of its own environment. It is one of several processes in a training alone,
which torchrun or `accelerate launch` started; what they say of processes and of shards stays then.
"""

import contextlib
import getpass
import os
import stat
import sys
import tempfile
from pathlib import Path

from amends.errors import InputError

PROCESSES = (
    "WORLD_SIZE",
    "LOCAL_WORLD_SIZE",
    "OMPI_COMM_WORLD_SIZE",
    "PMI_SIZE",
    "MV2_COMM_WORLD_SIZE",
    "SLURM_STEP_NUM_TASKS",  # of srun; a job's own number of tasks says nothing of this process
)
"""How many processes there are, as launchers say it."""

LAUNCHED = ("WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun, and `accelerate launch` by it, tell each of several processes; a training needs all of these."""
SHARDING = ("ACCELERATE_USE_FSDP", "FSDP_", "ACCELERATE_USE_DEEPSPEED", "ACCELERATE_DEEPSPEED_")
HEEDED = (*LAUNCHED, "LOCAL_WORLD_SIZE", "TORCHELASTIC_", *SHARDING)
"""How the variables begin that a training of several processes heeds, and the libraries that it stands on."""

UNHEEDED = (
    *PROCESSES,
    *("RANK", "LOCAL_RANK", "GROUP_RANK", "ROLE_RANK", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT", "FORK_LAUNCHED"),
    # Other precisions than the weights', without a word: oneDNN's on a CPU, cuBLAS's on a GPU.
    *("ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE"),
    *("NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"),
)
UNHEEDED_PREFIXES = (
    *("ACCELERATE_", "FSDP_", "DEEPSPEED_", "MEGATRON_LM_", "PARALLELISM_CONFIG_", "FP8_"),  # accelerate's
    *("TORCHELASTIC_", "OMPI_", "PMI_", "PMIX_", "MV2_", "MPI_", "SMDATAPARALLEL_", "SM_"),  # launchers'
    *("TORCHDYNAMO_", "XLA_"),  # how torch compiles
)
NOTHING_ASKED = ("", "0", "-1", "false", "no", "none")

NOT_LAUNCHED = (
    "amends works in several processes in a training alone, and torchrun or `accelerate launch` starts those "
    "({name}={value}: unset it where a cluster does so). Which GPUs it sees CUDA_VISIBLE_DEVICES says; several "
    "commands with outputs of their own may run beside each other, each on a GPU"
)
TRAINING_ALONE = (
    "only `amends train` works in several processes that a launcher started (WORLD_SIZE={value}); start this without "
    "torchrun or accelerate: `amends run` starts the processes of its trainings itself (train.processes)"
)
ALONE = (
    "`accelerate launch` was asked for several processes, and started one, as it does on a CPU; start it with "
    "`torchrun --nproc-per-node N -m amends train`, or with --processes N and no launcher"
)


def prepare(command: str = "") -> None:
    """Makes this process's environment and output what amends expects.

    Raises InputError where it is one of several processes that are not wanted: of another command than `train`.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # an output that lacks a character says ? in its place
    for name in ("COLUMNS", "LINES"):
        if not os.environ.get(name, "").isdigit() or not int(os.environ[name]):
            os.environ.pop(name, None)
    leave_out()
    if launched() > 1 and command != "train":
        raise InputError(TRAINING_ALONE.format(value=launched()))
    _find_caches()


def leave_out() -> None:
    """Takes out what amends does not heed, and says so of what asked for several processes or another precision.

    Raises InputError where this is one of several processes that no launcher of a training started, or the only one of
    several that were asked for.
    """
    processes = launched()
    for name in PROCESSES if processes == 1 else ():
        value = os.environ.get(name, "").strip()
        if value.isdigit() and int(value) > 1:
            raise InputError(NOT_LAUNCHED.format(name=name, value=value))
    if "ACCELERATE_MIXED_PRECISION" in os.environ and "MASTER_ADDR" in os.environ and "WORLD_SIZE" not in os.environ:
        raise InputError(ALONE)
    found = take_out()
    asked = [name for name, value in found.items() if _asks(name) and value.strip().lower() not in NOTHING_ASKED]
    if asked and not follows():
        said = "amends starts processes, and computes in a precision, of its own"
        print(f"amends: left out of the environment: {', '.join(asked)}; {said}", file=sys.stderr)


def launched() -> int:
    """Processes that torchrun or `accelerate launch` started, this one among them; 1 without them."""
    value = os.environ.get("WORLD_SIZE", "").strip()
    return int(value) if value.isdigit() and int(value) and all(os.environ.get(name) for name in LAUNCHED) else 1


def sharding() -> str:
    """What a launcher was asked to shard weights by, `fsdp` or `deepspeed`; empty where each process has all."""
    asked = {"fsdp": "ACCELERATE_USE_FSDP", "deepspeed": "ACCELERATE_USE_DEEPSPEED"} if launched() > 1 else {}
    return next((name for name, variable in asked.items() if os.environ.get(variable, "").lower() == "true"), "")


def follows() -> bool:
    """Whether a launcher started this process beside the first one, which alone reads the command and speaks."""
    return launched() > 1 and os.environ["RANK"] != "0"


def take_out() -> dict[str, str]:
    """Takes out of this process's environment what amends does not heed, and returns it."""
    heeded = HEEDED if launched() > 1 else ()
    unheeded = [name for name in sorted(os.environ) if _is_unheeded(name) and not name.startswith(heeded)]
    return {name: os.environ.pop(name) for name in unheeded}


def _is_unheeded(name: str) -> bool:
    return name in UNHEEDED or name.startswith(UNHEEDED_PREFIXES)


def _asks(name: str) -> bool:
    return name.endswith(("RANK", "PRECISION")) or name.startswith("ACCELERATE_USE_")


def _find_caches() -> None:
    """Gives a process without a home, or whose home cannot be written, a place of its own for what is cached."""
    if not os.environ.get("HOME"):
        os.environ.pop("HOME", None)
    try:
        home = Path.home()
    except RuntimeError:  # a user without a name, as in containers
        home = Path("nowhere")
    try:
        getpass.getuser()
    except (KeyError, OSError, ImportError):
        os.environ["LOGNAME"] = "amends"  # torch names a directory after it
    if home.is_absolute() and home.is_dir() and _can_write(home / ".cache" / "amends"):
        return
    with contextlib.suppress(OSError):  # where there is no place at all, whoever writes says so
        own = private_directory()
        if not (home.is_absolute() and home.is_dir()):
            os.environ["HOME"] = str(own)
            return
        # A home that can be read alone: the hub's models in it are read, and what is written goes elsewhere.
        for name in ("AMENDS_CACHE", "MPLCONFIGDIR", "HF_DATASETS_CACHE", "HF_MODULES_CACHE", "TRITON_CACHE_DIR"):
            os.environ.setdefault(name, str(own / name.lower()))


def _can_write(path: Path) -> bool:
    there = next(one for one in (path, *path.parents) if one.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def private_directory() -> Path:
    """The same in each process of this user, and nobody else's."""
    path = Path(tempfile.gettempdir()) / f"amends-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    found = path.lstat()
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
    return path if ours else Path(tempfile.mkdtemp(prefix="amends-"))
