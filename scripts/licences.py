"""
Under which licence is what the package carries? Asked of the wheels themselves; a word that nobody has looked at stops.

As a program: the stanzas of debian/copyright for the libraries below a folder. It runs in the build of the package,
with Debian's own Python and nothing else.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from email.message import Message
from importlib.metadata import Distribution, PackageMetadata, distributions
from pathlib import Path
from typing import Final, NamedTuple

OURS: Final = "GPL-3.0-or-later"

# What may be passed on together with programs under the GPL 3. Apache-2.0 is why it cannot be the GPL 2.
GOES_WITH_OURS: Final = frozenset({
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "FTL", "GPL-2.0-or-later", "HPND", "IJG",
    "LGPL-3.0-or-later", "MIT", "MIT-0", "MIT-CMU", "MIT-Modern-Variant", "MPL-2.0", "PSF-2.0", "X11", "Zlib",
    "libpng-2.0", "libtiff", OURS,
})  # fmt: skip

# What authors write where an SPDX expression belongs, and what their licence files say.
WORDS: Final = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "MIT/Apache-2.0": "MIT OR Apache-2.0",
}
CLASSES: Final = {"OSI Approved :: MIT License": "MIT"}
# Their metadata say less than, or other things than, the files beside them; read in the version of the lock.
READ: Final = {"fido2": "BSD-2-Clause AND Apache-2.0 AND MPL-2.0"}


class Bundled(NamedTuple):
    """A library in C that auditwheel has put beside a wheel."""

    licence: str
    source: str


BUNDLED: Final = {
    "libXau": Bundled("MIT", "https://gitlab.freedesktop.org/xorg/lib/libxau"),
    "libavif": Bundled("BSD-2-Clause", "https://github.com/AOMediaCodec/libavif"),
    "libbrotlicommon": Bundled("MIT", "https://github.com/google/brotli"),
    "libbrotlidec": Bundled("MIT", "https://github.com/google/brotli"),
    "libde265": Bundled("LGPL-3.0-or-later", "https://github.com/strukturag/libde265"),
    "libfreetype": Bundled(
        "FTL OR GPL-2.0-or-later", "https://gitlab.freedesktop.org/freetype/freetype"
    ),
    "libharfbuzz": Bundled("MIT-Modern-Variant", "https://github.com/harfbuzz/harfbuzz"),
    "libheif": Bundled("LGPL-3.0-or-later", "https://github.com/strukturag/libheif"),
    "libjpeg": Bundled(
        "IJG AND BSD-3-Clause AND Zlib", "https://github.com/libjpeg-turbo/libjpeg-turbo"
    ),
    "liblcms2": Bundled("MIT", "https://github.com/mm2/Little-CMS"),
    "liblzma": Bundled("0BSD", "https://github.com/tukaani-project/xz"),
    "libopenjp2": Bundled("BSD-2-Clause", "https://github.com/uclouvain/openjpeg"),
    "libpng16": Bundled("libpng-2.0", "https://github.com/pnggroup/libpng"),
    "libsharpyuv": Bundled("BSD-3-Clause", "https://chromium.googlesource.com/webm/libwebp"),
    "libtiff": Bundled("libtiff", "https://gitlab.com/libtiff/libtiff"),
    "libwebp": Bundled("BSD-3-Clause", "https://chromium.googlesource.com/webm/libwebp"),
    "libwebpdemux": Bundled("BSD-3-Clause", "https://chromium.googlesource.com/webm/libwebp"),
    "libwebpmux": Bundled("BSD-3-Clause", "https://chromium.googlesource.com/webm/libwebp"),
    "libx265": Bundled("GPL-2.0-or-later", "https://bitbucket.org/multicoreware/x265_git"),
    "libxcb": Bundled("X11", "https://gitlab.freedesktop.org/xorg/lib/libxcb"),
    "libzstd": Bundled("BSD-3-Clause OR GPL-2.0-only", "https://github.com/facebook/zstd"),
}


def licence_of(about: PackageMetadata | Message) -> str:
    """As an SPDX expression that goes with ours."""
    said = _said(about, "License-Expression") or _said(about, "License")
    classes = [c.removeprefix("License :: ") for c in about.get_all("Classifier") or []]
    classed = next(filter(None, map(CLASSES.get, classes)), "")
    found = READ.get(about["Name"]) or WORDS.get(said, said) or classed
    return _fit(found, about["Name"])


def _said(about: PackageMetadata | Message, key: str) -> str:
    """The first of that name; empty where there is none."""
    found = about.get_all(key)
    return str(found[0]) if found else ""


def bundled(library: str) -> Bundled:
    """What is known of a file such as libheif-e72ea93c.so.1.23.6."""
    stem = library.partition("-")[0]
    if stem not in BUNDLED:
        raise SystemExit(f"nobody has looked at the licence of {library}: see scripts/licences.py")
    return BUNDLED[stem]._replace(licence=_fit(BUNDLED[stem].licence, library))


def _fit(expression: str, name: str) -> str:
    """Each alternative may be chosen, each part must be kept to; so one of the former, and all of the latter."""
    for part in expression.split(" AND "):
        if not GOES_WITH_OURS.intersection(part.strip("() ").split(" OR ")):
            raise SystemExit(
                f"nobody has looked at the licence {expression!r} of {name}: see scripts/licences.py"
            )
    return expression


def stanzas(libraries: Iterable[Distribution], files: Iterable[str]) -> Iterator[str]:
    """Of debian/copyright: one a library, one a bundled library, and one a licence."""
    used: set[str] = set()
    for library in sorted(libraries, key=lambda d: d.metadata["Name"].lower()):
        licence = licence_of(library.metadata)
        used.add(licence)
        name = f"{library.metadata['Name']} {library.version}"
        yield _stanza(f"{_folder(library)}*", _holders(library), licence, name)
    for file in sorted(files):
        known = bundled(file)
        used.add(known.licence)
        yield _stanza(
            f"*/{file}", ["its authors, named there"], known.licence, f"Source: {known.source}"
        )
    for licence in sorted(used):
        yield f"License: {licence}\n{_where(licence)}"


def _folder(library: Distribution) -> str:
    """The name under which its files lie."""
    names = {
        p.parts[0]
        for p in library.files or ()
        if p.suffix == ".py" and not p.parts[0].startswith(".")
    }
    return f"*/{min(names, default=library.metadata['Name'])}"


def _stanza(files: str, holders: list[str], licence: str, comment: str) -> str:
    copyright_ = "\n  ".join(holders)
    return f"Files: {files}\nCopyright: {copyright_}\nLicense: {licence}\nComment: {comment}\n"


def _holders(library: Distribution) -> list[str]:
    """Whoever it names as its author, and the lines of its licence files that name more."""
    texts = [
        p.read_text()
        for p in library.files or ()
        if re.search(r"\.dist-info/.*(LICEN[CS]E|COPYING|NOTICE)", str(p), re.IGNORECASE)
        and Path(p.locate()).exists()
    ]
    lines = [re.sub(r"\s+", " ", found) for text in texts for found in _HOLDER.findall(text)]
    about = library.metadata
    said = (_said(about, key) for key in ("Author", "Author-email", "Maintainer-email"))
    author = next(filter(None, said), "")
    return list(dict.fromkeys([author or f"the authors of {about['Name']}", *lines]))


_HOLDER: Final = re.compile(
    r"^\W{0,4}Copyright (?:\(c\) |© |:: )?(\d{4}.{3,80})$", re.IGNORECASE | re.MULTILINE
)
_ON_DEBIAN: Final[Mapping[str, str]] = {
    "Apache-2.0": "Apache-2.0", "CC0-1.0": "CC0-1.0", "GPL-2.0-or-later": "GPL-2", "LGPL-3.0-or-later": "LGPL-3",
    "MPL-2.0": "MPL-2.0",
}  # fmt: skip


def _where(expression: str) -> str:
    told = [
        f" On Debian systems the text of {name} is in /usr/share/common-licenses/{file}.\n"
        for name, file in _ON_DEBIAN.items()
        if re.search(rf"(^|[ (]){re.escape(name)}($|[ )])", expression)
    ]
    beside = " The text lies beside each such library, in its *.dist-info folder.\n"
    return "".join([*told, beside])


if __name__ == "__main__":
    site = Path(sys.argv[1])
    found = distributions(path=[str(site)])
    sys.stdout.write("\n" + "\n".join(stanzas(found, [p.name for p in site.glob("*.libs/*.so*")])))
