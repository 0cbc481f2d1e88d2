"""
What can be typed. A table of commands; only the one that was typed gets its parser, the rest is for --help.

The order of this table is the order of `mediactl --help`.
"""

import argparse
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

from mediad.mediactl.parser_outside import batches, google, icloud, selftest, syncthing, why_not
from mediad.mediactl.parser_person import audit, dates, undo
from mediad.mediactl.parser_words import count, everywhere, sub_action

Setup: TypeAlias = Callable[[argparse.ArgumentParser], None]


class Command(NamedTuple):
    what: str
    example: str
    run: str  # module:function below mediad.mediactl, imported when it is called
    setup: Setup | None = None


def _status(p: argparse.ArgumentParser) -> None:
    p.add_argument("--watch", action="store_true", help="stay, and show what moves")


def _list(p: argparse.ArgumentParser) -> None:
    p.add_argument("--stage", metavar="S", help="only those that stand before this stage")
    p.add_argument(
        "--state",
        metavar="X",
        help="active, completed, failed, held, duplicate, quarantined, or archive.due …",
    )
    p.add_argument(
        "--since",
        metavar="T",
        help="first seen at or after this time: 2026-01-15, 2026-01-15T14:30:00Z",
    )
    p.add_argument(
        "--near", action="store_true", help="instead: pairs of photos that look the same"
    )
    p.add_argument("--limit", type=count, metavar="N", help="at most so many")


def _explain(p: argparse.ArgumentParser) -> None:
    p.add_argument("what", metavar="PATH|ID|HASH|NAME")
    p.add_argument(
        "--as-of", metavar="TIME", help="as it was known then: 2026-01-15, 2026-01-15T14:30:00Z"
    )


def _wait(p: argparse.ArgumentParser) -> None:
    p.add_argument("what", metavar="PATH|ID", nargs="?", help="one asset; left out: everything")
    p.add_argument(
        "--idle", action="store_true", help="until nothing is left to do (also without it)"
    )
    p.add_argument(
        "--timeout", type=_seconds, metavar="S", help="give up after so many seconds (exit code 4)"
    )


def _add(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "paths", metavar="PATH", nargs="+", help="files, or folders with everything below"
    )


def _recover(p: argparse.ArgumentParser) -> None:
    p.add_argument("what", metavar="PATH|ID|HASH|NAME", help="which asset")
    p.add_argument("--to", metavar="DIR", required=True, help="the folder to put its originals in")


def _retry(p: argparse.ArgumentParser) -> None:
    p.add_argument("ids", metavar="ID", nargs="*", type=count)
    p.add_argument("--all-failed", action="store_true", help="everything that was given up")
    p.add_argument("--all-held", action="store_true", help="everything that waits for a person")


def _skip(p: argparse.ArgumentParser) -> None:
    p.add_argument("id", metavar="ID", type=count)
    p.add_argument("--stage", metavar="S", required=True, help="the stage to pass")
    p.add_argument("--why", metavar="TEXT", required=True, help="kept in the history")


def _stage(p: argparse.ArgumentParser) -> None:
    p.add_argument("stage", metavar="STAGE", nargs="?", help="left out: all of them")


def _run(p: argparse.ArgumentParser) -> None:
    p.add_argument("--stages", metavar="A,B", help="only these, paused or not")
    p.add_argument("--from", dest="begin", metavar="A", help="from this stage on")
    p.add_argument("--to", dest="end", metavar="B", help="up to this stage")
    p.add_argument(
        "--dry-run", action="store_true", help="say what would be done, and change nothing"
    )
    p.add_argument("--interactive", action="store_true", help="ask before each stage")


def _verify(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "--site",
        metavar="S",
        help="archive, library, spool, duplicates or quarantine; left out: all",
    )
    p.add_argument(
        "--sample",
        type=_percent,
        default=100.0,
        metavar="N%",
        help="so many per cent of the copies",
    )


def _export(p: argparse.ArgumentParser) -> None:
    p.add_argument("file", metavar="FILE", nargs="?", help="a new file; left out: standard output")
    p.add_argument(
        "--format", choices=("sha256", "b3"), default="sha256",
        help="sha256 reads every file; b3 comes straight from the journal",
    )  # fmt: skip
    p.add_argument("--site", choices=("archive", "library"), default="archive")


def _config(p: argparse.ArgumentParser) -> None:
    actions = p.add_subparsers(dest="action", required=True, metavar="show|check|set|setup")
    show = sub_action(actions, "show", "every value, and where it came from", "config show")
    check = sub_action(
        actions, "check", "name every fault of a file (needs no daemon)", "config check mediad.toml"
    )
    check.add_argument("file", metavar="FILE", nargs="?")
    change = sub_action(
        actions,
        "set",
        "change one value in the file and take it into force",
        "config set ingest.settle_seconds 10",
    )
    change.add_argument("key", metavar="KEY")
    change.add_argument(
        "value", metavar="VALUE", help="- reads it from standard input, as a secret must be"
    )
    setup = sub_action(
        actions,
        "setup",
        "write a first file (needs no daemon)",
        "--root ~/photos config setup --yes",
    )
    setup.add_argument("file", metavar="FILE", nargs="?")
    setup.add_argument("--archive", metavar="DIR", help="where the NAS is mounted")
    setup.add_argument("--yes", action="store_true", help="ask nothing, take the defaults")
    for action in (check, setup):
        action.add_argument("--config", metavar="FILE", help="the same as FILE")
    for action in (show, check, change, setup):
        everywhere(action)


def _doctor(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "--config", metavar="FILE", help="where no daemon answers: the configuration to look at"
    )
    p.add_argument(
        "--fix", action="store_true", help="first put right folders and permissions of mediad's own"
    )


def _diag(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "file", metavar="FILE", nargs="?", help="a new file; left out: one in this folder"
    )
    p.add_argument("--config", metavar="FILE", help="the configuration to read the secrets from")


def _backup(p: argparse.ArgumentParser) -> None:
    p.add_argument("file", metavar="FILE", nargs="?", help="a new file; left out: in state/backups")


def _restore(p: argparse.ArgumentParser) -> None:
    p.add_argument("file", metavar="FILE")
    p.add_argument("--config", metavar="FILE", help="the configuration that names the state folder")


def _logs(p: argparse.ArgumentParser) -> None:
    p.add_argument("-f", "--follow", action="store_true", help="stay, and show what is added")
    p.add_argument("--level", choices=("debug", "info", "warning", "error"), default="info")
    p.add_argument("--lines", type=count, default=100, metavar="N", help="the last so many")


def _nas(p: argparse.ArgumentParser) -> None:
    actions = p.add_subparsers(dest="action", required=True, metavar="init")
    init = sub_action(
        actions,
        "init",
        "make a folder the archive: tree, README and marker",
        "nas init /mnt/nas/photos",
    )
    init.add_argument("path", metavar="PATH")
    init.add_argument("--force", action="store_true", help="even on the system's own disk")
    everywhere(init)


def _runs(p: argparse.ArgumentParser) -> None:
    p.add_argument("--limit", type=count, default=20, metavar="N")


COMMANDS: Final = {
    "status": Command("the whole picture", "mediactl status --watch", "asking:status", _status),
    "list": Command("assets, a line each", "mediactl list --state failed --limit 20", "asking:asset_list", _list),
    "explain": Command("one asset's whole story", "mediactl explain IMG_0001.HEIC", "asking:explain", _explain),
    "wait": Command(
        "return when nothing is left to do", "mediactl wait --idle --timeout 600",
        "ordering:wait", _wait
    ),
    "add": Command("copy files in", "mediactl add ~/Pictures/holiday", "adding:add", _add),
    "recover": Command(
        "put an asset's originals back as files", "mediactl recover IMG_1234.HEIC --to ~/found",
        "recovering:recover", _recover
    ),
    "retry": Command("try again what failed or is held", "mediactl retry --all-failed", "ordering:retry", _retry),
    "skip": Command(
        "pass a stage by hand", 'mediactl skip 12 --stage compress --why "fine as it is"',
        "ordering:skip", _skip
    ),
    "pause": Command("start nothing new", "mediactl pause compress", "ordering:pause", _stage),
    "resume": Command("work again", "mediactl resume", "ordering:pause", _stage),
    "run": Command(
        "look for arrivals and work now", "mediactl run --from settle --to archive --dry-run",
        "ordering:run", _run
    ),
    "errors": Command("what went wrong, grouped by code", "mediactl errors", "asking:errors"),
    "runs": Command("the last run orders", "mediactl runs --limit 5", "asking:runs", _runs),
    "batches": Command(
        "batches on their way to the phone", "mediactl batches refresh 12", "phone:batches", batches
    ),
    "syncthing": Command(
        "how the link to the phone stands, and its set-up", "mediactl syncthing setup --probe",
        "phone:syncthing", syncthing
    ),
    "google": Command(
        "what Google Photos is known to have", "mediactl google import ~/Downloads/Takeout",
        "google:google", google
    ),
    "icloud": Command(
        "sign in to iCloud, how it stands, and what is missing", "mediactl icloud login", "icloud:icloud", icloud
    ),
    "why-not": Command(
        "what keeps a photo from being deleted in iCloud", "mediactl why-not delete IMG_0001.HEIC",
        "icloud:why_not", why_not
    ),
    "selftest": Command(
        "try every part with a made-up picture", "mediactl selftest --probe", "icloud:selftest", selftest
    ),
    "verify": Command(
        "read copies again and compare", "mediactl verify --site archive --sample 5%",
        "caring:verify", _verify
    ),
    "export": Command(
        "a manifest that sha256sum or b3sum checks without mediad", "mediactl export ~/archive.sha256",
        "caring:export", _export
    ),
    "config": Command("the configuration", "mediactl config set archive.enabled false", "settings:config", _config),
    "doctor": Command("check everything that a run needs", "mediactl doctor", "host:doctor", _doctor),
    "diag": Command(
        "one archive with all that a helper asks for, without secrets", "mediactl diag",
        "diag:diag", _diag
    ),
    "backup": Command("back the journal up", "mediactl backup /mnt/usb/journal.db", "ordering:backup", _backup),
    "restore": Command(
        "put a backup back (no daemon may run)", "mediactl --root ~/photos restore backup.db",
        "host:restore_journal", _restore
    ),
    "reload": Command("read the configuration anew", "mediactl reload", "ordering:reload"),
    "logs": Command("what mediad says", "mediactl logs -f --level warning", "watch:logs", _logs),
    "nas": Command("make a folder the archive", "mediactl nas init /mnt/nas/photos", "ordering:nas", _nas),
    "dates": Command(
        "put dates right in bulk", "mediactl dates preview --source mtime --from name", "person:dates", dates
    ),
    "undo": Command("take back what was done here at home", "mediactl undo --dry-run", "person:undo", undo),
    "audit": Command("follow the seals of the history", "mediactl audit verify", "person:audit", audit),
    "version": Command("which mediactl and which mediad", "mediactl version", "settings:version"),
}  # fmt: skip

_CODES: Final = "exit codes: 0 done; 1 the answer is no; 2 wrong usage or configuration; 3 no daemon; 4 time is up"


def parse(argv: Sequence[str]) -> argparse.Namespace:
    typed = next((w for w in argv if w in COMMANDS), None)
    is_sure = typed is not None and _is_first(argv, typed)
    return everything(typed if is_sure else None).parse_args(argv)


def everything(only: str | None = None) -> argparse.ArgumentParser:
    """The parser of all commands, or of one."""
    parser = argparse.ArgumentParser(
        prog="mediactl",
        description="Ask and order a running mediad.",
        epilog=f"example: mediactl --root ~/photos status        {_CODES}",
        allow_abbrev=False,
    )
    parser.add_argument("--root", metavar="DIR", help="the daemon whose root this is")
    parser.add_argument("--socket", metavar="PATH", help="the daemon on this socket")
    parser.add_argument("--json", action="store_true", help="one JSON document and nothing else")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        if only in {None, name}:
            p = commands.add_parser(
                name, help=command.what, description=command.what, epilog=f"example: {command.example}",
                allow_abbrev=False,
            )  # fmt: skip
            if command.setup:
                command.setup(p)
            everywhere(p)
    return parser


def _is_first(argv: Sequence[str], typed: str) -> bool:
    """Is this word the command, and not the value of an option before it?"""
    before = list(argv[: argv.index(typed)])
    while before:
        word = before.pop(0)
        if word in {"--root", "--socket"} and before:
            before.pop(0)
        elif not word.startswith(("--root=", "--socket=", "--json")):
            return False
    return True


def _seconds(text: str) -> float:
    number = text.removesuffix("s").strip()
    if not number.replace(".", "", 1).isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return float(number)


def _percent(text: str) -> float:
    number = text.removesuffix("%").strip()
    if not number.replace(".", "", 1).isdecimal() or float(number) > 100:  # noqa: PLR2004 - per cent
        raise argparse.ArgumentTypeError(f"{text!r} is no share; write 5%")
    return float(number)
