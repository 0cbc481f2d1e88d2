"""
Reading the configuration: environment over credential over named secret file over file over default.

All faults at once, each with its place; a configuration with a fault is no configuration.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from mediad.config.check import contradictions
from mediad.config.faults import ConfigFaults, Fault, located, place_of
from mediad.config.model import Settings
from mediad.config.schema import KEYS, KeyPath
from mediad.config.sources import (
    Given,
    from_credentials,
    from_environment,
    from_secret_files,
    from_toml,
    read_text,
)

ROOT: Final = ("root",)
SYSTEM_FILE: Final = Path("/etc/mediad/mediad.toml")


@dataclass(frozen=True, slots=True)
class Loaded:
    settings: Settings
    origins: Mapping[str, str]  # section.key → default, file, the variable MEDIAD_…, --root …
    file: Path | None


def load(*, config_file: Path | None, root: Path | None, environ: Mapping[str, str]) -> Loaded:
    """Raises ConfigFaults with everything that is wrong."""
    file = _find(config_file, root, environ)
    text = read_text(file) if file else ""
    return build(text, file, root=root, environ=environ)


def build(text: str, file: Path | None, *, root: Path | None, environ: Mapping[str, str]) -> Loaded:
    """The same from a file's text: for an editor that must know before it writes."""
    place = file or Path("mediad.toml")
    from_env, faults = from_environment(environ)
    given = {g.path: g for g in (*from_toml(text, place), *from_env)}
    from_files, missing = from_secret_files(given, place.parent)
    given |= {g.path: g for g in from_files}
    given |= {g.path: g for g in (*from_credentials(environ), *from_env)}
    if root is not None:
        given[ROOT] = Given(ROOT, str(root.absolute()), "--root", "--root")
    _root_beside_file(given, place)
    settings = _settled(given, str(place), [*faults, *missing])
    from_file = given[ROOT].origin == "file"
    return Loaded(
        settings.read_from(file, root_from_file=from_file),
        {k.dotted: given[p].origin if p in given else "default" for p, k in KEYS.items()},
        file,
    )


def _find(config_file: Path | None, root: Path | None, environ: Mapping[str, str]) -> Path | None:
    named = config_file or (Path(p) if (p := environ.get("MEDIAD_CONFIG")) else None)
    if named is not None:
        return named.expanduser().absolute()
    own = root or (Path(p) if (p := environ.get("MEDIAD_ROOT")) else None)
    if own is not None:
        beside = own.expanduser().absolute() / "mediad.toml"
        return beside if beside.exists() else None
    if SYSTEM_FILE.exists():
        return SYSTEM_FILE
    raise ConfigFaults([
        Fault(
            str(SYSTEM_FILE),
            "there is no configuration; start with --root DIR to keep everything below one folder, "
            "or name a file with --config FILE",
        )
    ])  # fmt: skip


def _root_beside_file(given: dict[KeyPath, Given], file: Path) -> None:
    """A relative root in a file is meant from where the file lies, not from where somebody stood."""
    root = given.get(ROOT)
    if root is not None and root.origin == "file" and isinstance(root.value, str) and root.value:
        path = str(file.parent / Path(root.value).expanduser())
        given[ROOT] = Given(root.path, path, root.place, root.origin)


def _settled(given: Mapping[KeyPath, Given], default: str, faults: Iterable[Fault]) -> Settings:
    places = {g.path: g.place for g in given.values()}
    found = list(faults)
    wrong: set[KeyPath] = set()
    settings: Settings | None = None
    try:
        settings = Settings.model_validate(_nested(given.values()))
    except ValidationError as error:
        for path, fault in located(error, places, default):
            wrong.add(path)
            found.append(fault)
        # What is right so far may still contradict itself: look at it without what is wrong.
        rest = [g for g in given.values() if not any(_touch(g.path, w) for w in wrong)]
        settings = _without(rest)
    for path, what in contradictions(settings) if settings else ():
        if not any(w[: len(path) - 1] == path[:-1] for w in wrong):
            where = place_of(path, places, default)
            found.append(Fault(f"{where}: {'.'.join(path)}", what))
    if found or settings is None:
        raise ConfigFaults(sorted(found, key=_reading_order))
    return settings


def _without(rest: Iterable[Given]) -> Settings | None:
    nested = _nested(rest)
    nested.setdefault("root", "/")
    try:
        return Settings.model_validate(nested)
    except ValidationError:
        return None


def _touch(path: KeyPath, wrong: KeyPath) -> bool:
    return path[: len(wrong)] == wrong or wrong[: len(path)] == path


def _nested(values: Iterable[Given]) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    for given in sorted(values, key=lambda g: len(g.path)):
        here = tables
        for name in given.path[:-1]:
            inner = here.setdefault(name, {})
            if not isinstance(
                inner, dict
            ):  # `web = 3` and MEDIAD_WEB__TOKEN: the fault is told of `web`
                break
            here = inner
        else:
            here[given.path[-1]] = given.value
    return tables


def _reading_order(fault: Fault) -> tuple[str, int]:
    place, _, rest = fault.where.partition(": ")
    file, _, line = place.rpartition(":")
    return (file or place, int(line)) if line.isdecimal() else (place + rest, 0)
