"""The embedded model in the cache: what was unpacked is believed only as it was unpacked."""

import hashlib
import os
from pathlib import Path

import pytest
from safetensors.torch import load_file

from amends.models.embedded import embedded_model_directory
from amends.storage.files import directory_fingerprint
from amends.storage.seals import SEAL

# By AutoModelForCausalLM.from_pretrained(..., gguf_file=..., dtype=torch.float32) in bfloat16: 20 s of a processor.
AS_TRANSFORMERS_READS_IT = "4337669ad7b75dc6bca3a381e303c507ac679a939f54133d17be9ba96906b93f"


def digest_of_numbers(path: Path) -> str:
    """Of all weights by name, without the file's own header."""
    digest = hashlib.sha256()
    for name, weight in sorted(load_file(path).items()):
        digest.update(name.encode() + weight.float().numpy().tobytes())
    return digest.hexdigest()


def test_a_damaged_embedded_model_is_unpacked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One flipped bit changed scores before; its file's size and time say nothing of it."""
    monkeypatch.setenv("AMENDS_CACHE", str(tmp_path))
    found = embedded_model_directory()
    assert capsys.readouterr().err.startswith("amends: unpacking the embedded model, once\n")
    before, weights = directory_fingerprint(found), found / "model.safetensors"
    assert digest_of_numbers(weights) == AS_TRANSFORMERS_READS_IT
    assert embedded_model_directory() == found
    assert capsys.readouterr().err == ""

    times = weights.stat()
    with weights.open("r+b") as stream:
        stream.seek(times.st_size // 2)
        byte = stream.read(1)[0]
        stream.seek(times.st_size // 2)
        stream.write(bytes([byte ^ 1]))
    os.utime(weights, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert directory_fingerprint(found) != before
    assert embedded_model_directory() == found
    assert "unpacking the embedded model, again, since the unpacked one is damaged" in capsys.readouterr().err
    assert directory_fingerprint(found) == before

    (found / SEAL).unlink()  # as an earlier release left it
    embedded_model_directory()
    assert "again" in capsys.readouterr().err
    assert directory_fingerprint(found) == before
    assert [path.name for path in found.parent.iterdir()] == [found.name]
