"""The IR: what a program is."""

from .arrays import as_array, exactly
from .errors import (
    CallError,
    GraphError,
    NonFiniteError,
    PassError,
    RunError,
    VerigradError,
    suggest,
)
from .graph import ALIGNMENT, Graph, Schedule
from .groups import Nodes, domain, holder, inside, kernel_groups, lanes
from .location import Location, created_at, warn
from .node import Layer, Node, Operand, apply
from .op import OPS, TRANSCENDENTAL, Array, IntShape, Op, OverRows, Product, Source, op
from .op_function import op_function
from .parser import parse
from .record import Record, Value, field
from .roles import roles
from .sources import (
    ArrayValue,
    Constant,
    FromArray,
    Initializer,
    Input,
    Parameter,
    State,
    constant,
    input,
    parameter,
    state,
)
from .types import NUMPY_DTYPES, Dim, Shape, TensorType, as_python, broadcast, dtype_name
from .verify import verify, violations
from .walk import depth_first, readers_of

__all__ = [
    "ALIGNMENT",
    "NUMPY_DTYPES",
    "OPS",
    "TRANSCENDENTAL",
    "Array",
    "ArrayValue",
    "CallError",
    "Constant",
    "Dim",
    "FromArray",
    "Graph",
    "GraphError",
    "Initializer",
    "Input",
    "IntShape",
    "Layer",
    "Location",
    "Node",
    "Nodes",
    "NonFiniteError",
    "Op",
    "Operand",
    "OverRows",
    "Parameter",
    "PassError",
    "Product",
    "Record",
    "RunError",
    "Schedule",
    "Shape",
    "Source",
    "State",
    "TensorType",
    "Value",
    "VerigradError",
    "apply",
    "as_array",
    "as_python",
    "broadcast",
    "constant",
    "created_at",
    "depth_first",
    "domain",
    "dtype_name",
    "exactly",
    "field",
    "holder",
    "input",
    "inside",
    "kernel_groups",
    "lanes",
    "op",
    "op_function",
    "parameter",
    "parse",
    "readers_of",
    "roles",
    "state",
    "suggest",
    "verify",
    "violations",
    "warn",
]
