"""SillyTavern's chats: JSON Lines with a header, and the other answers of a message as swipes.

    chat = read_chat(path.read_bytes())
    chat.lines                              # [Line, ...]: the chosen ones, in order
    chat.turns[1].swipes, chat.turns[1].chosen      # the lines of each candidate; which is chosen
    write_chat(Chat.of_lines(lines, user="你", character="闻筝"))

One message::

    {"name": "闻筝", "is_user": false, "is_system": false, "send_date": "", "mes": "*抬头* 门没锁。",
     "swipe_id": 0, "swipes": ["*抬头* 门没锁。", "没得商量。"], "extra": {}}

What the text cannot say of lines (faces, places in the novel) stands under our name in ``extra``;
it counts as long as the text is as it was. Other fields stay, hidden messages too.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from roleplay.cards.documents import Json, read_json, read_text
from roleplay.cards.fields import flag, mapping, number, text
from roleplay.cards.talk import lines_of, said_in, turns_of
from roleplay.cards.world_info import OURS, ours_of
from roleplay.errors import CardError, FormError
from roleplay.records import Line

NARRATOR = "旁白"
_MOST_MESSAGES = 200_000
_MOST_SWIPES = 1_000
_HEADER = {"user_name", "name", "chat_metadata"}
"""A first line without a message has one of these."""

Said = tuple[Line, ...]
"""The lines of one message, all of one speaker or of nobody."""


@dataclass(frozen=True)
class Turn:
    """A message: its candidates, which of them is chosen, and the message as it was read."""

    swipes: tuple[Said, ...]
    chosen: int = 0
    row: Json = field(default_factory=dict)

    @property
    def lines(self) -> Said:
        """Those of the chosen candidate; none of a hidden message."""
        return self.swipes[self.chosen] if self.swipes else ()


@dataclass(frozen=True)
class Chat:
    """A chat; ``header`` is its first line, empty where the file begins with a message."""

    turns: tuple[Turn, ...]
    header: Json = field(default_factory=dict)

    @property
    def lines(self) -> list[Line]:
        """All chosen lines."""
        return [line for turn in self.turns for line in turn.lines]

    @classmethod
    def of_lines(cls, lines: Sequence[Line], *, user: str, character: str) -> Self:
        """The chat of a scene: what one says in a row is one message."""
        turns = (Turn((tuple(said),)) for _, said in turns_of(lines))
        return cls(tuple(turns), header_of(user=user, character=character))


def header_of(*, user: str, character: str) -> Json:
    """The first line of a chat."""
    return {"user_name": user, "character_name": character, "create_date": "", "chat_metadata": {}}


def read_chat(data: bytes) -> Chat:
    """The chat of a file.

    Raises:
        CardError: a line is no message; the error says which.
    """
    rows = [row for row in read_text(data).split("\n") if row.strip()]
    if len(rows) > _MOST_MESSAGES:
        raise CardError("cards.long-chat", most=_MOST_MESSAGES)
    read = [_row(number, row) for number, row in enumerate(rows, 1)]
    header = read.pop(0) if read and "mes" not in read[0] else {}
    if not (read or header) or (header and not _HEADER & header.keys()):
        raise CardError("cards.no-chat")
    return Chat(tuple(_turn(row, f"{i}.", header) for i, row in enumerate(read, 1)), header)


def write_chat(chat: Chat) -> bytes:
    """The file of a chat."""
    messages = (_message(turn, chat.header) for turn in chat.turns)
    rows = filter(None, (chat.header, *messages))
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _row(number: int, row: str) -> Json:
    try:
        read = read_json(row.encode())
    except CardError as error:
        raise CardError("cards.chat-line", number=number, reason=error) from error
    if not isinstance(read, dict):
        raise CardError("cards.chat-line", number=number, reason=CardError("cards.no-message"))
    return read


def _turn(row: Json, at: str, header: Json) -> Turn:
    """The turn of a message; places of errors begin with its number."""
    extra = mapping(row.get("extra"), f"{at}extra")
    if flag(False)(row.get("is_system"), f"{at}is_system"):
        return Turn((), 0, row)
    own = text(row.get("mes"), f"{at}mes")
    is_narrator = extra.get("type") == "narrator"
    is_user = flag(False)(row.get("is_user"), f"{at}is_user")
    given = header.get("user_name" if is_user else "character_name")
    name = text(row.get("name"), f"{at}name").strip() or str(given or "?").strip()
    texts, infos = _swipes(row, at), row.get("swipe_info")
    chosen = int(number(0)(row.get("swipe_id"), f"{at}swipe_id"))
    # The message counts where it and its swipe differ, as it does in SillyTavern.
    if not 0 <= chosen < len(texts):
        texts, chosen = [*texts, own], len(texts)
    texts[chosen] = own
    kept = [extra if i == chosen else _extra(infos, i) for i in range(len(texts))]
    speaker = None if is_narrator else name
    swipes = tuple(_said(said, speaker, more) for said, more in zip(texts, kept, strict=True))
    return Turn(swipes, chosen, row)


def _swipes(row: Json, at: str) -> list[str]:
    given = row.get("swipes")
    swipes = given[:_MOST_SWIPES] if isinstance(given, list) else []
    # Some programs have objects there.
    bare = [swipe.get("message", "") if isinstance(swipe, dict) else swipe for swipe in swipes]
    return [text(swipe, f"{at}swipes.{i}") for i, swipe in enumerate(bare)]


def _extra(infos: Any, i: int) -> Json:
    """What is said of a swipe beside the message."""
    info = infos[i] if isinstance(infos, list) and i < len(infos) else {}
    extra = info.get("extra") if isinstance(info, dict) else {}
    return extra if isinstance(extra, dict) else {}


def _said(shown: str, speaker: str | None, extra: Json) -> Said:
    """The lines of a message: ours, where its text still shows them."""
    rows = ours_of(extra).get("lines")
    try:
        lines = [line for row in rows or [] for line in Line.from_json(row)]
    except (FormError, TypeError):
        lines = []
    if lines and said_in(lines) == shown and {line.char for line in lines} == {speaker}:
        return tuple(lines)
    if speaker is None:
        return (Line(kind="info", text=shown),) if shown.strip() else ()
    return tuple(lines_of(shown, speaker))


def _message(turn: Turn, header: Json) -> Json:
    """The row of a turn; what was read and says the same is as it was."""
    before = _turn(turn.row, "", header) if turn.row else None
    if not turn.lines or (before and before == turn):
        return turn.row
    who = turn.lines[0].char
    is_user = who is not None and who == header.get("user_name")
    old = turn.row or {"name": who or NARRATOR, "is_user": is_user, "is_system": False}
    known = dict(zip(before.swipes, _swipes(old, ""), strict=False)) if before else {}
    shown = [known.get(said, said_in(said)) for said in turn.swipes]
    extra = _with_lines(mapping(old.get("extra"), "extra"), turn.lines)
    if who is None:
        extra = {"type": "narrator", **extra}
    row = {"send_date": "", **old, "mes": shown[turn.chosen], "extra": extra}
    if len(shown) > 1 or "swipes" in old:
        infos = old.get("swipe_info")
        row |= {"swipe_id": turn.chosen, "swipes": shown}
        row["swipe_info"] = [
            _info(infos, i, extra if i == turn.chosen else None, said)
            for i, said in enumerate(turn.swipes)
        ]
    return row


def _info(infos: Any, i: int, extra: Json | None, said: Said) -> Json:
    info = infos[i] if isinstance(infos, list) and i < len(infos) else {}
    known = info if isinstance(info, dict) else {}
    made = extra if extra is not None else _with_lines(_extra(infos, i), said)
    return {"send_date": "", **known, "extra": made}


def _with_lines(extra: Json, said: Said) -> Json:
    """What is said beside a message, with the lines that its text alone would not give back."""
    ours = {key: value for key, value in ours_of(extra).items() if key != "lines"}
    others = {key: value for key, value in extra.items() if key != OURS}
    plain = Turn((_said(said_in(said), said[0].char if said else None, {}),)).lines
    if plain != said:
        ours["lines"] = [line.to_json() for line in said]
    return others | ({OURS: ours} if ours else {})
