"""Guards the installed service: what it does, what it withstands, and what it may not do, on a real systemd."""

import re
import signal
import time
from pathlib import Path

from tests.deb.conftest import Machine, few, film, hashes, many


def test_the_installation_gives_a_running_service_that_answers(machine: Machine) -> None:
    assert machine.property("ActiveState") == "active", machine.journal()
    assert machine.property("NRestarts") == "0"
    assert machine.status()["state"] == "running"
    assert "daemon.ready" in machine.journal()


def test_what_a_member_drops_comes_out_and_the_journal_tells_it(
    machine: Machine, photos: Path
) -> None:
    folder = few(photos, "holiday")
    machine.drop(folder)
    machine.settle()
    assert machine.archived() == hashes(folder)
    assert machine.sh("find /srv/mediad/incoming -type f") == ""
    library = machine.sh(
        "find /srv/mediad/library -type f -name 'holiday*'", user="ada"
    ).splitlines()
    assert len(library) == 5
    assert any(path.startswith("/srv/mediad/library/2021/07/10/") for path in library)
    machine.run("sha256sum", library[0], user="ada")
    assert '"stage":"archive"' in machine.journal(200)


def test_folders_that_a_member_adds_are_emptied_too(machine: Machine, photos: Path) -> None:
    folder = photos / "all"
    few(folder, "added")
    few(folder / "below", "deeper")
    before = machine.archived()
    machine.run("mediactl", "add", machine.inside(folder), user="ada")
    machine.settle()
    assert machine.archived() - before == hashes(folder)
    assert machine.sh("find /srv/mediad/incoming -type f") == ""


def test_members_look_at_the_library_and_change_nothing_in_it(machine: Machine) -> None:
    for folder in ("library", "nas_archive", "processing"):
        assert machine.run("touch", f"/srv/mediad/{folder}/x", user="ada", check=False).returncode
    assert machine.run("ls", "/srv/mediad/library", user="bob", check=False).returncode


def test_the_socket_is_for_members_only(machine: Machine) -> None:
    assert machine.run("mediactl", "status", user="ada").returncode == 0
    turned_away = machine.run("mediactl", "status", user="bob", check=False)
    assert turned_away.returncode == 3
    assert turned_away.stdout == ""
    assert "join the group mediad" in turned_away.stderr


def test_exposure_is_low_and_the_units_are_sound(machine: Machine) -> None:
    assert (
        machine.run(
            "systemd-analyze", "verify", "--man=no", "mediad.service", "mediad.socket"
        ).stderr
        == ""
    )
    machine.run("systemd-analyze", "security", "--offline=true", "--threshold=15", "mediad.service")


def test_nothing_can_be_written_outside_its_folders(machine: Machine) -> None:
    """Asked by a program that runs in the service's own sandbox, before it starts."""
    tried = (
        "/etc",
        "/usr/lib/mediad",
        "/srv",
        "/var/lib",
        "/home",
        "/root",
        "/boot",
        "/run",
        "/proc/sys/vm",
    )
    allowed = ("/srv/mediad/processing", "/var/lib/mediad", "/run/mediad")
    words = " ".join((*tried, *allowed))
    machine.unit(
        "[Service]\nExecStartPre=/bin/sh -c 'for d in "
        f"{words}; do touch $$d/probe 2>/dev/null && echo $$d; done >/var/lib/mediad/probe; true'\n"
    )
    assert machine.sh("cat /var/lib/mediad/probe").split() == list(allowed)
    machine.sh("rm -f /var/lib/mediad/probe /srv/mediad/processing/probe /run/mediad/probe")
    machine.unit("")


def test_children_cannot_speak_for_the_daemon(machine: Machine) -> None:
    environ = machine.sh(
        "for p in $(cat /sys/fs/cgroup/system.slice/mediad.service/cgroup.procs); do"
        " [ $p = $(systemctl show mediad -p MainPID --value) ] || tr '\\0' '\\n' </proc/$p/environ; done"
    )
    assert not re.search("^(NOTIFY_SOCKET|WATCHDOG_|LISTEN_|CREDENTIALS_)", environ, re.MULTILINE)


def test_photos_and_films_are_made_smaller_within_the_sandbox(
    machine: Machine, photos: Path
) -> None:
    """And what decodes them is confined further: it has one filter more than the daemon, which leaves no network."""
    before = machine.status()["bytes"]["renditions"]
    machine.drop(many(photos, "confined", 4))
    machine.drop(film(photos, "confinedfilm"))
    machine.until(
        "d=$(systemctl show mediad -p MainPID --value); p=$(pgrep -u mediad -f adapters.photo_worker | head -1);"
        " f() { awk '/Seccomp_filters/ {print $2}' /proc/$1/status; }; [ $(f $p) -gt $(f $d) ]"
    )
    machine.settle()
    said = machine.sh("for n in confined_00.jpg confinedfilm.mp4; do mediactl explain $n; done")
    assert said.count("library.due -> library.compressed") == 2, said
    assert machine.status()["bytes"]["renditions"] > before


def test_a_secret_given_as_a_credential_reaches_the_daemon_and_no_log(machine: Machine) -> None:
    canary = "c4nary-sings-in-the-dark-and-nobody-hears"
    machine.sh(
        f"install -d -m 700 /etc/credstore; umask 077; echo {canary} >/etc/credstore/mediad.web.token"
    )
    machine.run("systemctl", "restart", "mediad")
    assert re.search(
        r"^web.token +\*\*\* +the credential web.token$",
        machine.sh("mediactl config show"),
        re.MULTILINE,
    )
    machine.run("mediactl", "diag", "/root/diag.tar.gz")
    pid = machine.property("MainPID")
    places = f"/var/lib/mediad /var/log /run/log /proc/{pid}/environ /proc/{pid}/cmdline"
    assert machine.sh(f"grep -rlaF {canary} {places} || true") == ""
    assert machine.sh(f"zcat /root/diag.tar.gz | grep -cF {canary} || true").strip() == "0"
    assert machine.sh(f"journalctl | grep -cF {canary} || true").strip() == "0"
    machine.sh("rm /etc/credstore/mediad.web.token /root/diag.tar.gz; systemctl restart mediad")


def test_the_doctor_finds_the_service_well(machine: Machine) -> None:
    said = machine.sh("mediactl doctor")
    assert re.search("^ok +unit.state: the service is active", said, re.MULTILINE)
    assert re.search("^ok +unit.path: the service may write to /srv/mediad", said, re.MULTILINE)
    assert "fault" not in said


def test_a_folder_that_a_member_closed_is_told_mended_and_taken(
    machine: Machine, photos: Path
) -> None:
    folder, before = few(photos, "closed"), machine.archived()
    machine.run("cp", "-r", machine.inside(folder), "/srv/mediad/incoming/", user="ada")
    machine.until("mediactl errors | grep -q file.denied", 60)
    fixed = machine.sh("mediactl doctor --fix || true")
    assert (
        "/srv/mediad/incoming/closed now has the mode 2770: the group mediad may fill and empty it"
        in fixed
    )
    machine.until("journalctl -t mediactl | grep -q 'incoming/closed now has the mode 2770'")
    machine.run("mediactl", "retry", "--all-held")
    machine.settle()
    assert machine.archived() - before == hashes(folder)


def test_a_good_edit_is_in_force_and_a_bad_one_is_refused_with_its_line(
    machine: Machine, config: Path
) -> None:
    file, pid = config, machine.property("MainPID")
    shipped = file.read_text()
    file.write_text(shipped.replace('#level = "info"', 'level = "debug"'))
    machine.run("systemctl", "reload", "mediad")
    assert "debug" in machine.sh("mediactl config show | grep ^log.level")
    file.write_text(file.read_text().replace("#shutdown_seconds = 25", 'shutdown_seconds = "soon"'))
    assert machine.run("systemctl", "reload", "mediad", check=False).returncode
    assert "mediad.toml:" in machine.journal()
    assert "debug" in machine.sh("mediactl config show | grep ^log.level")
    assert machine.property("ActiveState") == "active"
    file.write_text(shipped)
    machine.run("systemctl", "reload", "mediad")
    assert machine.property("MainPID") == pid


def test_root_changes_a_setting_and_a_member_is_told_so(machine: Machine, config: Path) -> None:
    shipped, ordered = config.read_text(), ("mediactl", "config", "set", "log.level")
    refused = machine.run(*ordered, "debug", user="ada", check=False)
    assert refused.returncode == 1
    assert "remedy: sudo mediactl config set" in refused.stderr
    assert config.read_text() == shipped
    assert "and in force" in machine.run(*ordered, "debug").stdout
    assert "debug" in machine.sh("mediactl config show | grep ^log.level")
    assert machine.run(*ordered, "loud", check=False).returncode == 2
    assert "debug" in machine.sh("mediactl config show | grep ^log.level")
    assert machine.sh("stat -c '%U %a' /etc/mediad/mediad.toml").split() == ["root", "644"]


def test_a_configuration_that_is_wrong_at_the_start_stays_down_and_says_why(
    machine: Machine,
) -> None:
    file = machine.root / "etc/mediad/mediad.toml"
    shipped = file.read_text()
    file.write_text(shipped.replace("#shutdown_seconds = 25", 'shutdown_seconds = "soon"'))
    assert machine.run("systemctl", "restart", "mediad", check=False).returncode
    assert machine.property("ExecMainStatus") == "78"
    assert "shutdown_seconds" in machine.journal()
    # who asks has it tried once more, and is turned away then: no loop
    starts = len(machine.journal(1000).splitlines())
    assert machine.run("mediactl", "status", check=False).returncode == 3
    machine.until("[ $(systemctl show mediad -p ActiveState --value) = failed ]")
    assert len(machine.journal(1000).splitlines()) < starts + 10
    file.write_text(shipped)
    machine.run("systemctl", "restart", "mediad")


def test_a_kill_in_mid_work_is_followed_by_a_restart_and_loses_nothing(
    machine: Machine, photos: Path
) -> None:
    folder, before, pid = many(photos, "killed"), machine.archived(), machine.property("MainPID")
    machine.drop(folder)
    machine.until_busy()
    machine.run("kill", "-9", pid)
    machine.until(
        f"[ $(systemctl show mediad -p MainPID --value) != {pid} ] && systemctl is-active -q mediad"
    )
    machine.settle()
    assert machine.archived() - before == hashes(folder)


def test_a_daemon_that_hangs_is_found_by_the_watchdog_and_says_where_it_stood(
    machine: Machine,
) -> None:
    machine.unit("[Service]\nWatchdogSec=4s\n")
    pid = machine.property("MainPID")
    machine.until(f"journalctl -u mediad _PID={pid} | grep -q daemon.ready")
    machine.run("kill", f"-{signal.SIGSTOP.value}", pid)
    machine.until(
        f"[ $(systemctl show mediad -p MainPID --value) != {pid} ] && systemctl is-active -q mediad",
        60,
    )
    said = machine.journal(200)
    assert "Watchdog timeout" in said
    assert "Fatal Python error: Aborted" in said
    machine.unit("")


def test_the_watchdog_is_fed_while_there_is_nothing_to_do(machine: Machine) -> None:
    machine.unit("[Service]\nWatchdogSec=2s\n")
    pid = machine.property("MainPID")
    machine.sh("sleep 5")  # two and a half periods
    assert machine.property("MainPID") == pid
    machine.unit("")


def test_a_stop_in_mid_work_is_over_within_30_seconds_and_loses_nothing(
    machine: Machine, photos: Path
) -> None:
    folder, before = many(photos, "stopped"), machine.archived()
    machine.drop(folder)
    machine.until_busy()
    began = time.monotonic()
    machine.run("systemctl", "stop", "mediad")
    assert time.monotonic() - began < 30
    assert machine.property("Result") == "success"
    # the socket stays: who asks starts it again
    assert machine.status()["state"] == "running"
    machine.settle()
    assert machine.archived() - before == hashes(folder)


def test_a_reboot_in_mid_work_loses_nothing(machine: Machine, photos: Path) -> None:
    folder, before = many(photos, "rebooted"), machine.archived()
    machine.drop(folder)
    machine.until_busy()
    machine.power_off()
    machine.boot()
    machine.settle()
    assert machine.archived() - before == hashes(folder)


def test_a_power_cut_in_mid_work_loses_nothing(machine: Machine, photos: Path) -> None:
    folder, before = many(photos, "cut"), machine.archived()
    machine.drop(folder)
    machine.until_busy()
    machine.cut_power()
    machine.boot()
    machine.settle()
    assert machine.archived() - before == hashes(folder)
