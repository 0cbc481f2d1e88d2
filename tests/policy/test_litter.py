"""Guards what is never taken for a photograph, and that nothing else is passed over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediad.policy.litter import litter

LITTER = {
    "ours": [".mediad-12.part", ".mediad-site"],
    "syncthing": [".syncthing.IMG_1.HEIC.tmp", "~syncthing~IMG_1.HEIC.tmp", ".stversions", ".stfolder", ".stignore"],
    "macos": ["._IMG_1.HEIC", ".DS_Store", ".Trashes", "Icon\r"],
    "windows": ["Thumbs.db", "THUMBS.DB", "desktop.ini", "ehthumbs.db"],
    "office": ["~$letter.docx"],
    "nfs": [".nfs000000000000a1b2"],
    "smb": [".smbdeleteAAA1"],
    "rsync": [".IMG_1.HEIC.a8Xk2Q"],
    "partial": ["a.part", "a.PARTIAL", "a.crdownload", "a.download", "a.tmp", "a.temp", "a.filepart"],
    "dotfile": [".hidden", ".bashrc", "..", ".\udcff"],
}  # fmt: skip
TAKEN = [
    "IMG_1.HEIC", "IMG_1.HEIC.xmp", "part", "tmp.jpg", "a.part.jpg", "~tilde.jpg", "$price.jpg", "desktop.ini.jpg",
    "Thumbs.db.png", "nfs.jpg", "\udcff.jpg", "a\nb.jpg", "-rf.jpg", "@eaDir", "lost+found",
]  # fmt: skip


@pytest.mark.parametrize(("reason", "name"), [(r, n) for r, names in LITTER.items() for n in names])
def test_litter_is_passed_over_with_its_reason(reason: str, name: str) -> None:
    assert litter(name) == reason


@pytest.mark.parametrize("name", TAKEN)
def test_everything_else_is_taken(name: str) -> None:
    assert litter(name) == ""


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("@eaDir", "nas-index"),
        ("@EADIR", "nas-index"),
        ("#recycle", "recycle-bin"),
        (".stversions", "syncthing"),
        (".icloud", "icloud"),
        ("lost+found", "file-system"),
        (".git", "dotfile"),
        ("Holiday", ""),
        ("holiday.tmp", "partial"),
    ],
)
def test_some_folders_are_not_entered(name: str, reason: str) -> None:
    assert litter(name, is_folder=True) == reason


@given(st.from_regex(r"[A-Za-z0-9_ ]{1,20}\.(jpg|HEIC|mov|png|AAE)", fullmatch=True))
def test_a_plain_media_name_is_never_litter(name: str) -> None:
    assert litter(name) == ""
