"""Guards `doctor --fix`: it puts right what is mediad's own, tells each thing, and touches nothing else."""

import grp
import os
import stat
from pathlib import Path

import pytest

from mediad.config import Settings
from mediad.service.mending import mend

OURS = grp.getgrgid(os.getegid()).gr_name


def settings(root: Path, **more: object) -> Settings:
    return Settings.model_validate({"root": root, **more})


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def fixes(told: Settings, file: Path | None = None) -> list[str]:
    found = mend(told, file, group=OURS)
    assert {f["code"] for f in found} <= {"fixed.done"}
    return [f["message"] for f in found]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """All is well here."""
    assert len(fixes(settings(tmp_path / "photos"))) > 9
    fixes(settings(tmp_path / "photos"))
    assert fixes(settings(tmp_path / "photos")) == []
    return tmp_path / "photos"


def test_missing_folders_are_made_and_told_by_their_names(root: Path) -> None:
    (root / "quarantine").rmdir()
    assert fixes(settings(root)) == [f"made {root}/quarantine (folders.quarantine)"]
    assert (root / "quarantine").is_dir()


def test_a_folder_that_was_moved_elsewhere_is_not_made(root: Path, tmp_path: Path) -> None:
    away = tmp_path / "nas" / "photos"
    assert fixes(settings(root, folders={"nas_archive": away})) == []
    assert not away.exists()


def test_a_folder_that_mediad_cannot_use_is_opened_to_it(root: Path) -> None:
    (root / "library").chmod(0o050)
    assert fixes(settings(root)) == [f"{root}/library now has the mode 750: mediad may use it"]


def test_what_a_member_made_in_the_drop_folder_can_be_emptied_again(root: Path) -> None:
    deep = root / "incoming" / "holiday" / "evening"
    deep.mkdir(parents=True)
    deep.parent.chmod(0o755)
    deep.chmod(0o700)
    (deep / "a.jpg").write_bytes(b"photo")
    (deep / "a.jpg").chmod(0o600)
    told = fixes(settings(root))
    assert [t.split()[0] for t in told] == [str(deep.parent), str(deep)]
    assert (mode(deep.parent), mode(deep), mode(deep / "a.jpg")) == (0o2775, 0o2770, 0o600)


def test_folders_of_another_group_are_left_as_they_are(root: Path) -> None:
    (root / "incoming" / "holiday").mkdir(mode=0o755)
    assert mend(settings(root), None, group="no-such-group") == []
    assert mode(root / "incoming" / "holiday") == 0o755 | (mode(root / "incoming") & 0o2000)


def test_links_are_not_followed(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o700)
    (root / "incoming" / "link").symlink_to(outside)
    (root / "library").rmdir()
    (root / "library").symlink_to(outside)
    assert fixes(settings(root)) == []
    assert mode(outside) == 0o700


def test_others_lose_sight_of_the_journal_and_of_secrets_but_not_of_a_file_without_any(
    root: Path,
) -> None:
    (root / "state").chmod(0o755)
    file = root.parent / "mediad.toml"
    file.write_text("")
    file.chmod(0o644)
    assert fixes(settings(root), file) == [
        f"{root}/state now has the mode 750: others see nothing of the journal"
    ]
    told = settings(root, web={"token": "canary-canary-canary-canary"})
    assert fixes(told, file) == [
        f"{file} now has the mode 640: others cannot read the secrets in it"
    ]


def test_what_cannot_be_put_right_is_told_with_a_remedy(root: Path) -> None:
    (root / "bridge").rmdir()
    (root / "bridge").write_text("in the way")
    below = settings(root, folders={"duplicates": root / "bridge" / "duplicates"})
    [fault] = [f for f in mend(below, None) if f["level"] == "fault"]
    assert fault["code"] == "fixed.not"
    assert "it is as it was" in fault["message"]
    assert fault["remedy"]
