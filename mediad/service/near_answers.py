"""What is said of photos that look the same. Keys are only ever added."""

from typing_extensions import TypedDict


class NearDoc(TypedDict):
    """Of one asset: another one that looks like it."""

    asset: int
    name: str
    alike: int  # of 100
    burst: bool  # two shots of one moment, and no copies
    better: int | None  # the asset that is the better copy; null: there is nothing between them
    reasons: list[str]


class PairDoc(NearDoc):
    of: int
    of_name: str


class PairsDoc(TypedDict):
    pairs: list[PairDoc]
    cursor: str | None  # give it back for the next page; null: that was the last
