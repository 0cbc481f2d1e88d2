"""Settings: defaults, a TOML file, credentials and the environment made one frozen value. Imports pydantic."""

from mediad.config.edit import set_value
from mediad.config.faults import ConfigFaults, Fault
from mediad.config.loader import Loaded, load
from mediad.config.model import Settings
from mediad.config.schema import Entry, effective

__all__ = [
    "ConfigFaults",
    "Entry",
    "Fault",
    "Loaded",
    "Settings",
    "effective",
    "load",
    "set_value",
]
