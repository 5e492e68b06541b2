# SPDX-License-Identifier: Apache-2.0
"""Where a backend runs, as the corpus file says it: auto, cpu, cuda, cuda:1, triton://host:port.

A backend's module states DEVICES, the kinds it can use; without it, the CPU. Devices round differently, as versions of
a library do, so the device is no part of a fingerprint; where a search decides, rounding may change a word.
"""

from __future__ import annotations

import re
from types import ModuleType

from speechmill.core.errors import ConfigError, Unsupported

CPU = "cpu"
TRITON = "triton"
AUTO = "auto"
_WRITTEN = re.compile(r"auto|cpu|cuda(:\d+)?|triton://\S+")


def kind(device: str) -> str:
    """Return the kind of a device. Raises ConfigError where it is none.

    >>> kind("cuda:1"), kind("triton://localhost:8001")
    ('cuda', 'triton')
    """
    if not isinstance(device, str) or not _WRITTEN.fullmatch(device):
        raise ConfigError(f"device {device!r}: there are auto, cpu, cuda, cuda:N and triton://host:port")
    return device.split(":")[0]


def kinds(module: ModuleType) -> tuple[str, ...]:
    """Return the kinds of device that a backend can use."""
    return tuple(getattr(module, "DEVICES", (CPU,)))


def chosen(module: ModuleType, asked: str | None, everywhere: str) -> str:
    """Return a backend's device: what is asked of it, or else what is said for the corpus where it can use that.

    Raises ConfigError, and Unsupported where a device is asked of a backend that can't use it.
    """
    able = (*kinds(module), AUTO)
    if asked is None:
        return everywhere if kind(everywhere) in able else CPU
    if kind(asked) not in able:
        name = module.__name__.rpartition(".")[2]
        raise Unsupported(f"{name} can't use device {asked}; it can use: {', '.join(able)}")
    return asked
