"""Tensors of a file as arrays: their types, and what lies beside the file in its folder."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import numpy as np

from ....graph import Array, GraphError, RunError, shown
from ....graph.types import LARGEST
from ...optional import require

DTYPES: Final = {1: "f32", 11: "f64", 7: "i64", 6: "i64", 9: "bool"}
"""Our dtype for each element type of ONNX; int32 is read as i64."""
NUMPY_KINDS: Final = {
    1: np.float32, 2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16, 6: np.int64, 7: np.int64,
    9: np.bool_, 10: np.float16, 11: np.float64, 12: np.uint32, 13: np.uint64,
}  # fmt: skip
"""The NumPy dtype of a stored tensor of each element type; int32 is read as i64."""
_STRING: Final = 8


def type_name(number: int) -> str:
    """What ONNX calls an element type."""
    names = require("onnx", "onnx").TensorProto.DataType
    try:
        return str(names.Name(number)).lower()
    except ValueError:
        return f"number {number}"


def our_dtype(number: int, what: str) -> str:
    """Our dtype for an element type; GraphError, with what is of it, where there is none."""
    if number not in DTYPES:
        fix = "export the net in one of these, e.g. in float32"
        if number == _STRING:
            fix = "encode texts as numbers in front of the net, and export it from there"
        raise GraphError(
            f"{what} is of the type {type_name(number)}, where float, double, int64, int32 or bool "
            f"is expected\nfix: {fix}"
        )
    return DTYPES[number]


def to_array(tensor: Any, folder: Path | None) -> Array:
    """The array of a stored tensor; texts as an array of them.

    Raises GraphError where its data are not what its shape and type say, and RunError where they
    lie outside of `folder`, which is that of the file.
    """
    name, kind, shape = tensor.name, tensor.data_type, list(tensor.dims)
    what = f"the tensor {shown(name)}"
    if any(d < 0 for d in shape) or math.prod(shape) > LARGEST:
        raise GraphError(f"{what} has the shape {shown(shape)}, which no tensor has")
    if kind != _STRING and kind not in NUMPY_KINDS:
        raise GraphError(
            f"{what} is of the type {type_name(kind)}, which NumPy has not\nfix: export the net in "
            "float32"
        )
    numpy_helper, onnx = require("onnx.numpy_helper", "onnx"), require("onnx", "onnx")
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        tensor = _inside(tensor, folder, what)
    try:
        array = np.asarray(numpy_helper.to_array(tensor))
    except Exception as e:  # onnx fails in many ways on data of another size or type
        raise GraphError(f"{what}, {shown(shape)}, holds other data than it says: {e}") from None
    if array.shape != tuple(shape):
        raise GraphError(f"{what} holds {list(array.shape)}, where {shown(shape)} is expected")
    if kind == _STRING:
        return np.array([_text(t) for t in array.reshape(-1)], dtype=np.str_).reshape(shape)
    return array.astype(NUMPY_KINDS[kind])


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _inside(tensor: Any, folder: Path | None, what: str) -> Any:
    """The tensor with the bytes of the file beside it that holds them."""
    told = {entry.key: entry.value for entry in tensor.external_data}
    location = told.get("location", "")
    if folder is None:
        raise RunError(
            f"{what} lies in another file, {shown(location)}\nfix: give the path of the net's file"
        )
    try:
        offset, length = int(told.get("offset", 0)), int(told.get("length", -1))
        root = folder.resolve()
        path = (root / location).resolve()
        if not location or not path.is_relative_to(root) or not path.is_file() or offset < 0:
            raise ValueError("it is no file in the folder of the net")
        with path.open("rb") as file:
            there = file.seek(0, 2) - offset
            if length > there:
                raise ValueError(f"it ends {length - there} bytes early")
            file.seek(offset)
            data = file.read(there if length < 0 else length)
    except (OSError, ValueError) as e:
        raise RunError(f"{what} lies in {shown(location)}, which cannot be read: {e}") from None
    whole = type(tensor)()
    whole.CopyFrom(tensor)
    whole.ClearField("external_data")
    whole.data_location = 0
    whole.raw_data = data
    return whole
