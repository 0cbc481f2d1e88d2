"""Apple's names of file types: which extension they have with people, and what they are."""

from typing import Final

_TABLE: Final = """
public.jpeg .JPG
public.heic .HEIC
public.heif .HEIF
public.heics .HEICS
public.avif .AVIF
public.png .PNG
public.tiff .TIF
com.compuserve.gif .GIF
org.webmproject.webp .WEBP
public.webp .WEBP
com.microsoft.bmp .BMP
public.jpeg-2000 .JP2
com.adobe.photoshop-image .PSD
com.apple.quicktime-movie .MOV
public.mpeg-4 .MP4
com.apple.m4v-video .M4V
public.avi .AVI
public.mpeg .MPG
public.3gpp .3GP
public.3gpp2 .3G2
public.mpeg-2-video .MPG
com.adobe.raw-image .DNG
com.canon.cr2-raw-image .CR2
com.canon.cr3-raw-image .CR3
com.canon.crw-raw-image .CRW
com.sony.arw-raw-image .ARW
com.fuji.raw-image .RAF
com.panasonic.rw2-raw-image .RW2
com.panasonic.raw-image .RAW
com.nikon.nrw-raw-image .NRW
com.nikon.raw-image .NEF
com.pentax.raw-image .PEF
com.olympus.raw-image .ORF
com.olympus.or-raw-image .ORF
com.leica.raw-image .RWL
com.samsung.raw-image .SRW
"""
_EXTENSIONS: Final = dict(line.split() for line in _TABLE.split("\n") if line)
_VIDEOS: Final = frozenset({".MOV", ".MP4", ".M4V", ".AVI", ".MPG", ".3GP", ".3G2"})


def extension_for(uti: str) -> str:
    """With its dot, as cameras write it; "": a type that is not known."""
    return _EXTENSIONS.get(uti, "")


def is_raw(uti: str) -> bool:
    return uti.endswith("raw-image")


def is_video(uti: str) -> bool:
    return extension_for(uti) in _VIDEOS
