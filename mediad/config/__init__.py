"""Settings: from defaults, a TOML file, credentials and the environment to one frozen value. Imports heavy: pydantic."""

from mediad.config.model import Settings

__all__ = ["Settings"]
