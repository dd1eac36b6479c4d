"""The IR: what a program is."""

from .arguments import all_of, check_callable, check_kind, is_whole, sizes_of, whole_number
from .arrays import as_array, exactly, has
from .cached import cached_property
from .declare import constant, input, parameter, state
from .diagnosis import UNCHANGED, Diagnosis, Reading
from .difference import Difference
from .errors import (
    CallError,
    GraphError,
    ImmutableError,
    MissingError,
    NonFiniteError,
    NoRuleError,
    PassError,
    RefutedError,
    RunError,
    VerigradError,
    VerigradWarning,
    suggest,
)
from .fields import check_choice, check_flag, checked, is_number
from .frozen import Frozen
from .graph import ALIGNMENT, Graph, Schedule
from .groups import Nodes, computation, domain, holder, inside, inside_lanes, kernel_groups, lanes
from .hooks import check_hooks, is_ours
from .kernel import compute, kernel_call
from .layer import Layer
from .location import Location, created_at, raised_at, unplaced, warn, warnings_heard
from .modular.point import Point
from .modular.residues import Residues
from .naming import layer_of
from .node import Node, Operand, apply, check_name, check_node
from .op import OPS, TRANSCENDENTAL, Array, IntShape, Op, OverRows, Product, Source, op
from .op_function import op_function
from .quoting import cut, on_one_line, shortened, shown
from .record import Record, Value, field
from .roles import roles
from .settings import SETTINGS, unwarned
from .shards import (
    ShardSymbol,
    first_row,
    name_in_batch,
    name_in_shard,
    shard_symbol,
    size_of,
    whole_sizes,
    whole_symbols,
)
from .sources import (
    ArrayValue,
    Constant,
    FromArray,
    Initializer,
    Input,
    Parameter,
    State,
    is_frozen,
    is_trained,
)
from .text.parser import parse
from .types import (
    NUMPY_DTYPES,
    Dim,
    Shape,
    TensorType,
    as_python,
    broadcast,
    check_shape,
    dtype_name,
)
from .verify import Verifier, verify, violations
from .walk import depth_first, readers_of

__all__ = [
    "ALIGNMENT",
    "NUMPY_DTYPES",
    "OPS",
    "SETTINGS",
    "TRANSCENDENTAL",
    "UNCHANGED",
    "Array",
    "ArrayValue",
    "CallError",
    "Constant",
    "Diagnosis",
    "Difference",
    "Dim",
    "FromArray",
    "Frozen",
    "Graph",
    "GraphError",
    "ImmutableError",
    "Initializer",
    "Input",
    "IntShape",
    "Layer",
    "Location",
    "MissingError",
    "NoRuleError",
    "Node",
    "Nodes",
    "NonFiniteError",
    "Op",
    "Operand",
    "OverRows",
    "Parameter",
    "PassError",
    "Point",
    "Product",
    "Reading",
    "Record",
    "RefutedError",
    "Residues",
    "RunError",
    "Schedule",
    "Shape",
    "ShardSymbol",
    "Source",
    "State",
    "TensorType",
    "Value",
    "Verifier",
    "VerigradError",
    "VerigradWarning",
    "all_of",
    "apply",
    "as_array",
    "as_python",
    "broadcast",
    "cached_property",
    "check_callable",
    "check_choice",
    "check_flag",
    "check_hooks",
    "check_kind",
    "check_name",
    "check_node",
    "check_shape",
    "checked",
    "computation",
    "compute",
    "constant",
    "created_at",
    "cut",
    "depth_first",
    "domain",
    "dtype_name",
    "exactly",
    "field",
    "first_row",
    "has",
    "holder",
    "input",
    "inside",
    "inside_lanes",
    "is_frozen",
    "is_number",
    "is_ours",
    "is_trained",
    "is_whole",
    "kernel_call",
    "kernel_groups",
    "lanes",
    "layer_of",
    "name_in_batch",
    "name_in_shard",
    "on_one_line",
    "op",
    "op_function",
    "parameter",
    "parse",
    "raised_at",
    "readers_of",
    "roles",
    "shard_symbol",
    "shortened",
    "shown",
    "size_of",
    "sizes_of",
    "state",
    "suggest",
    "unplaced",
    "unwarned",
    "verify",
    "violations",
    "warn",
    "warnings_heard",
    "whole_number",
    "whole_sizes",
    "whole_symbols",
]
