"""verigrad: a computation-graph compiler for training small networks, that you can check."""

from .graph import *
from .ops import *
from .passes import *
from .runtime import *
