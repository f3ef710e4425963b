"""What a request tells: who says what, what is added as background, and who speaks next.

    read_messages([Message(role="user", content="陆迟：我来晚了。"), ...], "闻筝", names)
    # Told(notes=(), turns=(Turn("陆迟", "我来晚了。"),), character="闻筝")

System messages are notes. What a user says is said by the asker, or by whom its ``name`` or a row
``Name: text`` tells; rows in 【】 or [] are narration, and ``*text*`` is an action. A row is no row
of a speaker where its name is nobody's: that of a person of the world, of a ``name`` field, or one
that begins every message of its role.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from roleplay.errors import FormError
from roleplay.prompts import ASKER, one_line
from roleplay.records import Line
from roleplay.script import parse_body
from roleplay.serving.requests import Message

_ROW = re.compile(r"([^\s:：][^:：]{0,39}?)\s*[:：](?!//)\s*(.*)")
_NARRATION = re.compile(r"[【\[](.+)[】\]]")
_ACTION = re.compile(r"(?<!\*)\*([^*]+)\*(?!\*)")
_NOTHING = re.compile(r"[\s*_=-]*")
# What SillyTavern puts between the parts of a chat; a novel's character is told nothing by it.
_DIRECTION = re.compile(r"\[(Start a new|Example Chat|Write the next reply|Continue ).*\]", re.S)


@dataclass(frozen=True)
class Turn:
    """What one says, in one line; narration has no speaker."""

    speaker: str | None
    text: str

    def lines(self) -> list[Line]:
        """The same as script lines."""
        if self.speaker is None:
            return [Line(kind="info", text=self.text)]
        found: list[Line] = []
        for place, part in enumerate(_ACTION.split(self.text)):
            if place % 2:
                found += _line("act", self.speaker, part)
            elif part.strip():
                found += self._said(self.speaker, part)
        return found

    def _said(self, speaker: str, text: str) -> list[Line]:
        try:
            return parse_body(text, speaker)
        except FormError:  # marks of the script that are not meant as such
            return _line("say", speaker, text)


def _line(kind: str, speaker: str, text: str) -> list[Line]:
    return [Line.model_validate({"kind": kind, "char": speaker, "text": text})] * bool(text.strip())


@dataclass(frozen=True)
class Told:
    """A request, read.

    Attributes:
        notes: added background, one line each.
        turns: what happened and was said, oldest first.
        character: who speaks next.
    """

    notes: tuple[str, ...]
    turns: tuple[Turn, ...]
    character: str

    def lines(self) -> list[Line]:
        """The turns as a scene."""
        return [line for turn in self.turns for line in turn.lines()]

    def question(self) -> tuple[list[tuple[str, str]], str] | None:
        """Earlier (question, answer) pairs and the question, where nothing else was told."""
        speakers = [turn.speaker for turn in self.turns]
        pairs = len(speakers) // 2
        if speakers != [*(ASKER, self.character) * pairs, ASKER] or not all(
            map(_plain, self.turns)
        ):
            return None
        texts = [turn.text for turn in self.turns]
        return list(zip(texts[::2], texts[1::2], strict=False)), texts[-1]


def _plain(turn: Turn) -> bool:
    """Whether it is words alone, if it is the asker's, and in the script's own form otherwise."""
    kinds = [line.kind for line in turn.lines()]
    return kinds == ["say"] if turn.speaker == ASKER else not _ACTION.search(turn.text)


def read_messages(messages: Sequence[Message], character: str, names: Mapping[str, str]) -> Told:
    """Read a chat; ``names`` are what the people of the world are called -> their names."""
    known = {**names, **_habits(messages, character, names)}
    known |= {name: known.get(name, name) for name in filter(None, map(_name, messages))}
    notes: list[str] = []
    turns: list[Turn] = []
    for message in messages:
        if message.role in ("system", "developer") and not _is_example(message):
            notes += () if _DIRECTION.fullmatch(message.content.strip()) else _rows(message.content)
            continue
        speaker = _speaker(message, character)
        named = _name(message)
        turns += _turns(message.content, known[named] if named else speaker, known)
    return Told(tuple(notes), tuple(turns), character)


def read_prompt(text: str, character: str, names: Mapping[str, str]) -> Told:
    """Read a transcript; who stands as a bare cue in its last row speaks next.

    What comes before the first speaker or narration is background. Without any speaker the text is
    a question.
    """
    rows = list(_rows(text))
    counts = [match[1] for row in rows if (match := _ROW.fullmatch(row))]
    known = {name: name for name in counts if counts.count(name) > 1} | dict(names)
    last = _ROW.fullmatch(rows[-1]) if rows else None
    if last and not last[2]:
        character, rows = names.get(last[1], character), rows[:-1]
    first = next((place for place, row in enumerate(rows) if _opens(row, known)), None)
    if first is None:
        return Told((), (Turn(ASKER, " ".join(rows)),) if rows else (), character)
    return Told(
        tuple(rows[:first]), tuple(_turns("\n".join(rows[first:]), ASKER, known)), character
    )


def fitting(notes: Iterable[str], count: Callable[[str], int], tokens: int) -> list[str]:
    """The first notes that fit; of the next one, those of its sentences that still do."""
    kept: list[str] = []
    for note in notes:
        if (size := count(note)) > tokens:
            kept += fitting(parts, count, tokens) if len(parts := _sentences(note)) > 1 else ()
            break
        kept.append(note)
        tokens -= size
    return kept


def _sentences(text: str) -> list[str]:
    found = re.split(r"(?<=[。！？!?])|(?<=\.)\s", text)
    return [part.strip() for part in found if part.strip()]


def _is_example(message: Message) -> bool:
    """Whether it is a line of an example chat, as SillyTavern sends them."""
    return message.name in ("example_user", "example_assistant")


def _speaker(message: Message, character: str) -> str:
    own = message.role == "assistant" or message.name == "example_assistant"
    return character if own else ASKER


def _name(message: Message) -> str | None:
    """The name field, unless it says nothing: SillyTavern writes each Chinese character as _."""
    name = (message.name or "").strip()
    return name if name.strip("_") and not _is_example(message) else None


def _habits(
    messages: Sequence[Message], character: str, names: Mapping[str, str]
) -> dict[str, str]:
    """The names that a client writes before every message of a role."""
    found: dict[str, str] = {}
    enough = 2
    for role in ("assistant", "user"):
        matches = [_ROW.match(one.content.strip()) for one in messages if one.role == role]
        begun = {match[1] if match else "" for match in matches}
        if len(begun) != 1 or not (name := begun.pop()):
            continue
        if name not in names and len(matches) >= enough:
            found[name] = character if role == "assistant" else name
        # Where the character's own lines have a name before them, so has a single line of a user.
        enough = 1 if name in names or name in found else enough
    return found


def _rows(text: str) -> Iterator[str]:
    """The rows that say something; a client's separators (***) do not."""
    for row in re.split(r"\r\n|\r|\n", text):
        if not _NOTHING.fullmatch(row):
            yield row.strip()


def _opens(row: str, known: Mapping[str, str]) -> bool:
    match = _ROW.fullmatch(row)
    return bool(_NARRATION.fullmatch(row) or (match and match[1] in known))


def _turns(text: str, speaker: str, known: Mapping[str, str]) -> Iterator[Turn]:
    """The turns of a text that ``speaker`` wrote; a plain row goes on with what was before."""
    now, said = speaker, ""
    for row in _rows(text):
        match = _ROW.fullmatch(row)
        told = _NARRATION.fullmatch(row)
        if (told or (match and match[1] in known)) and said:
            yield Turn(now, said)
            said = ""
        if told:
            yield Turn(None, told[1].strip() or row)
        elif match and match[1] in known:
            now, said = known[match[1]], match[2]
        else:
            said = one_line(f"{said}\n{row}")
    if said:
        yield Turn(now, said)
