"""A world with its adapters as one zip, and back.

    path = pack(library, "mine", Path("mine.zip"))
    name = unpack(library, path)                # a new world beside the others

    world/world.json, world/novel.txt, ...      what is in the world's folder, without jobs
    checkpoints/mine-gemma3-270m-lora/...       the adapters that were trained on it

Whatever is in a zip that comes from elsewhere is data of the kinds that a world has: other members,
links and paths that lead out are left out or refused, and what it unpacks to is counted while it is
written, whatever its table says.
"""

import shutil
import stat
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp

from roleplay import files
from roleplay.adapters.checkpoint import AdapterInfo, read_info
from roleplay.errors import AdapterError, WorldError, reason
from roleplay.stages import jobs
from roleplay.stages.library import Library
from roleplay.world import World

_WORLD, _ADAPTERS = "world", "checkpoints"
_SKIPPED = {jobs.FOLDER, "trainer", "tensorboard"}
_TEXTS = ".json .jsonl .txt .md .html .htm .mhtml .xml .wiki .csv .epub"
_OTHERS = ".npy .safetensors .png .jpg .jpeg .webp .gif"
_KINDS = frozenset(f"{_TEXTS} {_OTHERS}".split())
_PIECE = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What a zip may hold: bytes when unpacked, members, folders in each other."""

    size: int = 2_000_000_000
    members: int = 20_000
    depth: int = 8


LIMITS = Limits()


def pack(library: Library, name: str, target: Path) -> Path:
    """Write a world and its adapters into a zip.

    Raises:
        WorldError: no such world, or the disk is full.
    """
    parts = [(library.path(name), _WORLD)]
    adapters = library.adapters(name)
    parts += [(library.checkpoints / one, f"{_ADAPTERS}/{one}") for one in adapters]
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as packed:
            for folder, place in parts:
                for path in _packed(folder):
                    inner = path.relative_to(folder).as_posix()
                    packed.write(path, f"{place}/{inner}")
    except OSError as error:
        target.unlink(missing_ok=True)
        raise WorldError("files.unwritable", path=target, reason=reason(error)) from error
    return target


def _packed(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        own = path.is_file() and not path.is_symlink() and path.suffix.lower() in _KINDS
        if own and not any(part in _SKIPPED or part.startswith(".") for part in parts):
            yield path


def unpack(library: Library, path: Path, limits: Limits = LIMITS) -> str:
    """Make a world of a zip, with the adapters in it; the world's name.

    Raises:
        WorldError: this is no zip of a world, it is damaged or over a limit, or the disk is full.
    """
    library.worlds.mkdir(parents=True, exist_ok=True)
    aside = Path(mkdtemp(prefix=".incoming-", dir=library.worlds))
    try:
        with zipfile.ZipFile(path) as packed:
            _extract(packed, _wanted(packed, limits), aside, limits)
        return _admit(library, aside)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise WorldError("archive.no-zip", file=path.name) from error
    except OSError as error:
        raise WorldError("archive.broken", file=path.name, reason=reason(error)) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _wanted(packed: zipfile.ZipFile, limits: Limits) -> list[tuple[zipfile.ZipInfo, str]]:
    """The members to unpack, and where to: ``world/...`` or ``checkpoints/...``.

    The world may also lie in a folder of another name, or at the top.
    """
    members = [one for one in packed.infolist() if not one.is_dir()]
    if len(members) > limits.members:
        raise WorldError("archive.many", count=len(members), most=limits.members)
    places = [one.filename for one in members if PurePosixPath(one.filename).name == "world.json"]
    if not places:
        raise WorldError("archive.no-world")
    top = PurePosixPath(min(places, key=lambda name: (name.count("/"), name))).parent
    found = []
    for one in members:
        place = PurePosixPath(one.filename)
        # A link's target may be anywhere; a back slash is a path on some systems only.
        odd = place.is_absolute() or ".." in place.parts or set(one.filename) & set('\\:*?"<>|\0')
        if odd or stat.S_ISLNK(one.external_attr >> 16) or len(place.parts) > limits.depth:
            raise WorldError("archive.strange", member=one.filename[:80])
        inner = place.relative_to(top) if place.is_relative_to(top) else place
        if place.parts[0] == _ADAPTERS:
            target = place
        elif place.is_relative_to(top):
            target = PurePosixPath(_WORLD) / inner
        else:
            continue
        hidden = any(part in _SKIPPED or part.startswith(".") for part in target.parts)
        if target.suffix.lower() in _KINDS and not hidden:
            found.append((one, target.as_posix()))
    return found


def _extract(
    packed: zipfile.ZipFile,
    wanted: Sequence[tuple[zipfile.ZipInfo, str]],
    folder: Path,
    limits: Limits,
) -> None:
    told = sum(member.file_size for member, _ in wanted)
    if told > min(limits.size, shutil.disk_usage(folder).free):
        raise WorldError("archive.large", size=told // 1_000_000, most=limits.size // 1_000_000)
    left = limits.size
    for member, place in wanted:
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        with packed.open(member) as source, target.open("xb") as stream:
            while piece := source.read(_PIECE):
                if (left := left - len(piece)) < 0:
                    size = limits.size // 1_000_000
                    raise WorldError("archive.large", size=size, most=size)
                stream.write(piece)


def _admit(library: Library, aside: Path) -> str:
    """Move what was unpacked to its place, once it is known to be a world."""
    world = World.load(aside / _WORLD)
    for leftover in (aside / _WORLD).glob("*.pending.json"):
        leftover.unlink()
    adapters = {path.parent: _adapter(path.parent) for path in aside.glob("*/*/adapter.json")}
    name = library.free_name(world.info.title)
    (aside / _WORLD).rename(library.worlds / name)
    library.checkpoints.mkdir(parents=True, exist_ok=True)
    for folder, info in adapters.items():
        target, number = library.checkpoints / folder.name, 2
        while target.exists():
            target, number = library.checkpoints / f"{folder.name}-{number}", number + 1
        # It is known by the world's name, which may be another here.
        own = info.model_copy(update={"world": name})
        files.write_json(folder / "adapter.json", own.model_dump())
        folder.rename(target)
    return name


def _adapter(folder: Path) -> AdapterInfo:
    try:
        return read_info(folder)
    except AdapterError as error:
        raise WorldError("archive.broken", file=folder.name, reason=error.message) from error
