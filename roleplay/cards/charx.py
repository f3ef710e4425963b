"""CHARX: a zip with ``card.json`` at its root and pictures under ``assets/``.

    document, files = split_charx(data)     # the bytes of card.json, {"assets/icon/…": b"…"}
    join_charx(document, files)             # the same bytes for the same files

Also read where it stands behind a picture (a JPEG, as some programs make). Nothing is unpacked to
disk, and nothing beyond the limits into memory.
"""

import zipfile
import zlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import PurePosixPath

from roleplay.errors import CardError

CARD = "card.json"
_MOST_FILES = 5_000
_MOST_BYTES = 256_000_000
_ONE_DAY = (1980, 1, 1, 0, 0, 0)


def is_zip(data: bytes) -> bool:
    """Whether a zip is here, from the first byte or behind a picture."""
    return data.startswith(b"PK\3\4") or zipfile.is_zipfile(BytesIO(data))


def split_charx(data: bytes) -> tuple[bytes, dict[str, bytes]]:
    """``card.json`` and the other files by their paths.

    Raises:
        CardError: the zip is broken, locked, too large, without a card, or has a path that leads
            out of it.
    """
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            members = {info.filename: info for info in archive.infolist() if not info.is_dir()}
            _check(list(members.values()))
            found = {name: _read(archive, info) for name, info in members.items()}
    # Of a broken directory and a broken stream; and a header of what Python does not know.
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError) as error:
        raise CardError("cards.no-zip") from error
    if CARD not in found:
        raise CardError("cards.no-card-json", files=", ".join(sorted(found)[:3]) or "-")
    return found.pop(CARD), found


def join_charx(document: bytes, files: Mapping[str, bytes]) -> bytes:
    """The zip; no clock and no machine shows in it."""
    target = BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in {CARD: document, **files}.items():
            info = zipfile.ZipInfo(name, _ONE_DAY)
            info.external_attr = 0o644 << 16
            # Pictures are packed already.
            info.compress_type = zipfile.ZIP_DEFLATED if name == CARD else zipfile.ZIP_STORED
            archive.writestr(info, content)
    return target.getvalue()


def is_inside(name: str) -> bool:
    """Whether a path stays where it is unpacked."""
    path = PurePosixPath(name)
    plain = not path.is_absolute() and ".." not in path.parts and "\0" not in name
    return plain and bool(path.parts) and "\\" not in name and ":" not in path.parts[0]


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """A file of the archive, no longer than its header says: one that lies fills any memory."""
    with archive.open(info) as member:
        return member.read(info.file_size)


def _check(members: list[zipfile.ZipInfo]) -> None:
    if any(info.flag_bits & 1 for info in members):
        raise CardError("cards.locked")
    # The others are unpacked without a limit.
    if any(
        info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for info in members
    ):
        raise CardError("cards.no-zip")
    size = sum(info.file_size for info in members)
    if len(members) > _MOST_FILES or size > _MOST_BYTES:
        most = _MOST_BYTES // 1_000_000
        raise CardError("cards.large-zip", files=len(members), size=size // 1_000_000, most=most)
    for info in members:
        if not is_inside(info.filename):
            raise CardError("cards.outside", name=info.filename[:60])
