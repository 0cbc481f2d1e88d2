"""What every setting is made of: its types, its words for the documents, and how a path becomes absolute."""

import os
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
)
from pydantic.config import JsonDict

from mediad.config.units import duration_in, size

Flag: TypeAlias = Annotated[bool, Strict()]
Count: TypeAlias = Annotated[int, Strict()]
Text: TypeAlias = Annotated[str, Strict()]
Seconds: TypeAlias = Annotated[float, BeforeValidator(duration_in("seconds"))]
Minutes: TypeAlias = Annotated[float, BeforeValidator(duration_in("minutes"))]
Hours: TypeAlias = Annotated[float, BeforeValidator(duration_in("hours"))]
Days: TypeAlias = Annotated[float, BeforeValidator(duration_in("days"))]
Bytes: TypeAlias = Annotated[int, BeforeValidator(size)]
NamedFile: TypeAlias = Annotated[Path | None, BeforeValidator(lambda raw: raw or None)]


def setting(what: str, *, default: object, unit: str = "", shown: str = "", **limits: Any) -> Any:
    """One setting. `shown`: how the default is written in TOML where the bare value would be hard to read."""
    extra: JsonDict = {"unit": unit, "shown": shown}
    return Field(default, description=what, json_schema_extra=extra, **limits)


def section() -> Any:
    """A section within another, complete without a line in the file."""
    return Field(default_factory=dict)


class Section(BaseModel):
    # defer_build: only the whole is ever validated, and each validator built at import costs milliseconds
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, defer_build=True)


def absolute(path: Path, root: Path) -> Path:
    return Path(os.path.normpath(root / path.expanduser()))  # resolve() would ask a hung NAS
