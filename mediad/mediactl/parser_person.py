"""What can be typed after dates, undo and audit."""

import argparse

from mediad.mediactl.parser_words import count, everywhere, sub_action


def dates(p: argparse.ArgumentParser) -> None:
    actions = p.add_subparsers(dest="action", required=True, metavar="list|preview|apply")
    shown = sub_action(
        actions, "list", "dates, where they come from, and how far to trust them", "dates list --confidence guess"
    )  # fmt: skip
    _choice(shown)
    shown.add_argument("--limit", type=count, metavar="N", help="at most so many")
    preview = sub_action(
        actions, "preview", "what an order would make of them; changes nothing",
        "dates preview --folder 2024/07 --shift -1h",
    )  # fmt: skip
    apply = sub_action(
        actions, "apply", "give these dates; the library follows", "dates apply IMG_0001.JPG --to 1994-12-24"
    )  # fmt: skip
    for action in (preview, apply):
        action.add_argument("assets", metavar="PATH|ID|NAME", nargs="*", help="only these")
        _choice(action)
        _order(action)
    for action in (shown, preview, apply):
        everywhere(action)


def _choice(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "--source",
        metavar="S",
        help="where the date comes from: exif, filename, mtime, cloud, person …",
    )
    p.add_argument("--confidence", metavar="C", help="sure, likely or guess")
    p.add_argument("--folder", metavar="DIR", help="below the library, or below incoming: 2024/07")
    p.add_argument("--since", metavar="DATE", help="taken at or after this local date: 2024-07-14")
    p.add_argument("--until", metavar="DATE", help="taken before this local date")


def _order(p: argparse.ArgumentParser) -> None:
    way = p.add_mutually_exclusive_group(required=True)
    way.add_argument(
        "--shift",
        dest="take_shift",
        metavar="SPAN",
        help="by so much: +1h30m, -2d (write --shift=-2d)",
    )
    way.add_argument(
        "--zone",
        dest="take_zone",
        metavar="Z",
        help="the clock is right, this is its zone: +02:00, Europe/Rome",
    )
    way.add_argument(
        "--in-zone",
        dest="take_in_zone",
        metavar="Z",
        help="the instant is right: tell it in this zone",
    )
    way.add_argument(
        "--from", dest="take_from", metavar="S", choices=("name", "sidecar", "mtime", "cloud", "file"),
        help="take the date of: name, sidecar, mtime, cloud; file takes a person's word back",
    )  # fmt: skip
    way.add_argument(
        "--to",
        dest="take_to",
        metavar="DATE",
        help="this date: 2024-07-14, 2024-07-14T18:03:22+02:00",
    )


def undo(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "what", metavar="LAST|PATH|ID", nargs="?", help="the last thing done to this asset; left out: the last of all"
    )  # fmt: skip
    which = p.add_mutually_exclusive_group()
    which.add_argument(
        "--run", type=count, metavar="N", help="all that this run did (mediactl runs)"
    )
    which.add_argument(
        "--row", type=count, metavar="N", help="this row of the history; an undo is one too"
    )
    p.add_argument(
        "--dry-run", action="store_true", help="say what would be taken back, and change nothing"
    )


def audit(p: argparse.ArgumentParser) -> None:
    actions = p.add_subparsers(dest="action", required=True, metavar="verify|head")
    verify = sub_action(
        actions, "verify", "every row against its seal", "audit verify --since 1042:9f86d081…"
    )  # fmt: skip
    verify.add_argument(
        "--since", metavar="HEAD", help="a seal that you kept: the history must still have it"
    )
    head = sub_action(
        actions, "head", "the last seal, for you to keep elsewhere", "audit head > audit-head.txt"
    )
    for action in (verify, head):
        everywhere(action)
