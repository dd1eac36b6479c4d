"""Everything that runs: interpreter, plans, programs, training, checks, files, command line."""

from .checking.contract import OpReport, check_op
from .checking.gradcheck import GradcheckReport, gradcheck
from .files import load
from .interpreter import Interpretation, interpret
from .plan import Plan
from .program import Program, compile

__all__ = [
    "GradcheckReport",
    "Interpretation",
    "OpReport",
    "Plan",
    "Program",
    "check_op",
    "compile",
    "gradcheck",
    "interpret",
    "load",
]
