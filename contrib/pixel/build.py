#!/usr/bin/env python3
"""Packs module/ as the zip that Magisk installs: the same files make the same bytes, on every machine and day."""

import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXTRA = (HERE / "README.md",)
SCRIPTS = {".sh", ""}
EPOCH = (1980, 1, 1, 0, 0, 0)


def entries() -> list[tuple[str, Path]]:
    """Names in the zip with the files they come from, in a fixed order."""
    module = HERE / "module"
    inside = [(p.relative_to(module).as_posix(), p) for p in module.rglob("*") if p.is_file()]
    return sorted(inside + [(p.name, p) for p in EXTRA])


def build(target: Path) -> None:
    """Write the zip. Stored, not deflated: another zlib would make other bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as package:
        for name, path in entries():
            card = zipfile.ZipInfo(name, EPOCH)
            card.create_system = 3  # UNIX, wherever it is built
            mode = 0o755 if path.suffix in SCRIPTS else 0o644
            card.external_attr = (0o100000 | mode) << 16
            package.writestr(card, path.read_bytes())


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "dist" / "mediad-phone.zip")
