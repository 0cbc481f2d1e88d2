"""
A library on disk, so that it goes on after a restart: one file with the rows, and one for each content.

Rows are written to a file beside and put in place in one step: a kill at any moment leaves the last or the new.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any, Final

from mediad.testing.icloud.account import Account
from mediad.testing.icloud.bodies import Body
from mediad.testing.icloud.faults import Json
from mediad.testing.icloud.library import Library, Zone
from mediad.testing.icloud.rows import AlbumRow, AssetRow, File, Gone, MasterRow, MemberRow, Row

_KINDS: Final[dict[str, type[Row]]] = {
    kind.__name__: kind for kind in (MasterRow, AssetRow, AlbumRow, MemberRow, Gone)
}
_FILES: Final = ("files", "edited")


class Saved:
    """Where a library and the secrets of its account are kept."""

    def __init__(self, folder: Path) -> None:
        self._rows, self._contents = folder / "library.json", folder / "contents"
        self._written: object = None

    def load(self, library: Library, account: Account) -> bool:
        """Into an empty library; False: nothing was kept."""
        if not self._rows.exists():
            return False
        kept = json.loads(self._rows.read_text())
        account.secret, account.generation = kept["secret"], kept["generation"]
        for name, zone in kept["zones"].items():
            rows = [self._row(library, row) for row in zone["rows"]]
            library.zone(name).restore(
                rows, [(at, self._row(library, r)) for at, r in zone["arriving"]]
            )
            library.zone(name).is_gone = zone["is_gone"]
        library.change = kept["change"]
        self._written = _state(library, account)
        return True

    def save(self, library: Library, account: Account) -> None:
        """If anything changed since."""
        if self._written == (now := _state(library, account)):
            return
        self._contents.mkdir(parents=True, exist_ok=True)
        kept = {
            "secret": account.secret,
            "generation": account.generation,
            "change": library.change,
            "zones": {name: self._zone(zone) for name, zone in library.zones.items()},
        }
        beside = self._rows.with_suffix(".part")
        beside.write_text(json.dumps(kept))
        beside.replace(self._rows)
        self._written = now

    def _zone(self, zone: Zone) -> Json:
        return {
            "is_gone": zone.is_gone,
            "rows": [self._plain(row) for row in zone.rows.values()],
            "arriving": [(at, self._plain(row)) for at, row in zone.coming],
        }

    def _plain(self, row: Row) -> Json:
        fields: Json = {f.name: getattr(row, f.name) for f in dataclasses.fields(row)}
        for name in _FILES:
            if name in fields:
                fields[name] = [self._plain_file(file) for file in fields[name]]
        return {"is": type(row).__name__, **fields}

    def _plain_file(self, file: File) -> Json:
        content = self._contents / _safe(file.body.fingerprint)
        if not content.exists():
            beside = content.with_suffix(".part")
            beside.write_bytes(file.body.read())
            beside.replace(content)
        shape = {"part": file.part, "uti": file.uti, "width": file.width, "height": file.height}
        return {**shape, "fingerprint": file.body.fingerprint}

    def _row(self, library: Library, fields: dict[str, Any]) -> Row:
        kind = _KINDS[fields.pop("is")]
        for name in _FILES:
            if name in fields:
                fields[name] = [self._file(library, file) for file in fields[name]]
        return kind(**fields)

    def _file(self, library: Library, fields: dict[str, Any]) -> File:
        content = self._contents / _safe(fields.pop("fingerprint"))
        file = File(**fields, body=Body(content.read_bytes))
        library.keep(file)
        return file


def _state(library: Library, account: Account) -> object:
    return library.moves, account.generation, account.secret


def _safe(fingerprint: str) -> str:
    return fingerprint.replace("+", "-").replace("/", "_")
