"""The configuration as a person sees and changes it: with where each value came from, and secrets never shown."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import anyio.to_thread

from mediad.config import ConfigFaults, Fault, effective, set_value
from mediad.config.loader import build
from mediad.errors import Refused
from mediad.service.answers import Doc
from mediad.service.parts import Parts


class Desk:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._changing = anyio.Lock()

    def show(self) -> Doc:
        loaded = self._parts.loaded()
        entries = effective(loaded.settings, loaded.origins)
        return {
            "file": str(loaded.file) if loaded.file else None,
            "values": {e.key: _plain(e.value) for e in entries},
            "origins": {e.key: e.origin for e in entries},
            "etag": self.etag(),
        }

    def etag(self) -> str:
        """Changes with every value; says nothing of a secret but that it is set."""
        loaded = self._parts.loaded()
        values = {e.key: _plain(e.value) for e in effective(loaded.settings, loaded.origins)}
        text = json.dumps(values, sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]

    async def change(self, values: Mapping[str, str], if_match: str | None) -> Doc:
        """Write keys to the file, all or the first wrong one refused, and take the file into force."""
        async with self._changing:
            if if_match is not None and if_match != self.etag():
                raise Refused(
                    "the configuration was changed by somebody else meanwhile; nothing was written",
                    code="config.changed",
                    remedy="read it again, then make your change",
                )
            file = self.file()
            before = file.read_bytes() if file.exists() else None
            for key, value in values.items():
                try:
                    await anyio.to_thread.run_sync(partial(set_value, file, key, value))
                except ConfigFaults:
                    _put_back(file, before)
                    raise
                except OSError as error:  # at the first key, so that nothing was written yet
                    raise _unwritable(file, error) from error
            faults = await self._parts.orders.reload()
            if faults:
                _put_back(file, before)
                await self._parts.orders.reload()
                raise ConfigFaults(faults)
            return self.show()

    def file(self) -> Path:
        """The file that is read, or would be: beside its root."""
        loaded = self._parts.loaded()
        return loaded.file or loaded.settings.root / "mediad.toml"

    async def check(self, text: str | None) -> Sequence[Fault]:
        """What would be wrong with this text as the configuration; None: with the file as it is now."""
        file = self.file()
        if text is None:
            here = anyio.Path(file)
            text = await here.read_text("utf-8", "replace") if await here.exists() else ""
        try:
            build(text, file, root=self._parts.loaded().settings.root, environ={})
        except ConfigFaults as faults:
            return faults.faults
        return ()


def _plain(value: object) -> object:
    return value if isinstance(value, str | int | float | list | dict | None) else str(value)


def _unwritable(file: Path, error: OSError) -> Refused:
    """As it should be where the system's daemon may not change its own rules."""
    return Refused(
        f"mediad itself may not write {file} ({error.strerror}), and nothing was changed",
        code="config.unwritable",
        remedy="sudo mediactl config set KEY VALUE, or edit the file with sudoedit: what is saved is in force",
    )


def _put_back(file: Path, before: bytes | None) -> None:
    """All or nothing: several keys are written one by one, and the last may be the wrong one."""
    if before == (file.read_bytes() if file.exists() else None):
        return  # it was the first: where nothing may be written, there is nothing to put back
    if before is None:
        file.unlink(missing_ok=True)
        return
    part = file.with_name(f".{file.name}.back.part")
    part.write_bytes(before)
    part.chmod(file.stat().st_mode & 0o777)
    part.replace(file)
