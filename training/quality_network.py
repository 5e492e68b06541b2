# SPDX-License-Identifier: Apache-2.0
"""The network that estimates STOI and PESQ: one trunk, two heads, 0.2 million weights.

Convolutions over time and frequency bring 16 ms frames of 48 bands to 64 ms steps; every step then sees its
neighbours (dilated convolutions, 3.7 s across) and the whole cut (its mean and deviation). STOI is an attention-
weighted mean of a value per step, as STOI itself is a mean over spans; PESQ, which weighs short disturbances, is
read off pooled steps.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

BANDS = 48
CHANNELS = (16, 32, 48, 64)
WIDTH = 96
DILATIONS = (1, 2, 4)
DROPPED = 0.15
PESQ_LOW, PESQ_HIGH = 1.0, 4.65


class Neighbours(nn.Module):
    """A residual depthwise convolution over steps."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(WIDTH, WIDTH, 5, padding=2 * dilation, dilation=dilation, groups=WIDTH, bias=False),
            nn.BatchNorm1d(WIDTH),
            nn.ReLU(),
            nn.Conv1d(WIDTH, WIDTH, 1),
        )

    def forward(self, steps: Tensor) -> Tensor:
        return steps + self.net(steps)


class Whole(nn.Module):
    """Tells every step what the whole cut is like."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2 * WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH))

    def forward(self, steps: Tensor) -> Tensor:
        return steps + self.net(moments(steps))[..., None]


class Estimator(nn.Module):
    """(num_cuts, num_frames, 48) -> STOI and PESQ of each cut, and STOI of each step of 64 ms."""

    def __init__(self, mean: np.ndarray | None = None, deviation: np.ndarray | None = None) -> None:
        super().__init__()
        self.register_buffer("mean", torch.as_tensor(np.zeros(BANDS) if mean is None else mean, dtype=torch.float32))
        self.register_buffer(
            "deviation", torch.as_tensor(np.ones(BANDS) if deviation is None else deviation, dtype=torch.float32)
        )
        layers: list[nn.Module] = []
        for before, after, stride in zip((1, *CHANNELS), CHANNELS, ((1, 2), (2, 2), (1, 2), (2, 2)), strict=False):
            layers += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.spectral = nn.Sequential(*layers)
        self.narrow = nn.Sequential(nn.Conv1d(CHANNELS[-1] * BANDS // 16, WIDTH, 1, bias=False), nn.BatchNorm1d(WIDTH))
        self.steps = nn.Sequential(
            nn.ReLU(), nn.Dropout1d(DROPPED), Whole(), *(Neighbours(d) for d in DILATIONS), nn.ReLU()
        )
        self.attention = nn.Conv1d(WIDTH, 2, 1)
        self.stoi = nn.Conv1d(WIDTH, 1, 1)
        self.pesq = nn.Sequential(nn.Dropout(DROPPED), nn.Linear(4 * WIDTH, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        planes = self._planes(((features - self.mean) / self.deviation)[:, None])
        steps = self.steps(self.narrow(planes.permute(0, 1, 3, 2).flatten(1, 2)))
        weights = torch.softmax(self.attention(steps), dim=2)
        per_step = torch.sigmoid(self.stoi(steps))[:, 0]
        stoi = (per_step * weights[:, 0]).sum(1)
        heard = (steps * weights[:, 1:]).sum(2)
        pesq = self.pesq(torch.cat([moments(steps), heard, steps.amax(2)], dim=1))[:, 0]
        return stoi, PESQ_LOW + (PESQ_HIGH - PESQ_LOW) * torch.sigmoid(pesq), per_step

    def _planes(self, bands: Tensor) -> Tensor:
        """The costly part; in training at half the precision, for a third less time."""
        if not self.training:
            return self.spectral(bands)
        with torch.autocast("cpu", torch.bfloat16):
            return self.spectral(bands.contiguous(memory_format=torch.channels_last)).float()


class Calibrated(nn.Module):
    """What is exported: the estimator, each score bent by a monotone broken line, (num_cuts, 2)."""

    def __init__(self, estimator: Estimator, lines: list[tuple[np.ndarray, np.ndarray]]) -> None:
        super().__init__()
        self.estimator = estimator
        self.lines = nn.ModuleList([BrokenLine(*line) for line in lines])

    def forward(self, features: Tensor) -> Tensor:
        stoi, pesq, _ = self.estimator(features)
        return torch.stack([self.lines[0](stoi).clamp(0.0, 1.0), self.lines[1](pesq).clamp(PESQ_LOW, PESQ_HIGH)], dim=1)


class BrokenLine(nn.Module):
    """Linear between knots and beyond them."""

    def __init__(self, knots: np.ndarray, values: np.ndarray) -> None:
        super().__init__()
        slopes = np.diff(values) / np.diff(knots)
        self.first, self.at, self.slope = float(knots[0]), float(values[0]), float(slopes[0])
        self.register_buffer("knots", torch.as_tensor(knots[1:-1], dtype=torch.float32))
        self.register_buffer("bends", torch.as_tensor(np.diff(slopes), dtype=torch.float32))

    def forward(self, score: Tensor) -> Tensor:
        bent = (torch.relu(score[:, None] - self.knots) * self.bends).sum(1)
        return self.at + self.slope * (score - self.first) + bent


def moments(steps: Tensor) -> Tensor:
    """Mean and standard deviation over time, (num_cuts, 2 * width)."""
    mean = steps.mean(2)
    deviation = torch.sqrt((steps - mean[..., None]).square().mean(2) + 1e-5)
    return torch.cat([mean, deviation], dim=1)
