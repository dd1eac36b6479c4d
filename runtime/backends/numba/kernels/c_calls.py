"""Calls of C functions by their addresses: compiled kernels, the BLAS, a clock."""

from __future__ import annotations

from typing import Any, Final

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .....ops.blas import AS_IT_IS, ROW_MAJOR, TRANSPOSED
from .intrinsics import Codegen

_BYTE: Final = ir.IntType(8)
_WORD: Final = ir.IntType(64)


@intrinsic
def call_kernel(typing: Any, function: Any, words: Any) -> tuple[Any, Codegen]:
    """`void function(int64)`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _call(builder, args[0], ir.VoidType(), [_WORD], [args[1]])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def call_getter(typing: Any, function: Any) -> tuple[Any, Codegen]:
    """`int function(void)`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        result = _call(builder, args[0], ir.IntType(32), [], [])
        return builder.sext(result, _WORD)

    return types.int64(types.int64), codegen


@intrinsic
def call_setter(typing: Any, function: Any, value: Any) -> tuple[Any, Codegen]:
    """`void function(int)`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        narrow = builder.trunc(args[1], ir.IntType(32))
        _call(builder, args[0], ir.VoidType(), [ir.IntType(32)], [narrow])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def call_clock(typing: Any, function: Any, clock: Any, words: Any) -> tuple[Any, Codegen]:
    """`int clock_gettime(int, struct timespec *)`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        narrow = ir.IntType(32)
        arguments = [builder.trunc(args[1], narrow), builder.inttoptr(args[2], _BYTE.as_pointer())]
        _call(builder, args[0], narrow, [narrow, _BYTE.as_pointer()], arguments)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


def gemm(real: Any, width: int) -> Any:
    """`cblas_?gemm` for floats of a type, and integers so many bits wide, row-major:
    c = alpha a b + beta c.

    Takes its address, whether a and b are transposed, rows, columns and inner size of the result,
    address and row length of a, b and c, and the addresses of alpha and beta.
    """

    @intrinsic
    def call(
        typing: Any, function: Any, turned_a: Any, turned_b: Any, m: Any, n: Any, k: Any,
        a: Any, lda: Any, b: Any, ldb: Any, c: Any, ldc: Any, alpha: Any, beta: Any,
    ) -> tuple[Any, Codegen]:  # fmt: skip
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            f, ta, tb, m, n, k, a, lda, b, ldb, c, ldc, alpha, beta = args
            c_call = _Cblas(builder, real, width)
            c_call.enum(ir.Constant(ir.IntType(32), ROW_MAJOR))
            c_call.enum(_turned(builder, ta))
            c_call.enum(_turned(builder, tb))
            c_call.integers(m, n, k)
            c_call.number_at(alpha)
            c_call.matrix(a, lda)
            c_call.matrix(b, ldb)
            c_call.number_at(beta)
            c_call.matrix(c, ldc)
            c_call.make(f)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 14), codegen

    return call


def gemv(real: Any, width: int) -> Any:
    """`cblas_?gemv`: y = a x, row-major, for vectors without gaps.

    Takes its address, whether a is transposed, rows and columns of a as it lies, and the
    addresses of a, x and y.
    """

    @intrinsic
    def call(
        typing: Any, function: Any, turned: Any, m: Any, n: Any, a: Any, x: Any, y: Any
    ) -> tuple[Any, Codegen]:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            f, turned, m, n, a, x, y = args
            one = ir.Constant(_WORD, 1)
            c_call = _Cblas(builder, real, width)
            c_call.enum(ir.Constant(ir.IntType(32), ROW_MAJOR))
            c_call.enum(_turned(builder, turned))
            c_call.integers(m, n)
            c_call.number(1.0)
            c_call.matrix(a, n)
            c_call.matrix(x, one)
            c_call.number(0.0)
            c_call.matrix(y, one)
            c_call.make(f)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 7), codegen

    return call


gemm_f32, gemm_f64 = gemm(ir.FloatType(), 64), gemm(ir.DoubleType(), 64)
gemm_f32_i32, gemm_f64_i32 = gemm(ir.FloatType(), 32), gemm(ir.DoubleType(), 32)
gemv_f32, gemv_f64 = gemv(ir.FloatType(), 64), gemv(ir.DoubleType(), 64)
gemv_f32_i32, gemv_f64_i32 = gemv(ir.FloatType(), 32), gemv(ir.DoubleType(), 32)


class _Cblas:
    """A call of the BLAS, its arguments put together one by one."""

    def __init__(self, builder: Any, real: Any, width: int) -> None:
        self._builder = builder
        self._real = real
        self._integer = ir.IntType(width)
        self._types: list[Any] = []
        self._args: list[Any] = []

    def enum(self, value: Any) -> None:
        self._add(ir.IntType(32), value)

    def integers(self, *values: Any) -> None:
        for value in values:
            narrow = self._integer.width < _WORD.width
            integer = self._builder.trunc(value, self._integer) if narrow else value
            self._add(self._integer, integer)

    def number(self, value: float) -> None:
        self._add(self._real, ir.Constant(self._real, value))

    def number_at(self, address: Any) -> None:
        place = self._builder.inttoptr(address, self._real.as_pointer())
        self._add(self._real, self._builder.load(place))

    def matrix(self, address: Any, length: Any) -> None:
        self._add(_BYTE.as_pointer(), self._builder.inttoptr(address, _BYTE.as_pointer()))
        self.integers(length)

    def make(self, function: Any) -> None:
        _call(self._builder, function, ir.VoidType(), self._types, self._args)

    def _add(self, kind: Any, value: Any) -> None:
        self._types.append(kind)
        self._args.append(value)


def _turned(builder: Any, flag: Any) -> Any:
    narrow = ir.IntType(32)
    is_set = builder.icmp_signed("!=", flag, ir.Constant(_WORD, 0))
    return builder.select(is_set, ir.Constant(narrow, TRANSPOSED), ir.Constant(narrow, AS_IT_IS))


def _call(builder: Any, address: Any, result: Any, kinds: Any, args: Any) -> Any:
    function = ir.FunctionType(result, kinds)
    return builder.call(builder.inttoptr(address, function.as_pointer()), args)
