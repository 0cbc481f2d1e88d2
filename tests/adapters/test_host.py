"""Guards the doctor's look at the machine: it finds what would go wrong, says the cure, and never hangs itself."""

import os
import threading
from pathlib import Path

import pytest

from mediad.adapters import host
from mediad.adapters.host import Finding, check_host, make_hand_over_folders
from mediad.config import Settings
from tests.adapters.poisoned import poisoned


def about(found: list[Finding], code: str) -> list[Finding]:
    return [f for f in found if f.code == code]


async def test_a_fit_machine_is_told_so_and_every_other_finding_has_a_remedy(
    tmp_path: Path,
) -> None:
    found = await check_host(Settings(root=tmp_path))
    codes = {f.code for f in found}
    assert {"host.python", "host.program", "host.decoder", "host.socket", "host.clock"} <= codes
    assert all(f.remedy for f in found if f.level != "ok")
    assert all(f.ok for f in about(found, "host.python") + about(found, "host.clock"))


async def test_a_missing_program_says_what_it_costs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = {
        f.message.split()[0]: f
        for f in about(await check_host(Settings(root=tmp_path)), "host.program")
    }
    assert found["exiftool"].level == "warning"
    assert found["setpriv"].level == "fault"
    assert found["setpriv"].remedy == "apt install util-linux"


async def test_decoders_with_a_way_to_the_network_are_a_warning(tmp_path: Path) -> None:
    found = await check_host(Settings(root=tmp_path), confined=lambda: False)
    [warning] = about(found, "host.confined")
    assert warning.level == "warning"
    assert "could reach the network" in warning.message


async def test_a_chip_that_is_asked_for_and_missing_is_a_warning_with_the_reason(
    tmp_path: Path,
) -> None:
    wanted = {"root": tmp_path, "compress": {"video": {"hardware": "v4l2m2m", "codec": "av1"}}}
    found = about(await check_host(Settings.model_validate(wanted)), "host.video_hardware")
    assert [finding.level for finding in found] == ["warning"]
    assert "no av1_v4l2m2m" in found[0].message
    assert about(await check_host(Settings(root=tmp_path)), "host.video_hardware") == []


@pytest.mark.parametrize(("has", "level"), [("libvmaf", "ok"), ("other", "warning")])
async def test_a_target_for_films_that_ffmpeg_cannot_measure_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has: str, level: str
) -> None:
    poisoned(
        tmp_path / "bin",
        monkeypatch,
        f"if argv[-1] == '-filters': print(' .. {has} VV->V x'); sys.exit(0)",
    )
    wanted = {"root": tmp_path, "compress": {"video": {"heavy_target": 93}}}
    [found] = about(await check_host(Settings.model_validate(wanted)), "host.video_metric")
    assert found.level == level
    assert about(await check_host(Settings(root=tmp_path)), "host.video_metric") == []


async def test_few_watches_are_a_warning_with_the_cure(tmp_path: Path) -> None:
    limit = tmp_path / "max_user_watches"
    limit.write_text("100\n")
    (finding,) = about(await check_host(Settings(root=tmp_path), inotify=limit), "host.inotify")
    assert finding.level == "warning"
    assert "sysctl" in finding.remedy


async def test_a_path_too_long_for_a_socket_is_found_before_mediactl_fails(tmp_path: Path) -> None:
    (finding,) = about(await check_host(Settings(root=tmp_path / ("x" * 120))), "host.socket")
    assert not finding.ok


async def test_folders_that_are_one_by_a_link_are_found(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path)
    settings.folders.incoming.mkdir()
    settings.folders.library.symlink_to(settings.folders.incoming)
    (finding,) = about(await check_host(settings), "host.folders_linked")
    assert "folders.incoming leads through a link into folders.library" in finding.message


async def test_a_clock_before_the_last_entry_of_the_journal_is_wrong(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path)
    settings.folders.state.mkdir()
    settings.journal_path.touch()
    os.utime(settings.journal_path, (4_000_000_000, 4_000_000_000))
    (finding,) = about(await check_host(settings), "host.clock")
    assert not finding.ok


async def test_a_folder_that_hangs_costs_patience_and_never_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(root=tmp_path)
    released = threading.Event()

    class Hung(type(tmp_path)):  # type: ignore[misc]  # the concrete Path of this system
        def exists(self, **_: bool) -> bool:
            return released.wait(20)

    folders = settings.folders.model_copy(update={"nas_archive": Hung(tmp_path / "nas")})
    monkeypatch.setattr(host, "PATIENCE_S", 0.05)
    try:
        found = await check_host(settings.model_copy(update={"folders": folders}))
    finally:
        released.set()
    (finding,) = about(found, "host.folder_hangs")
    assert "nas_archive" in finding.message
    assert about(found, "host.socket")


def test_hand_over_folders_are_made_below_the_root_and_never_where_a_mount_may_be(
    tmp_path: Path,
) -> None:
    elsewhere = tmp_path / "mnt" / "delete"
    settings = Settings.model_validate(
        {"root": tmp_path / "root", "folders": {"icloud_delete": elsewhere}}
    )
    make_hand_over_folders(settings)
    assert {p.name for p in (tmp_path / "root" / "bridge").iterdir()} == {"icloud", "pixel"}
    assert not elsewhere.exists()
