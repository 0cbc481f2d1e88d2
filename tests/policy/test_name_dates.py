"""Guards the dates in file names: what phones write is read, what only looks like a date is not."""

import pytest

from mediad.policy.dates import read
from mediad.policy.name_dates import date_in_name


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("IMG_20180725_163423.jpg", "2018-07-25T16:34:23"),
        ("IMG_20180725_163423123.jpg", "2018-07-25T16:34:23.123000"),
        ("VID_20180725_163423.mp4", "2018-07-25T16:34:23"),
        ("MVIMG_20180725_163423.jpg", "2018-07-25T16:34:23"),
        ("PXL_20201217_100300546.MP.jpg", "2020-12-17T10:03:00.546000"),
        ("20180725_163423.jpg", "2018-07-25T16:34:23"),
        ("20180725163423.jpg", "2018-07-25T16:34:23"),
        ("Screenshot_2020-01-02-03-04-05.png", "2020-01-02T03:04:05"),
        ("Screenshot_20200102-030405_Chrome.jpg", "2020-01-02T03:04:05"),
        ("Screenshot_2020-01-02-03-04-05-678_com.app.jpg", "2020-01-02T03:04:05.678000"),
        ("2019-07-04 12.33.44.jpg", "2019-07-04T12:33:44"),
        ("2019-07-04 12.33.44-1.jpg", "2019-07-04T12:33:44"),
        ("Screen Shot 2019-07-04 at 12.33.44.png", "2019-07-04T12:33:44"),
        ("Screen Shot 2019-07-04 at 3.04.05 PM.png", "2019-07-04T15:04:05"),
        ("Screen Shot 2019-07-04 at 12.04.05 AM.png", "2019-07-04T00:04:05"),
        ("WhatsApp Image 2019-01-01 at 12.34.56.jpeg", "2019-01-01T12:34:56"),
        ("WhatsApp_Image_2019-01-01_at_12.34.56.jpeg", "2019-01-01T12:34:56"),
        ("Снимок экрана 2019-07-04 в 12.33.44.png", "2019-07-04T12:33:44"),
        ("Clip 2019-07-04 12 33 44.mp4", "2019-07-04T12:33:44"),
        ("RPReplay_Final1546300800.MP4", "2019-01-01T00:00:00"),
        ("20190704.jpg", "2019-07-04T12:00:00"),
        ("20190704 birthday.jpg", "2019-07-04T12:00:00"),
        ("20190704_birthday.jpg", "2019-07-04T12:00:00"),
        ("IMG-20190101-WA0001.jpg", "2019-01-01T12:00:00"),
        ("VID-20190101-WA0001.mp4", "2019-01-01T12:00:00"),
        ("photo_2019-07-04_12-33-44.jpg", "2019-07-04T12:33:44"),
        ("signal-2020-01-02-030405.jpg", "2020-01-02T03:04:05"),
        ("WP_20150101_12_34_56_Pro.jpg", "2015-01-01T12:34:56"),
        ("2019-07-04 birthday.jpg", "2019-07-04T12:00:00"),
        ("1965-07-04 grandmother.tif", "1965-07-04T12:00:00"),
        ("FB_IMG_1546300800000.jpg", "2019-01-01T00:00:00"),
        ("mmexport1546300800000.jpg", "2019-01-01T00:00:00"),
    ],
)
def test_a_name_as_people_and_phones_write_it_gives_its_date(name: str, wanted: str) -> None:
    claim = date_in_name(name)
    assert claim is not None
    moment = read(claim)
    assert moment is not None
    assert moment[0].isoformat() == wanted


@pytest.mark.parametrize(
    "name",
    [
        "IMG_0001.JPG", "DSC01234.ARW", "DSCN0010.jpg", "IMG_E1234.HEIC", "12345678.jpg", "20181340_163423.jpg",
        "71DCA213-5710-4A6C-BC6D-CE6306AEB8D8.mov", "received_1234567890123456.jpeg", "P1010001.RW2",
        "IMG_20189999.jpg", "20190704_12345.jpg", "20191304.jpg", "19190704.jpg", "RPReplay_Final154630080.MP4",
        "order 201807251634231234567.pdf", "-rf.jpg", "\udcff\udcfe.jpg", "",
    ],
)  # fmt: skip
def test_a_number_is_no_date(name: str) -> None:
    assert date_in_name(name) is None


def test_a_pixel_names_by_utc_and_a_messenger_counts_in_it() -> None:
    for name in ("PXL_20201217_100300546.jpg", "FB_IMG_1546300800000.jpg"):
        claim = date_in_name(name)
        assert claim is not None
        assert claim.is_utc
