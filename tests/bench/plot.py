"""Charts as SVG, without any package: groups of bars, a group for each label and one bar a series;
and shares against what they should be."""

from __future__ import annotations

import html
import math
import pathlib

COLOURS = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377"]
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 640, 360, 60, 56, 48


def _text(x: float, y: float, text: str, anchor: str = "middle", size: int = 12) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">'
        f"{html.escape(text)}</text>"
    )


def _bar(x: float, y: float, width: float, colour: str, value: float) -> str:
    base = HEIGHT - BOTTOM
    box = f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{base - y:.1f}"'
    return f'{box} fill="{colour}"/>' + _text(x + width / 2, y - 4, f"{value:.3g}", size=11)


def _legend(names: list[str]) -> list[str]:
    parts = []
    for k, name in enumerate(names):
        x, colour = LEFT + 150 * k, COLOURS[k % len(COLOURS)]
        parts.append(f'<rect x="{x}" y="{HEIGHT - 20}" width="12" height="12" fill="{colour}"/>')
        parts.append(_text(x + 18, HEIGHT - 10, name, "start"))
    return parts


def bars(
    path: pathlib.Path, title: str, unit: str, labels: list[str], series: dict[str, list[float]]
) -> None:
    """Writes the chart; every series has a value for each label."""
    top = max(max(values) for values in series.values()) * 1.1 or 1.0
    height = HEIGHT - TOP - BOTTOM
    group = (WIDTH - LEFT - 16) / len(labels)
    width = 0.8 * group / len(series)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(WIDTH / 2, 20, title, size=15),
        _text(LEFT - 8, TOP - 8, unit, "start"),
        f'<line x1="{LEFT}" y1="{HEIGHT - BOTTOM}" x2="{WIDTH - 16}" y2="{HEIGHT - BOTTOM}" '
        'stroke="black"/>',
    ]
    for i, label in enumerate(labels):
        parts.append(_text(LEFT + group * (i + 0.5), HEIGHT - BOTTOM + 18, label))
        for k, values in enumerate(series.values()):
            x = LEFT + group * (i + 0.1) + width * k
            y = TOP + height * (1 - values[i] / top)
            parts.append(_bar(x, y, width * 0.92, COLOURS[k % len(COLOURS)], values[i]))
    parts += _legend(list(series))
    path.write_text("\n".join([*parts, "</svg>"]) + "\n", encoding="utf-8")


def shares(
    path: pathlib.Path,
    title: str,
    units: tuple[str, str],
    expected: list[float],
    series: dict[str, list[float]],
) -> None:
    """Writes points over what they should be, both axes in octaves, and the line where they are
    equal, between those of 15 % less and more."""
    low = min(expected) / 2
    side, base, reach = WIDTH - LEFT - 24, HEIGHT - BOTTOM - 14, HEIGHT - BOTTOM - 14 - TOP

    def at(x: float, y: float) -> tuple[float, float]:
        part = [math.log(max(v, low) / low) / math.log(1.4 / low) for v in (x, y)]
        return LEFT + side * part[0], base - reach * part[1]

    def line(x0: float, y0: float, x1: float, y1: float, style: str) -> str:
        return f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" {style}/>'

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(WIDTH / 2, 20, title, size=15),
        _text(LEFT - 8, TOP - 12, units[1], "start"),
        _text(WIDTH - 24, base + 30, units[0], "end"),
        line(LEFT, base, LEFT + side, base, 'stroke="black"'),
        line(LEFT, base, LEFT, TOP, 'stroke="black"'),
    ]
    for value in expected:
        parts.append(_text(at(value, value)[0], base + 16, f"{value:.4g}"))
        parts.append(_text(LEFT - 6, at(value, value)[1] + 4, f"{value:.4g}", "end", 11))
    for factor in (0.85, 1, 1.15):
        style = "" if factor == 1 else ' stroke-dasharray="4"'
        first, last = max(low, low / factor), min(1.4, 1.4 / factor)
        ends = (*at(first, first * factor), *at(last, last * factor))
        parts.append(line(*ends, f'stroke="#888888"{style}'))
    for k, values in enumerate(series.values()):
        for want, value in zip(expected, values, strict=True):
            x, y = at(want, value)
            colour = COLOURS[k % len(COLOURS)]
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>')
            where = (x + 10, y + 14, f"{value:.3f}", "start")
            parts.append(_text(*(where if k % 2 else (x - 10, y - 6, f"{value:.3f}", "end")), 11))
    parts += _legend(list(series))
    path.write_text("\n".join([*parts, "</svg>"]) + "\n", encoding="utf-8")
