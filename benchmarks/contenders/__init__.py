"""Who takes part: each contender with the file that runs it and the packages that it needs."""

from __future__ import annotations

from .contender import CONTENDERS, FLOOR, OURS, Contender, Predictor, Trainer, UnavailableError

__all__ = ["CONTENDERS", "FLOOR", "OURS", "Contender", "Predictor", "Trainer", "UnavailableError"]
