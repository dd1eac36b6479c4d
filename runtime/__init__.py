"""Everything that runs: interpreter, plans, programs, training, checks, files, command line."""

from .checking.contract import OpReport, check_op
from .checking.gradcheck import GradcheckReport, gradcheck
from .data.digits import digits
from .files import load
from .interpreter import Interpretation, interpret
from .plan import Plan
from .program import Program, compile
from .training.fit import Callback, fit
from .training.history import History, Row
from .training.measure import Measurement, measure

__all__ = [
    "Callback",
    "GradcheckReport",
    "History",
    "Interpretation",
    "Measurement",
    "OpReport",
    "Plan",
    "Program",
    "Row",
    "check_op",
    "compile",
    "digits",
    "fit",
    "gradcheck",
    "interpret",
    "load",
    "measure",
]
