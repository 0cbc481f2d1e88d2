"""The settings as a table of keys: for the loader, the editor, `config show` and the documents."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from mediad.config.base import Section
from mediad.config.model import Settings

_YES: Final = frozenset({"true", "yes", "on", "1"})
_NO: Final = frozenset({"false", "no", "off", "0"})

KeyPath = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Key:
    path: KeyPath
    field: FieldInfo

    @property
    def dotted(self) -> str:
        return ".".join(self.path)

    @property
    def is_secret(self) -> bool:
        return "SecretStr" in repr(self.field.annotation)

    @property
    def is_optional_path(self) -> bool:
        return self.field.annotation == Path | None

    def note(self, name: str) -> str:
        extra = self.field.json_schema_extra
        return str(extra.get(name, "")) if isinstance(extra, dict) else ""

    def native(self, text: str) -> object:
        """What was written as bare text (environment, credential, command line), as TOML would give it."""
        kind = get_origin(self.field.annotation) or self.field.annotation
        if kind is bool and text.lower() in _YES | _NO:
            return text.lower() in _YES
        if kind is int and re.fullmatch(r"[+-]?\d{1,18}", text):
            return int(text)
        if kind is float and re.fullmatch(r"[+-]?\d{1,15}(\.\d{1,15})?", text):
            return float(text) if "." in text else int(text)
        if kind is tuple and not text.lstrip().startswith("["):
            return [part.strip() for part in re.split(r"[,\n]", text) if part.strip()]
        if kind in (tuple, dict):
            return _toml_value(text)
        return text


def _toml_value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return text  # the model says what it expected instead


def section_type(field: FieldInfo) -> type[Section] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def sections(
    model: type[Section] = Settings, path: KeyPath = ()
) -> Iterator[tuple[KeyPath, type[Section]]]:
    yield path, model
    for name, field in model.model_fields.items():
        inner = section_type(field)
        if inner is not None:
            yield from sections(inner, (*path, name))


def keys_of(model: type[Section], path: KeyPath) -> Iterator[Key]:
    """The keys that stand in this section itself."""
    for name, field in model.model_fields.items():
        if section_type(field) is None:
            yield Key((*path, name), field)


KEYS: Final[Mapping[KeyPath, Key]] = {
    key.path: key for path, model in sections() for key in keys_of(model, path)
}
SECTIONS: Final[Mapping[KeyPath, type[Section]]] = dict(sections())


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of `config show`."""

    key: str
    value: object
    origin: str


def effective(settings: Settings, origins: Mapping[str, str]) -> list[Entry]:
    """Every setting with its value and where that came from; a secret that is set shows as ***."""
    return [
        Entry(key.dotted, showable(key, settings), origins.get(key.dotted, "default"))
        for key in KEYS.values()
    ]


def showable(key: Key, settings: Settings) -> object:
    value: object = settings
    for name in key.path:
        value = getattr(value, name)
    if key.is_secret:
        return "***" if secrets_in(value) else ""
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def secrets_in(value: object) -> list[str]:
    """The secret texts that one setting holds."""
    values = value if isinstance(value, tuple) else (value,)
    return [
        v.get_secret_value() for v in values if isinstance(v, SecretStr) and v.get_secret_value()
    ]


def all_secrets(settings: Settings) -> list[str]:
    """Every secret text of these settings: what must never be printed."""
    found: list[str] = []
    for key in KEYS.values():
        if key.is_secret:
            section = settings
            for name in key.path[:-1]:
                section = getattr(section, name)
            found += secrets_in(getattr(section, key.path[-1]))
    return found


def toml_text(value: object) -> str:
    """A value as it is written in a TOML file."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"{value:g}" if value == int(value) else str(value)
        case tuple() | list():
            return "[" + ", ".join(toml_text(v) for v in value) + "]"
        case dict():
            return "{}"
        case None:
            return '""'
        case _:
            return json.dumps(str(value), ensure_ascii=False)
