"""Everything that runs: interpreter, plans, programs, training, checks, files, command line."""

from .files import load
from .interpreter import Interpretation, interpret
from .plan import Plan
from .program import Program, compile

__all__ = ["Interpretation", "Plan", "Program", "compile", "interpret", "load"]
