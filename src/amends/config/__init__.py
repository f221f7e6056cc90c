"""The configuration: its settings, how they are read, the methods, and what is resolved of them once."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from amends.config.reading import load_configuration as load_configuration
    from amends.config.settings import Configuration as Configuration
    from amends.data.settings import DataSettings as DataSettings

_PLACES = {
    "Configuration": "amends.config.settings",
    "DataSettings": "amends.data.settings",
    "load_configuration": "amends.config.reading",
}


def __getattr__(name: str) -> object:
    if name in _PLACES:
        return getattr(importlib.import_module(_PLACES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
