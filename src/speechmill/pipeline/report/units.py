# SPDX-License-Identifier: Apache-2.0
"""How the report writes durations, counts and numbers."""

from __future__ import annotations


def duration(hours: float) -> str:
    """Write hours in the unit that reads best.

    >>> duration(12.345), duration(0.5), duration(0.01), duration(0.0)
    ('12.3 h', '30 min', '36 s', '0 h')
    """
    if hours >= 100:
        return f"{hours:,.0f} h"
    if hours >= 1:
        return f"{hours:.1f} h"
    if hours >= 1 / 60:
        return f"{hours * 60:.3g} min"
    return f"{hours * 3600:.3g} s" if hours > 0 else "0 h"


def clock(seconds: float) -> str:
    """Write a position in a recording.

    >>> clock(3725.25), clock(5)
    ('1:02:05.25', '0:05.00')
    """
    minutes, rest = divmod(round(seconds * 100), 6000)
    hours, minutes = divmod(minutes, 60)
    end = f"{rest // 100:02d}.{rest % 100:02d}"
    return f"{hours}:{minutes:02d}:{end}" if hours else f"{minutes}:{end}"


def share(part: float, whole: float) -> str:
    """Write a share in percent.

    >>> share(1, 3), share(1, 3000), share(0, 0)
    ('33 %', '0.033 %', '-')
    """
    if whole <= 0:
        return "-"
    percent = 100 * part / whole
    return f"{percent:.0f} %" if percent >= 9.95 or percent == 0 else f"{percent:.2g} %"


def count(number: int, name: str) -> str:
    """Write a count with its noun.

    >>> count(1, "recording"), count(1200, "segment")
    ('1 recording', '1,200 segments')
    """
    return f"{number:,} {name}" + ("" if number == 1 else "s")


def plain(value: float) -> str:
    """Write a score or a threshold with four significant digits.

    >>> plain(3.14159), plain(25.0), plain(-0.00001234)
    ('3.142', '25', '-1.234e-05')
    """
    return f"{value:.4g}"
