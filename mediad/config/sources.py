"""The places a setting can come from. Each gives values with the place where they were written."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from mediad.config.faults import ConfigFaults, Fault, unknown
from mediad.config.schema import KEYS, SECTIONS, KeyPath
from mediad.config.toml_lines import lines_of_keys

PREFIX: Final = "MEDIAD_"
MOST: Final = 256 << 10  # bytes; all settings with every comment take a tenth of it
_NOT_SETTINGS: Final = frozenset({"MEDIAD_CONFIG"})


@dataclass(frozen=True, slots=True)
class Given:
    """One value, where it stands (for faults) and what to call that (for `config show`)."""

    path: KeyPath
    value: object
    place: str
    origin: str


def read_text(file: Path) -> str:
    """A small file that a person wrote."""
    try:
        with file.open("rb") as opened:
            content = opened.read(MOST + 1)
        if len(content) > MOST:
            _refuse(
                str(file),
                f"is larger than {MOST >> 10} KiB, and no file of settings; check the path",
            )
        return content.decode()
    except UnicodeDecodeError as error:
        _refuse(str(file), f"is not UTF-8 text (byte {error.start}); save it as UTF-8")
    except OSError as error:
        reason = error.strerror or "unreadable"
        _refuse(str(file), f"cannot be read ({reason}); check the path and its permissions")


def _refuse(where: str, what: str) -> NoReturn:
    raise ConfigFaults([Fault(where, what)])


def from_toml(text: str, file: Path) -> list[Given]:
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        words = str(error)
        match = re.search(r" \(at line (\d+), column \d+\)$", words)
        line = match[1] if match else str(len(text.splitlines()) or 1)
        words = words[: match.start()] if match else words.removesuffix(" (at end of document)")
        _refuse(
            f"{file}:{line}",
            f"this is no TOML: {words}; text stands in quotes, a section in [brackets]",
        )
    except RecursionError:
        _refuse(str(file), "its brackets are nested far deeper than any key of mediad wants")
    lines = lines_of_keys(text)
    return [
        Given(path, value, _place(file, path, lines), "file") for path, value in _leaves(tables, ())
    ]


def _place(file: Path, path: KeyPath, lines: Mapping[KeyPath, int]) -> str:
    line = next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), None)
    return f"{file}:{line}" if line else str(file)


def _leaves(table: Mapping[str, Any], path: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    for name, value in table.items():
        here = (*path, name)
        if here in SECTIONS and isinstance(value, dict):
            yield from _leaves(value, here)
        else:
            yield here, value


def from_secret_files(
    given: Mapping[KeyPath, Given], base: Path
) -> tuple[list[Given], list[Fault]]:
    """`api_key_file = "…"` gives `api_key`; a relative path lies beside the configuration file."""
    found, faults = [], []
    for key in KEYS.values():
        named = given.get((*key.path[:-1], f"{key.path[-1]}_file"))
        if key.is_secret and named and isinstance(named.value, str) and named.value:
            file = base / Path(named.value).expanduser()
            try:
                text = read_text(file).strip()
            except ConfigFaults as error:
                where = f"{named.place}: {'.'.join(named.path)}"
                faults += [Fault(where, f"{file} {fault.what}") for fault in error.faults]
            else:
                found.append(Given(key.path, key.native(text), named.place, f"the file {file}"))
    return found, faults


def from_credentials(environ: Mapping[str, str]) -> list[Given]:
    """Systemd's credentials, of the name section.key."""
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return []
    found = []
    for key in KEYS.values():
        file = Path(folder) / key.dotted
        if file.is_file():
            text = read_text(file).strip()
            origin = f"the credential {key.dotted}"
            found.append(Given(key.path, key.native(text), str(file), origin))
    return found


def from_environment(environ: Mapping[str, str]) -> tuple[list[Given], list[Fault]]:
    """MEDIAD_SECTION__KEY. Other programs' variables that merely begin alike are left alone."""
    found, faults = [], []
    for name, text in environ.items():
        if not name.startswith(PREFIX) or name in _NOT_SETTINGS:
            continue
        path = tuple(name.removeprefix(PREFIX).lower().split("__"))
        key = KEYS.get(path)
        if key is not None:
            found.append(Given(path, key.native(text), name, f"the variable {name}"))
        elif len(path) > 1:
            faults.append(Fault(f"{name}: {'.'.join(path)}", unknown(path)))
    return found, faults
