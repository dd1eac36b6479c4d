"""The faults that are planted, by what they are in."""

from __future__ import annotations

from typing import Final

from catch.fault import PASSES, Fault
from catch.faults import formulas, gradients, kernels, passes, plans, running, sharding
from catch.user_passes import KINDS

_USERS: Final = [Fault(kind, PASSES, "", "", "", "") for kind in KINDS]
FAULTS: Final = (
    *gradients.FAULTS,
    *passes.FAULTS,
    *plans.FAULTS,
    *kernels.FAULTS,
    *formulas.FAULTS,
    *running.FAULTS,
    *sharding.FAULTS,
    *_USERS,
)
