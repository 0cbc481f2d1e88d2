"""
The date in a file name, as phones, cameras, messengers and people write it.

Only patterns that cannot well be anything else: a wrong date is worse than none. Whether the date can be true is
for policy/dates.py to say.
"""

import re
from datetime import UTC, datetime, timedelta

from mediad.model import Claim

_YMD = r"(?P<y>(?:18|19|20)\d\d)(?P<s>[-_.]?)(?P<mo>0[1-9]|1[0-2])(?P=s)(?P<d>0[1-9]|[12]\d|3[01])"
_HMS = r"(?P<h>[01]\d|2[0-3])(?P<t>[-_.:h ]?)(?P<mi>[0-5]\d)[-_.:m ]?(?P<sec>[0-5]\d)"

# IMG_20180725_163423, 20180725_163423, Screenshot_2020-01-02-03-04-05, 2019-07-04 12.33.44, IMG_20180725_163423123,
# WhatsApp Image 2019-01-01 at 12.34.56, WP_20150101_12_34_56_Pro, photo_2019-07-04_12-33-44
_TIME = re.compile(
    rf"(?<!\d){_YMD}(?:[ T_.,-]|[ _](?:at|um|om|à|alle|a las|às|kl\.?|в)[ _]|, ){{1,2}}"
    rf"{_HMS}(?:[-_.]?(?P<f>\d{{3}}))?(?!\d)",
    re.IGNORECASE,
)
_RUN = re.compile(  # 20180725163423, IMG20180725163423
    r"(?<!\d)(?P<y>(?:19|20)\d\d)(?P<mo>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])"
    r"(?P<h>[01]\d|2[0-3])(?P<mi>[0-5]\d)(?P<sec>[0-5]\d)(?P<f>\d{3})?(?!\d)"
)
_TWELVE = re.compile(  # Screen Shot 2019-07-04 at 3.04.05 PM
    rf"(?<!\d){_YMD}[ _]at[ _](?P<h>1[0-2]|0?[1-9])\.(?P<mi>[0-5]\d)\.(?P<sec>[0-5]\d)"
    r"[\s\u202f_]?(?P<half>[AP])M",
    re.IGNORECASE,
)
_MADE = r"(?:IMG|VID|AUD|MVIMG|PANO|BURST|(?:PH|F)OTO|VIDEO|DSC|WP|SCREENSHOT|SCAN|SIGNAL|DJI|C360)"
_DAY = re.compile(  # IMG-20190101-WA0001, 2019-07-04 birthday
    rf"(?:(?<![A-Za-z]){_MADE}[-_ ]?|(?<!\d)(?=\d{{4}}-)|(?<!\d)(?=\d{{4}}_)|(?<!\d)(?=\d{{4}}\.)){_YMD}(?!\d)",
    re.IGNORECASE,
)
# 20190704.jpg, 20190704 birthday.jpg: a day of digital cameras in front; further digits would make it a number
_BARE = re.compile(
    r"^(?P<y>199\d|20[0-4]\d)(?P<mo>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])(?=[ _.-](?!\d)|$)"
)
_RECORDED = re.compile(r"^RPReplay_Final(?P<s>1\d{9})(?!\d)")  # an iPhone's screen
_COUNTED = re.compile(r"(?:^|FB_IMG_|mmexport|wx_camera_)(?P<ms>1\d{12})(?!\d)", re.IGNORECASE)
# Pixel phones name by UTC, and so does what OneDrive brings from an iPhone: 20190704_123344000_iOS
_UTC = re.compile(r"^PXL_|^\d{8}_\d{9}_iOS\b", re.IGNORECASE)


def date_in_name(name: str) -> Claim | None:
    """What the name claims: a time, or only a day; None when it says nothing."""
    if found := _TWELVE.search(name):
        hour = int(found["h"]) % 12 + (12 if found["half"] in "Pp" else 0)
        return Claim("filename:time", f"{_day(found)} {hour:02}:{found['mi']}:{found['sec']}")
    if found := _TIME.search(name) or _RUN.search(name):
        clock = f"{found['h']}:{found['mi']}:{found['sec']}"
        utc = _UTC.search(name) is not None
        return Claim(
            "filename:time", f"{_day(found)} {clock}", fraction=found["f"] or "", is_utc=utc
        )
    if found := _COUNTED.search(name):
        return _instant(timedelta(milliseconds=int(found["ms"])))
    if found := _RECORDED.search(name):
        return _instant(timedelta(seconds=int(found["s"])))
    if found := _DAY.search(name) or _BARE.search(name):
        return Claim("filename:day", _day(found))
    return None


def _instant(since: timedelta) -> Claim:
    moment = datetime.fromtimestamp(0, UTC) + since
    return Claim("filename:time", f"{moment:%Y-%m-%d %H:%M:%S}", is_utc=True)


def _day(found: re.Match[str]) -> str:
    return f"{found['y']}-{found['mo']}-{found['d']}"
