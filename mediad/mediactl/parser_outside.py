"""What can be typed about what lies outside: the phone, Google Photos, iCloud, and the test of them all."""

import argparse

from mediad.mediactl.parser_words import count, everywhere, sub_action


def batches(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "words",
        metavar="[refresh] ID",
        nargs="*",
        help="one batch, file by file; with refresh: look at it anew, and say what is missing and why",
    )
    p.add_argument(
        "--manifest", action="store_true", help="compare the batch's manifest with the disk"
    )
    p.add_argument("--limit", type=count, default=20, metavar="N", help="the newest so many")
    p.add_argument("--before", type=count, metavar="ID", help="only batches older than this one")


def syncthing(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "action",
        nargs="?",
        choices=("diagnostics", "setup", "rescan"),
        default="diagnostics",
        help="setup shows what to change in Syncthing, and asks before it changes anything",
    )
    p.add_argument("--yes", action="store_true", help="setup: ask nothing, make the changes")
    p.add_argument(
        "--probe",
        action="store_true",
        help="setup: ask the phone, by a file of our own, whether it keeps what is removed here",
    )


def google(p: argparse.ArgumentParser) -> None:
    actions = p.add_subparsers(dest="action", required=True, metavar="confirm|import")
    confirm = sub_action(
        actions,
        "confirm",
        "say that Google Photos has these files: by your word, kept with your name",
        'google confirm IMG_0001.HEIC --who Ada --why "seen at photos.google.com"',
    )
    confirm.add_argument("assets", metavar="ID|NAME", nargs="+")
    confirm.add_argument("--who", metavar="NAME", required=True, help="whose word it is")
    confirm.add_argument("--why", metavar="TEXT", required=True, help="how you know")
    take = sub_action(
        actions,
        "import",
        "compare a Takeout export, or a list from the phone's helper, with what was sent",
        "google import takeout-20260115T143000Z-001.zip",
    )
    take.add_argument(
        "paths",
        metavar="PATH",
        nargs="+",
        help="a Takeout folder, .zip or .tgz; or an evidence file (JSON lines)",
    )
    for action in (confirm, take):
        everywhere(action)


def icloud(p: argparse.ArgumentParser) -> None:
    actions = p.add_subparsers(
        dest="action", metavar="login|code|sms|key|status|logout|completeness|undelete"
    )
    login = sub_action(
        actions, "login", "sign in: asks for the password, then for the code", "icloud login"
    )
    login.add_argument(
        "password",
        metavar="-",
        nargs="?",
        choices=("-",),
        help="read the password from standard input instead",
    )
    code = sub_action(actions, "code", "give the code of the second factor", "icloud code 123456")
    code.add_argument("code", metavar="CODE", help="six digits")
    undelete = sub_action(
        actions, "undelete", "bring back out of Recently Deleted", "icloud undelete IMG_0001.HEIC"
    )
    undelete.add_argument("assets", metavar="ID|NAME", nargs="+")
    rest = (
        ("sms", "have the code sent by SMS"),
        ("key", "touch a security key, plugged in where mediad runs"),
        ("status", "how it stands (also without a word)"),
        ("logout", "end the session"),
        ("completeness", "month by month: what iCloud has, what is proved here, what is missing and why"),
    )  # fmt: skip
    for name, what in rest:
        everywhere(sub_action(actions, name, what, f"icloud {name}"))
    for action in (login, code, undelete):
        everywhere(action)


def why_not(p: argparse.ArgumentParser) -> None:
    p.add_argument("action", choices=("delete",), help="delete: in iCloud")
    p.add_argument("what", metavar="PATH|ID|HASH|NAME")


def selftest(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "--probe",
        action="store_true",
        help="ask the phone, too, whether it keeps what is removed here; leaves two small text files on it",
    )
