"""
`make release`: the package for Debian, the wheel, the source archive, what is in them (CycloneDX) and all their hashes.

Two releases of one tree are the same to the last bit: every time in them is the changelog's, and nothing else of the
machine goes in. The wheels are those that `make deb` has fetched and proved by requirements.lock.
"""

import email
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement

from mediad import __version__
from scripts import licences

REPO: Final = Path(__file__).resolve().parents[1]
WHEELS: Final = REPO / "build/wheels"
TREE: Final = (
    "mediad", "packaging", "etc", "docs", "scripts", "tests", "contrib", "pyproject.toml", "MANIFEST.in",
    "README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "requirements.lock",
    "requirements-dev.lock",
)  # fmt: skip
BUILD: Final = """
import sys
from setuptools import build_meta
out = sys.argv[1]  # setuptools puts its own words there
build_meta.build_wheel(out)
build_meta.build_sdist(out)
"""


def main() -> int:
    out = Path(sys.argv[1] if len(sys.argv) > 1 else REPO / "dist").absolute()
    out.mkdir(parents=True, exist_ok=True)
    packages(out, date())
    (out / f"mediad-{__version__}.cdx.json").write_text(
        json.dumps(contents(WHEELS), indent=1) + "\n"
    )
    released = sorted(p for p in out.iterdir() if p.name != "SHA256SUMS")
    sums = "".join(f"{sha256(p)}  {p.name}\n" for p in released)
    (out / "SHA256SUMS").write_text(sums)
    print(sums, end="")
    return 0


def date() -> int:
    """Of the changelog's last entry, as the Debian package has it."""
    changelog = str(REPO / "packaging/debian/changelog")
    asked = ["dpkg-parsechangelog", "-l", changelog, "-S", "Timestamp"]
    return int(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)


def packages(out: Path, epoch: int) -> None:
    """The wheel and the source archive, built in a copy: setuptools leaves things where it works."""
    with tempfile.TemporaryDirectory() as work:
        tree, made = Path(work) / "tree", Path(work) / "made"
        made.mkdir()
        for name in TREE:
            if (REPO / name).is_dir():
                shutil.copytree(
                    REPO / name, tree / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
                )
            else:
                shutil.copy2(REPO / name, tree / name)
        environ = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "SOURCE_DATE_EPOCH": str(epoch)}
        subprocess.run(
            [sys.executable, "-c", BUILD, made],
            cwd=tree,
            env=environ,
            check=True,
            capture_output=True,
        )
        [wheel], [source] = made.glob("*.whl"), made.glob("*.tar.gz")
        (out / wheel.name).write_bytes(plain_zip(wheel, epoch))
        (out / source.name).write_bytes(plain_tar(source, epoch))


def plain_tar(file: Path, epoch: int) -> bytes:
    """The same files in the order of their names, with one time, no owner, and the mode that matters."""
    raw = io.BytesIO()
    with (
        tarfile.open(file) as old,
        tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for entry in sorted((e for e in old if e.isfile()), key=lambda e: e.name):
            plain = tarfile.TarInfo(entry.name)
            plain.size, plain.mtime = entry.size, epoch
            plain.mode = 0o755 if entry.mode & 0o100 else 0o644
            new.addfile(plain, old.extractfile(entry))
    return gzip.compress(raw.getvalue(), mtime=epoch)


def plain_zip(file: Path, epoch: int) -> bytes:
    """Likewise for a wheel; its RECORD knows the files by their hashes, which stay."""
    year, month, day, hour, minute, second, *_ = time.gmtime(epoch)
    moment = (year, month, day, hour, minute, second)
    raw = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as new:
        for name in sorted(old.namelist(), key=lambda n: (".dist-info/" in n, n)):
            entry = zipfile.ZipInfo(name, moment)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o100644 << 16
            new.writestr(entry, old.read(name))
    return raw.getvalue()


# --- what is in it


def contents(wheels: Path) -> dict[str, Any]:
    """CycloneDX 1.5: every library that the package carries, with the hash of the wheel that it is."""
    components = [component(wheel) for wheel in carried(wheels)]
    whole = hashlib.sha256(json.dumps(components).encode()).hexdigest()
    me = f"pkg:deb/debian/mediad@{__version__}"
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{me}#{whole}')}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": me,
                "name": "mediad",
                "version": __version__,
                "purl": me,
                "licenses": [{"license": {"id": licences.OURS}}],
            }
        },
        "components": components,
        "dependencies": [{"ref": me, "dependsOn": [c["bom-ref"] for c in components]}],
    }


def carried(wheels: Path) -> Iterator[Path]:
    """The wheel of each library that the lock names for a machine like this one."""
    found = {tuple(_plain(word) for word in p.name.split("-")[:2]): p for p in wheels.glob("*.whl")}
    for wanted in sorted(locked(), key=lambda r: _plain(r.name)):
        [version] = (pin.version for pin in wanted.specifier)
        yield found[_plain(wanted.name), _plain(version)]


def locked() -> Iterator[Requirement]:
    for line in (REPO / "requirements.lock").read_text().splitlines():
        if line and not line.startswith((" ", "#")):
            wanted = Requirement(line.rstrip("\\ "))
            # setuptools is for those who build mediad
            if wanted.name != "setuptools" and (not wanted.marker or wanted.marker.evaluate()):
                yield wanted


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def component(wheel: Path) -> dict[str, Any]:
    with zipfile.ZipFile(wheel) as archive:
        [about] = [n for n in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n)]
        told = email.message_from_bytes(archive.read(about))
        bundled = sorted(
            Path(n).name for n in archive.namelist() if re.match(r"[^/]+\.libs/[^/]+\.so", n)
        )
    name, version = _plain(str(told["Name"])), str(told["Version"])
    purl = f"pkg:pypi/{name}@{version}"
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "hashes": [{"alg": "SHA-256", "content": sha256(wheel)}],
        "licenses": [{"expression": licences.licence_of(told)}],
    }
    if bundled:
        found["components"] = [
            {
                "type": "file",
                "name": library,
                "licenses": [{"expression": licences.bundled(library).licence}],
            }
            for library in bundled
        ]
    return found


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
