"""A line chart as SVG, by hand: resident memory over time against the budget."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

_WIDTH, _HEIGHT = 860, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 200, 40, 40
_COLOURS = ("#1f6feb", "#d1242f", "#1a7f37", "#9a6700", "#8250df", "#57606a")


class Line(NamedTuple):
    """One line: its name and its (x, y) points."""

    name: str
    points: Sequence[tuple[float, float]]


def chart(title: str, lines: Sequence[Line], limits: Sequence[tuple[str, float]]) -> str:
    """The SVG text; x in seconds, y in MiB; limits are drawn dashed."""
    top_x = max((x for line in lines for x, _ in line.points), default=1.0) or 1.0
    top_y = max([y for line in lines for _, y in line.points] + [y for _, y in limits]) * 1.08

    def x(value: float) -> float:
        return round(_LEFT + value / top_x * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(value: float) -> float:
        return round(_HEIGHT - _BOTTOM - value / top_y * (_HEIGHT - _TOP - _BOTTOM), 1)

    body = [_text(_LEFT, 22, title, 14)]
    for step in range(6):
        value = top_y * step / 5
        body.append(
            f'<path d="M{_LEFT} {y(value)}H{_WIDTH - _RIGHT}" stroke="#d0d7de" stroke-width=".5"/>'
        )
        body.append(_text(8, y(value) + 4, f"{value:.0f} MiB"))
        body.append(_text(x(top_x * step / 5) - 8, _HEIGHT - 18, f"{top_x * step / 5:.0f} s"))
    for name, value in limits:
        body.append(
            f'<path d="M{_LEFT} {y(value)}H{_WIDTH - _RIGHT}" stroke="#24292f" '
            'stroke-dasharray="5 4" fill="none"/>'
        )
        body.append(_text(_WIDTH - _RIGHT + 8, y(value) + 4, name))
    for number, line in enumerate(lines):
        colour = _COLOURS[number % len(_COLOURS)]
        path = " ".join(f"{x(at)},{y(value)}" for at, value in line.points)
        body.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        body.append(_text(_WIDTH - _RIGHT + 8, _TOP + 60 + 16 * number, line.name, colour=colour))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'font-family="sans-serif"><rect width="100%" height="100%" fill="#fff"/>'
        + "".join(body)
        + "</svg>\n"
    )


def _text(x: float, y: float, text: str, size: int = 11, colour: str = "#24292f") -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" fill="{colour}">{escape(text)}</text>'
