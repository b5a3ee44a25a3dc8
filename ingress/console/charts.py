"""Draws the last 24 hours: shapes for SVG, one slot per hour. Pure; it knows nothing of words or colours.

Every shape is one path, so that a page with many small charts stays small. Which is which the style sheet says.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from workers.figures import LATER, Hour, whole_day

WIDTH, HEIGHT = 480, 120
SLOT = 20
BAR = 14
# Above this line stands what went well, below it what failed.
BASE, TOP, BOTTOM = 94, 6, 118
LEAST, FEW = 3, 5
# The bounds that `arrived` may hold, from quick to slow; what took longer is the last. A test compares with the scripts.
BOUNDS: tuple[timedelta, ...] = (
    *(timedelta(milliseconds=ms) for ms in (250, 500)),
    *(timedelta(seconds=seconds) for seconds in (1, 2, 5, 10, 30)),
    *(timedelta(minutes=minutes) for minutes in (1, 5, 15)),
    *(timedelta(hours=hours) for hours in (1, 4)),
    LATER,
)
STEP = (HEIGHT - 4) / len(BOUNDS)
# The lines across the second chart.
LINES = (timedelta(seconds=1), timedelta(seconds=10), timedelta(minutes=1), timedelta(hours=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The shapes of a day. `most`: what the highest bar stands for. `spread` and `half`: how soon edits were in Twikey."""

    hours: Sequence[Hour]
    all: Hour
    most: int
    accepted: str
    arrived: str
    failed: str
    spread: str
    half: str

    @property
    def quiet(self) -> bool:
        """Nothing happened at all."""
        return not (self.all.accepted or self.all.synced or self.all.unchanged or self.all.failed)


@dataclass(frozen=True, slots=True)
class Scale:
    """How the second chart names bounds: what is beyond the longest, the longest, and the lines drawn across with their places."""

    later: timedelta
    longest: timedelta
    lines: Sequence[tuple[timedelta, float]]


def day(hours: Sequence[Hour]) -> Day:
    """Draws 24 hours."""
    most = max(max(hour.accepted, well(hour)) for hour in hours)
    # A single failure among many is no tower.
    failed = max(FEW, *(hour.failed for hour in hours))
    return Day(
        hours=hours,
        all=whole_day(hours),
        most=most,
        accepted=_bars(hours, lambda hour: hour.accepted, most, up=True),
        arrived=_bars(hours, well, most, up=True, inset=3),
        failed=_bars(hours, lambda hour: hour.failed, failed, up=False),
        spread="".join(_spread(slot, hour) for slot, hour in enumerate(hours)),
        half="".join(_half(slot, hour) for slot, hour in enumerate(hours)),
    )


def well(hour: Hour) -> int:
    """How often Twikey was brought up to date, or was so already."""
    return hour.synced + hour.unchanged


def line(bound: timedelta) -> float:
    """Where the line of a bound lies in the second chart."""
    return round(HEIGHT - 2 - (BOUNDS.index(bound) + 1) * STEP, 1)


def _bars(hours: Sequence[Hour], of: Callable[[Hour], int], most: int, *, up: bool, inset: int = 0) -> str:
    room = BASE - TOP if up else BOTTOM - BASE - 2
    heights = [_height(of(hour), most, room) for hour in hours]
    return "".join(_bar(slot, height, up, inset) for slot, height in enumerate(heights) if height)


def _height(number: int, most: int, room: int) -> int:
    """Whatever there was at all can be seen."""
    return max(LEAST, round(room * number / most)) if number else 0


def _bar(slot: int, height: int, up: bool, inset: int) -> str:
    left, width = slot * SLOT + (SLOT - BAR) // 2 + inset, BAR - 2 * inset
    return f"M{left} {BASE if up else BASE + 2}h{width}v{-height if up else height}h{-width}z"


def _spread(slot: int, hour: Hour) -> str:
    """From the bound that half of the edits kept to the one that 95 of 100 kept."""
    if hour.p50 is None or hour.p95 is None:
        return ""
    top, bottom = line(hour.p95), line(hour.p50) + STEP
    return f"M{slot * SLOT + 3} {bottom:.1f}h{BAR}V{top:.1f}h{-BAR}z"


def _half(slot: int, hour: Hour) -> str:
    if hour.p50 is None:
        return ""
    return f"M{slot * SLOT + 3} {line(hour.p50) + STEP:.1f}h{BAR}v{-STEP:.1f}h{-BAR}z"


SCALE = Scale(LATER, BOUNDS[-2], tuple((bound, line(bound)) for bound in LINES))
