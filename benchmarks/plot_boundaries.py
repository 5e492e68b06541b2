# SPDX-License-Identifier: Apache-2.0
"""Draw `docs/images/boundary-errors.svg`: the share of boundaries that are off by no more than so many milliseconds.

Each set is aligned by the whole command, with a model trained on itself, as `benchmarks/align.py` does with its first
seed, and judged on the odd half alone. Rings are what MFA 3.4.3 is published with, on all of each set.

    python benchmarks/plot_boundaries.py [--data FOLDER] [--out FILE.svg]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from msgspec import Struct

from align import DATA, Gold, gold, intervals, timed

FILE = Path(__file__).resolve().parents[1] / "docs" / "images" / "boundary-errors.svg"
WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 60, 30, 20, 50
LIMITS = range(101)  # ms


class Series(Struct, frozen=True):
    """A set, how it is drawn, and MFA's published shares."""

    name: str
    legend: str
    colour: str
    dash: str
    mfa: dict[int, float]


SERIES = (
    Series("voxangeles_dev", "VoxAngeles, onsets of phones", "#0072b2", "", {25: 71.0}),
    Series(
        "espeak_vi", "espeak_vi, starts and ends of words", "#d55e00", "", {10: 68.0, 25: 79.0, 50: 88.0, 100: 97.0}
    ),
    Series("espeak_vi_graphemes", "espeak_vi, letters as phones", "#d55e00", "6 4", {}),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=FILE)
    options = parser.parse_args()
    if not options.data.is_dir():
        sys.exit(f"{options.data}: no such folder. Name the data with --data FOLDER")
    shares = {one.name: shares_of(one.name, options.data) for one in SERIES}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(picture(shares), encoding="utf-8")
    print(json.dumps({"rows": [row for one in SERIES for row in rows(one, shares[one.name])]}))


def shares_of(name: str, data: Path) -> list[float]:
    """Align a set; return the per cent of errors within each limit."""
    with tempfile.TemporaryDirectory() as folder:
        one = gold(name, data, Path(folder) / "gold", 0)
        lexicon = [str(one.lexicon)] if one.lexicon else []
        timed([sys.executable, "-m", "speechmill", "align", str(one.corpus), *lexicon, f"{folder}/out", "--seed", "0"])
        off = errors(one, Path(folder) / "out")
    return [float(np.mean(off <= limit)) * 100 for limit in LIMITS]


def errors(one: Gold, out: Path) -> np.ndarray:
    """Return the errors of the odd half in ms: of onsets of phones, or of starts and ends of words."""
    found = {path.stem: path for path in out.rglob("*.TextGrid")}
    off: list[float] = []
    for key, truth in sorted(one.units.items())[1::2]:
        units = intervals(found[key], one.tier) if key in found else []
        if len(units) == len(truth):
            pairs = list(zip(units, truth, strict=True))
            off += [abs(unit[0] - true[0]) * 1000 for unit, true in pairs]
            off += [abs(unit[1] - true[1]) * 1000 for unit, true in pairs if one.tier == "words"]
    return np.array(off)


def rows(one: Series, shares: list[float]) -> list[dict[str, object]]:
    return [
        {
            "name": f"{one.name}.le{limit}",
            "unit": "per cent of errors",
            "ours": round(shares[limit], 1),
            "baseline": one.mfa.get(limit),
            "baseline_name": "MFA 3.4.3, published",
            "ratio": round(shares[limit] / one.mfa[limit], 2) if limit in one.mfa else None,
        }
        for limit in (10, 25, 50, 100)
    ]


def picture(shares: dict[str, list[float]]) -> str:
    """Return an SVG: axes, a curve for each set, a ring for each figure of MFA's."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        'font-size="13" fill="#333">',
        "<title>Share of boundaries within so many milliseconds of the truth</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        *axes(),
    ]
    for one in SERIES:
        points = " ".join(
            f"{across(limit):.1f},{up(share):.1f}" for limit, share in zip(LIMITS, shares[one.name], strict=True)
        )
        dash = f' stroke-dasharray="{one.dash}"' if one.dash else ""
        parts.append(f'<polyline points="{points}" fill="none" stroke="{one.colour}" stroke-width="2"{dash}/>')
        parts += [ring(across(limit), up(share), one.colour) for limit, share in one.mfa.items()]
    return "\n".join([*parts, *legend(), "</svg>"]) + "\n"


def across(limit: float) -> float:
    return LEFT + limit / LIMITS[-1] * (WIDTH - LEFT - RIGHT)


def up(share: float) -> float:
    return HEIGHT - BOTTOM - share / 100 * (HEIGHT - TOP - BOTTOM)


def ring(x: float, y: float, colour: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="#fff" stroke="{colour}" stroke-width="2"/>'


def axes() -> list[str]:
    parts = []
    for share in range(0, 101, 20):
        parts.append(f'<path d="M{LEFT} {up(share):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{up(share) + 4:.1f}" text-anchor="end">{share} %</text>')
    for limit in (0, 10, 25, 50, 75, 100):
        parts.append(f'<path d="M{across(limit):.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#ddd"/>')
        parts.append(f'<text x="{across(limit):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{limit}</text>')
    return [
        *parts,
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">off by at most, ms</text>',
    ]


def legend() -> list[str]:
    x, y = across(52), up(42)
    parts = []
    for number, one in enumerate(SERIES):
        at, dash = y + 22 * number, f' stroke-dasharray="{one.dash}"' if one.dash else ""
        parts.append(f'<path d="M{x:.1f} {at:.1f}h30" stroke="{one.colour}" stroke-width="2"{dash}/>')
        parts.append(f'<text x="{x + 40:.1f}" y="{at + 4:.1f}">{one.legend}</text>')
    at = y + 22 * len(SERIES)
    return [*parts, ring(x + 15, at, "#333"), f'<text x="{x + 40:.1f}" y="{at + 4:.1f}">MFA 3.4.3, published</text>']


if __name__ == "__main__":
    main()
