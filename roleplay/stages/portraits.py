"""Pictures of people: ``worlds/NAME/portraits/CHARACTER.png``, made small for the page.

keep(folder, "闻筝", Path("upload.jpg"))      # checked, cut square, 512 x 512
thumbnails(folder, ["闻筝", "陆迟"])          # {"闻筝": b"..."}, 160 x 160, WebP
"""

import io
import warnings
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from PIL import Image, ImageOps

from roleplay import files
from roleplay.errors import WorldError

FOLDER = "portraits"
SIZE, SMALL = 512, 160
_MOST_BYTES = 20_000_000
_MOST_PIXELS = 40_000_000


def path_of(folder: Path, name: str) -> Path:
    """Where the picture of somebody lies; a name may hold what no file name may."""
    safe = quote(name, safe=" ").replace(".", "%2E") if _is_odd(name) else name
    return folder / FOLDER / f"{safe}.png"


def keep(folder: Path, name: str, source: Path) -> None:
    """Take a picture as somebody's portrait.

    Raises:
        WorldError: it is none, or too large; or the disk does not let us.
    """
    stream = io.BytesIO()
    _square(_read(source), SIZE).save(stream, "PNG")
    files.write_bytes(path_of(folder, name), stream.getvalue())


def forget(folder: Path, name: str) -> None:
    """Without a picture."""
    path_of(folder, name).unlink(missing_ok=True)


def thumbnails(folder: Path, names: Iterable[str]) -> dict[str, bytes]:
    """The pictures that there are, small; one that cannot be read is passed over."""
    made = {}
    for name in names:
        path = path_of(folder, name)
        if path.is_file():
            try:
                stream = io.BytesIO()
                _square(_read(path), SMALL).save(stream, "WEBP", quality=82)
                made[name] = stream.getvalue()
            except WorldError:
                continue
    return made


def _is_odd(name: str) -> bool:
    return name.startswith(".") or any(mark in name for mark in '/\\:*?"<>|%\0') or len(name) > 80


def _read(path: Path) -> Image.Image:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise WorldError("portraits.large", path=path.name, most=_MOST_BYTES // 1_000_000)
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(path)
            if image.width * image.height > _MOST_PIXELS:
                raise WorldError("portraits.large", path=path.name, most=_MOST_BYTES // 1_000_000)
            return ImageOps.exif_transpose(image).convert("RGBA")
    except (
        OSError,
        ValueError,
        SyntaxError,  # of a broken PNG
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ) as error:
        raise WorldError("portraits.no-picture", path=path.name) from error


def _square(image: Image.Image, size: int) -> Image.Image:
    """The middle of a picture, a little nearer to its top, where faces are."""
    return ImageOps.fit(image, (size, size), centering=(0.5, 0.3))
