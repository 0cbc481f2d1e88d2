"""What lies about in a drop folder and is nobody's photograph: temporary names, indexes, other programs' traces."""

import re
from collections.abc import Mapping
from typing import Final

_FOLDERS: Final[Mapping[str, str]] = {
    "@eadir": "nas-index",
    "#recycle": "recycle-bin",
    "$recycle.bin": "recycle-bin",
    "system volume information": "windows",
    "lost+found": "file-system",
    "__macosx": "macos",
}

# The first that fits names the reason; the order matters only for the word. Names are casefolded.
_NAMES: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern, re.DOTALL), reason)
    for pattern, reason in (
        (r"\.mediad-.*", "ours"),
        (r"\.syncthing\..*\.tmp|~syncthing~.*", "syncthing"),
        (r"\.stversions|\.stfolder.*|\.stignore", "syncthing"),
        (r"\._.*|\.ds_store|\.trashes|\.appledouble|icon\r", "macos"),
        (r"thumbs\.db|desktop\.ini|ehthumbs\.db", "windows"),
        (r"~\$.*", "office"),
        (r"\.nfs.*", "nfs"),
        (r"\.smbdelete.*", "smb"),
        (r"\..+\.[a-z0-9]{6}", "rsync"),
        (r".*\.(part|partial|crdownload|download|tmp|temp|filepart)", "partial"),
        (r"\..*", "dotfile"),
    )
)


def litter(name: str, *, is_folder: bool = False) -> str:
    """Why this name is never taken, as one word; "" when it may be taken. Foreign bytes come as surrogates."""
    folded = name.casefold()
    if is_folder and folded in _FOLDERS:
        return _FOLDERS[folded]
    if is_folder and folded == ".icloud":
        return "icloud"  # the download folder: its own source knows when a file there is whole
    return next((reason for pattern, reason in _NAMES if pattern.fullmatch(folded)), "")
