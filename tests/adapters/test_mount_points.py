"""Guards that a mount is found where it is, and that what fstab wants is read as mount(8) reads it."""

from pathlib import Path

from mediad.adapters.mount_points import TOP, fstab_points, is_listed, mount_of
from tests.adapters.folders import mounted


def test_the_nearest_mount_is_found_at_or_above_a_path(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    outside = mount_of(disk / "photos")
    assert tmp_path.is_relative_to(outside)
    assert mount_of(TOP) == TOP
    with mounted(disk):
        assert mount_of(disk) == mount_of(disk / "photos/2024") == disk
        assert is_listed(disk)
    assert mount_of(disk / "photos") == outside
    assert not is_listed(disk)


def test_fstab_is_read_with_its_escapes_and_without_what_is_no_mount_point(tmp_path: Path) -> None:
    fstab = tmp_path / "fstab"
    assert list(fstab_points(fstab)) == []
    fstab.write_text(
        "# disks\n\nUUID=1 / ext4 defaults 0 1\n/swap none swap sw 0 0\n"
        "server:/x /mnt/my\\040nas nfs defaults 0 0\nlonely\n"
    )
    assert list(fstab_points(fstab)) == [Path("/mnt/my nas")]
