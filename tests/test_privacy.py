"""Nothing leaves the machine that the user did not name: no telemetry, and the guard that all other tests run under."""

import socket
import subprocess
import sys
import urllib.request

import pytest


@pytest.mark.parametrize("imports", ["amends, huggingface_hub.constants", "huggingface_hub.constants, amends"])
def test_importing_amends_turns_telemetry_off(imports: str) -> None:
    """TRL's trainers send some when they are made, unless told not to."""
    code = f"import {imports}; print(huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY)"
    environment = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "True\n"


def test_a_connection_elsewhere_is_noticed(connections_elsewhere: list[str]) -> None:
    with pytest.raises(OSError, match="tests run offline"):
        urllib.request.urlopen("http://amends.example/")
    with socket.socket() as one, pytest.raises(ConnectionRefusedError):
        one.connect(("192.0.2.1", 80))
    assert connections_elsewhere == ["amends.example", "192.0.2.1"]
    connections_elsewhere.clear()
