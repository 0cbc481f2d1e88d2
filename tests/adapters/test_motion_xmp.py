"""Guards what a motion photo says of itself: told beside what was there, and found as others look."""

from xml.etree import ElementTree as ET

import pytest

from mediad.adapters.bmff import NotUnderstood
from mediad.adapters.motion_xmp import UNKNOWN_US, Told, packet, states_length, told_in

JPEG = Told("image/jpeg", "video/quicktime", 1234, 0, 900_000)
HEIC = Told("image/heic", "video/mp4", 5678, 8, UNKNOWN_US)
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
CAMERA = "{http://ns.google.com/photos/1.0/camera/}"


def apples(inside: str) -> bytes:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 6.0.0">\n'
        '   <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
        f"{inside}\n   </rdf:RDF>\n</x:xmpmeta>\n"
    ).encode()


ELEMENTS = apples(
    '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/">'
    "<xmp:CreatorTool>15.0 &lt;3</xmp:CreatorTool></rdf:Description>"
)
EMPTY = apples('<rdf:Description rdf:about=""\n  xmlns:a="b>c" a:d=\'e"/>\' />')
TWO = apples(
    '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="5"/>'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="a"/>'
)
WRAPPED = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'.encode()
    + ELEMENTS
    + b" " * 200
    + b'<?xpacket end="w"?>'
)
BARE = (
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="a:b"/></rdf:RDF>'
)


@pytest.mark.parametrize("told", [JPEG, HEIC])
@pytest.mark.parametrize("own", [None, ELEMENTS, EMPTY, TWO, WRAPPED, BARE, WRAPPED + bytes(3)])
def test_what_is_told_is_found_again(told: Told, own: bytes | None) -> None:
    assert told_in(packet(told, own)) == told


@pytest.mark.parametrize("own", [ELEMENTS, EMPTY, TWO, WRAPPED, BARE])
def test_of_what_was_there_every_byte_is_there_still_in_its_order(own: bytes) -> None:
    made = iter(packet(JPEG, own))
    changed = own.replace(b" />", b" >").replace(
        b'"/>', b'">'
    )  # an empty element is no longer empty
    assert all(byte in made for byte in changed)


def test_it_is_told_in_the_first_description_as_readers_look_no_further() -> None:
    for own in (None, ELEMENTS, TWO):
        tree = ET.fromstring(packet(JPEG, own))  # noqa: S314 - our own bytes
        first = next(tree.iter(f"{RDF}Description"))
        assert first.get(f"{CAMERA}MotionPhoto") == "1"
        assert first.get(f"{CAMERA}MotionPhotoVersion") == "1"
        assert first.get(f"{CAMERA}MotionPhotoPresentationTimestampUs") == "900000"


def test_properties_that_were_there_are_there_still() -> None:
    made = packet(JPEG, TWO)
    assert b'xmp:Rating="5"' in made
    assert b'dc:format="a"' in made
    assert b"15.0 &lt;3" in packet(HEIC, ELEMENTS)


def test_the_older_format_is_told_of_jpegs_which_alone_it_knew() -> None:
    assert b'GCamera:MicroVideoOffset="1234"' in packet(JPEG)
    assert b"MicroVideo" not in packet(HEIC)


@pytest.mark.parametrize(
    "own",
    [
        b"",
        b"<x",
        apples(""),
        ELEMENTS[:-20],
        ELEMENTS.replace(b"<x:xmpmeta", b'<!DOCTYPE a [<!ENTITY b "c">]><x:xmpmeta'),
        ELEMENTS.replace(b"15.0", b"<!-- a -->"),
        ELEMENTS.replace(b"15.0", b"&b;"),
        ELEMENTS.replace(b"15.0", b"\xff\xfe"),
        ELEMENTS.replace(b"15.0", b"\0"),
        ELEMENTS.replace(b"rdf:", b"r:").replace(b"xmlns:rdf", b"xmlns:r"),
        ELEMENTS.replace(b"xmlns:xmp=", b"xmlns:Item="),
        packet(JPEG),
        apples('<rdf:Description xmlns:GContainer="http://ns.google.com/photos/1.0/container/"/>'),
        ELEMENTS.decode().encode("utf-16"),
        apples("<a><rdf:Description/></a>"),
        b"<a>" * 100_000,
        b" " * (5 << 20),
    ],
)
def test_a_packet_that_is_not_understood_is_not_added_to(own: bytes) -> None:
    with pytest.raises(NotUnderstood):
        packet(JPEG, own)


@pytest.mark.parametrize(
    ("was", "now"),
    [
        (b'MotionPhoto="1"', b'MotionPhoto="0"'),
        (b'Semantic="Primary"', b'Semantic="GainMap"'),
        (b'Semantic="MotionPhoto"', b'Semantic="Original"'),
        (b'Length="1234"', b'Length="many"'),
    ],
)
def test_what_is_no_motion_photo_is_not_read_as_one(was: bytes, now: bytes) -> None:
    with pytest.raises(NotUnderstood):
        told_in(packet(JPEG).replace(was, now))


def test_a_still_alone_is_none() -> None:
    with pytest.raises(NotUnderstood):
        told_in(ELEMENTS)


@pytest.mark.parametrize(
    ("said", "is_stated"),
    [
        ('<Container:Item Item:Semantic="Primary" Item:Length="12345"/>', True),
        ("<Container:Item Item:Length = '0012' Item:Semantic = 'Primary'/>", True),
        (
            "<Item:Length>12345</Item:Length><Item:Semantic>Primary</Item:Semantic>",
            True,
        ),  # exiftool's
        ('<Container:Item Item:Semantic="Primary" Item:Length="0"/>', False),
        ("<Item:Length>0</Item:Length><Item:Semantic>Primary</Item:Semantic>", False),
        ('<Container:Item Item:Semantic="GainMap" Item:Length="12345"/>', False),
    ],
)
def test_a_length_of_the_picture_itself_is_seen_however_it_is_written(
    said: str, *, is_stated: bool
) -> None:
    film = '<rdf:li><Container:Item Item:Semantic="MotionPhoto" Item:Length="99"/></rdf:li>'
    listed = f"<rdf:Seq><rdf:li rdf:parseType='Resource'>{said}</rdf:li>{film}</rdf:Seq>"
    assert states_length(apples(listed)) is is_stated
