"""HTML of the tabs for making. Text from people, novels and models is always escaped here."""

import hashlib
import time
from collections.abc import Collection, Mapping, Sequence
from html import escape

from roleplay.messages import Language
from roleplay.records import UNKNOWN
from roleplay.stages.library import STEPS, Step, Tile
from roleplay.stages.novel import Look
from roleplay.stages.runs import Sample, Seen
from roleplay.stages.speakers import Piece
from roleplay.ui.strings import say

_MARKS = {"running": "…", "done": "✓", "failed": "!", "stopped": "‖", "killed": "!"}
_OPENING = 8
_STAGES = ("distill", "knowledge", "dataset", "training", "making", "compare")


def hue(name: str) -> int:
    """A colour angle, 0 to 359, the same for a name everywhere."""
    return hashlib.sha256(name.encode()).digest()[0] * 360 // 256


def blank(text: str) -> str:
    """A place where nothing is yet."""
    return f'<div class="rp-blank">{escape(text)}</div>'


def note(text: str, kind: str = "") -> str:
    """A line to read."""
    return f'<p class="rp-hint {kind}">{escape(text)}</p>'


def duration(seconds: float, spoken: Language) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return say("seconds", spoken, count=max(1, round(seconds)))
    if seconds < 5400:
        return say("minutes", spoken, count=round(seconds / 60))
    return say("hours", spoken, count=f"{seconds / 3600:.1f}")


def size(count: int) -> str:
    """Bytes in megabytes."""
    return f"{count / 1e6:.1f} MB"


def stage_name(stage: str, spoken: Language) -> str:
    """What a stage is called in the page."""
    return say(f"stage_{stage}", spoken) if stage in _STAGES else stage


def progress(seen: Seen | None, spoken: Language) -> str:
    """The newest job: what it does, how far it is, how long it still takes, what it told."""
    if seen is None:
        return ""
    state = say(f"job_{seen.state}", spoken)
    head = f"<b>{escape(stage_name(seen.stage, spoken))}</b><span>{escape(state)}</span>"
    head += f"<span>{escape(_times(seen, spoken))}</span>"
    bar = ""
    if seen.running:
        share = "" if seen.share is None else f' value="{seen.share:.4f}"'
        bar = f'<progress max="1"{share} aria-label="{escape(state)}"></progress>'
    if seen.message:
        bar += f'<div class="rp-job-step">{escape(seen.message.text(spoken))}</div>'
    lines = "".join(f"<li>{escape(line.text(spoken))}</li>" for line in seen.lines)
    log = f"<details><summary>{escape(say('job_log', spoken))}</summary><ul>{lines}</ul></details>"
    wrong = f'<p class="rp-wrong">{escape(seen.error)}</p>' if seen.error else ""
    return (
        f'<div class="rp-job rp-job-{seen.state}" data-state="{seen.state}" role="status">'
        f'<div class="rp-job-head"><i>{_MARKS[seen.state]}</i>{head}</div>{bar}{wrong}'
        f"{log if lines else ''}</div>"
    )


def _times(seen: Seen, spoken: Language) -> str:
    told = [say("took", spoken, time=duration(seen.took, spoken))] if seen.took else []
    if seen.running and seen.done is not None:
        told.insert(0, f"{seen.done}/{seen.total}")
        if seen.rate:
            told.append(say("rate", spoken, rate=f"{seen.rate:.2g}"))
        if seen.left is not None:
            told.append(say("left", spoken, time=duration(seen.left, spoken)))
    return " · ".join(told)


def steps(
    path: Sequence[str],
    done: Collection[str],
    open_: Collection[str],
    at_work: tuple[str, float | None],
    shown: str,
    spoken: Language,
) -> str:
    """The path as a row: ticked what is done, how far the one at work is, grey what is to come."""
    items = []
    for number, step in enumerate(path, 1):
        working, share = step == at_work[0], at_work[1]
        mark = "…" if working else "✓" if step in done else str(number)
        state = "working" if working else "done" if step in done else "open"
        part = f" {share:.0%}" if working and share is not None else ""
        current = ' aria-current="step"' if step == shown else ""
        disabled = "" if step in open_ else " disabled"
        items.append(
            f'<li><button type="button" data-name="{step}" class="rp-step rp-step-{state}"{current}'
            f"{disabled}><i>{mark}</i><span>{escape(say(f'step_{step}', spoken))}{part}</span>"
            "</button></li>"
        )
    return f'<ol class="rp-steps">{"".join(items)}</ol>'


def tiles(worlds: Sequence[Tile], chosen: str, spoken: Language) -> str:
    """The library: a tile for each world, to be clicked."""
    if not worlds:
        return blank(say("library_empty", spoken))
    made = "".join(_tile(one, one.name == chosen, spoken) for one in worlds)
    return f'<div class="rp-tiles" role="group">{made}</div>'


def _tile(tile: Tile, chosen: bool, spoken: Language) -> str:
    people = "、".join(tile.characters[:6]) + ("…" if len(tile.characters) > 6 else "")
    if tile.problem:
        people = tile.problem.text(spoken)
    done = "".join(_step_mark(step, step in tile.done, spoken) for step in STEPS)
    when = time.strftime("%Y-%m-%d", time.localtime(tile.changed))
    shipped = f"<em>{escape(say('shipped', spoken))}</em>" if tile.shipped else ""
    return (
        f'<button type="button" class="rp-tile" data-name="{escape(tile.name)}" '
        f'aria-pressed="{str(chosen).lower()}" style="--hue:{hue(tile.name)}">'
        f"<strong>{escape(tile.title)}</strong>{shipped}"
        f'<span class="rp-tile-people">{escape(people or say("nobody_yet", spoken))}</span>'
        f'<span class="rp-tile-done">{done}</span>'
        f'<span class="rp-tile-foot">{when} · {size(tile.size)}</span></button>'
    )


def _step_mark(step: Step, done: bool, spoken: Language) -> str:
    mark, name = ("✓", "rp-done") if done else ("○", "rp-undone")
    return f'<span class="{name}">{mark} {escape(say(f"step_{step}", spoken))}</span>'


def novel(seen: Look, spoken: Language) -> str:
    """How a novel reads: its first lines, and its chapters, folded."""
    facts = {"encoding": seen.encoding, "size": f"{seen.size:,}", "chapters": len(seen.chapters)}
    head = f"<p>{escape(say('novel_facts', spoken, **facts))}</p>"
    notes = "".join(note(one.text(spoken)) for one in seen.notes)
    first = "\n".join([line for line in seen.opening.split("\n") if line.strip()][:_OPENING])
    opening = f'<blockquote class="rp-opening">{_text(first)}…</blockquote>'
    parts = "".join(
        f"<li><b>{escape(part.title)}</b> <small>{part.size:,}</small>"
        f"<div>{escape(part.opening)}…</div></li>"
        for part in seen.chapters[:400]
    )
    title = escape(say("chapters_found", spoken, count=len(seen.chapters)))
    folded = f'<details class="rp-fold"><summary>{title}</summary><ol>{parts}</ol></details>'
    return f'<div class="rp-novel">{head}{notes}{opening}{folded}</div>'


def quotes(pieces: Sequence[Piece], chosen: int | None, spoken: Language) -> str:
    """The novel's text, each quote in its speaker's colour and to be clicked."""
    return f'<div class="rp-quotes">{"".join(_piece(one, chosen, spoken) for one in pieces)}</div>'


def doubtful(scenes: Sequence[Sequence[Piece]], wanted: Sequence[int], spoken: Language) -> str:
    """Doubtful quotes, each between the lines around it."""
    blocks = []
    for scene, number in zip(scenes, wanted, strict=True):
        rows = "".join(
            f'<div class="{"rp-wanted" if one.number == number else ""}">'
            f"{_piece(one, number if one.number == number else None, spoken)}</div>"
            for one in scene
        )
        reason = next((one.line.reason for one in scene if one.number == number and one.line), "")
        # The reasons that distilling writes are English.
        told = f"<small>{escape(reason)}</small>" if reason and spoken == "en" else ""
        blocks.append(f'<div class="rp-doubt">{rows}{told}</div>')
    return f'<div class="rp-quotes">{"".join(blocks)}</div>'


def _piece(piece: Piece, chosen: int | None, spoken: Language) -> str:
    if piece.number is None or piece.line is None:
        return f'<span class="rp-told">{_text(piece.text)}</span>'
    name = piece.line.char or UNKNOWN
    shown = say("nobody", spoken) if name == UNKNOWN else name
    classes = ["rp-quote"]
    classes += ["rp-unsure"] if piece.doubtful else []
    classes += ["rp-chosen"] if piece.number == chosen else []
    return (
        f'<span class="{" ".join(classes)}" role="button" tabindex="0" '
        f'data-number="{piece.number}" style="--hue:{hue(name)}">'
        f"<sup>{escape(shown)}</sup>{_text(piece.text)}</span>"
    )


def _text(text: str) -> str:
    return escape(text).replace("\n", "<br>")


def samples(shown: Sequence[Sample], spoken: Language) -> str:
    """The same questions, answered at each evaluation, side by side."""
    if not shown:
        return ""
    steps = sorted({step for one in shown for step, _ in one.replies})
    head = "".join(f"<th>{escape(say('at_step', spoken, step=step))}</th>" for step in steps)
    rows = "".join(_sample(one, steps) for one in shown)
    about = escape(say("same_prompt", spoken))
    return (
        '<div class="rp-wide" tabindex="0"><table class="rp-samples">'
        f"<thead><tr><th>{about}</th>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _sample(sample: Sample, steps: Sequence[int]) -> str:
    replies = dict(sample.replies)
    lines = [line for line in sample.prompt.strip().split("\n") if line.strip()][-3:]
    prompt = "<br>".join(escape(line[-60:]) for line in lines)
    cells = "".join(f"<td>{escape(replies.get(step, ''))}</td>" for step in steps)
    return f"<tr><th>{prompt}</th>{cells}</tr>"


def reached(result: Mapping[str, float], spoken: Language) -> str:
    """What a training came to, in words."""
    if not {"base_loss", "test_loss"} <= result.keys():
        return ""
    before, after = result["base_loss"], result["test_loss"]
    gain = 1 - after / before
    key = "reached_well" if gain > 0.1 else "reached_some" if gain > 0.02 else "reached_little"
    values = {"before": f"{before:.2f}", "after": f"{after:.2f}", "gain": f"{gain:.0%}"}
    return note(say(key, spoken, **values), "rp-reached")
