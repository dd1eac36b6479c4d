"""What Numba's Python cannot say: addresses as memory, atomic words, bits of numbers."""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any, Final

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

Codegen = Callable[[Any, Any, Any, Any], Any]

_BYTE: Final = ir.IntType(8)
_WORD: Final = ir.IntType(64)
_X86: Final = ("llvm.x86.sse2.pause", ())
_ARM: Final = ("llvm.aarch64.hint", (1,))
_PAUSES: Final = {"x86_64": _X86, "amd64": _X86, "aarch64": _ARM, "arm64": _ARM}


@intrinsic
def pointer(typing: Any, address: Any) -> tuple[Any, Codegen]:
    """An address as a `void *`, which `carray` takes."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], _BYTE.as_pointer())

    return types.voidptr(types.int64), codegen


@intrinsic
def load(typing: Any, address: Any) -> tuple[Any, Codegen]:
    """The word at an address, and all that was written before it was."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(_word(builder, args[0]), "acquire", 8)

    return types.int64(types.int64), codegen


@intrinsic
def store(typing: Any, address: Any, value: Any) -> tuple[Any, Codegen]:
    """Writes a word, and before it all that was to be written."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store_atomic(args[1], _word(builder, args[0]), "release", 8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def swap(typing: Any, address: Any, old: Any, new: Any) -> tuple[Any, Codegen]:
    """Puts a new word in the place of an old one; whether it was there."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = _word(builder, args[0])
        exchanged = builder.cmpxchg(word, args[1], args[2], "seq_cst", "seq_cst")
        return builder.extract_value(exchanged, 1)

    return types.boolean(types.int64, types.int64, types.int64), codegen


@intrinsic
def add(typing: Any, address: Any, value: Any) -> tuple[Any, Codegen]:
    """Adds to a word, which others may do at the same time; gives what it was."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.atomic_rmw("add", _word(builder, args[0]), args[1], "seq_cst")

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def pause(typing: Any) -> tuple[Any, Codegen]:
    """Tells the processor that this thread waits."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        name, values = _PAUSES.get(platform.machine().lower(), (None, ()))
        if name is not None:
            arguments = [ir.Constant(ir.IntType(32), v) for v in values]
            function = ir.FunctionType(ir.VoidType(), [g.type for g in arguments])
            builder.call(builder.module.declare_intrinsic(name, fnty=function), arguments)
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def plus(typing: Any, a: Any, b: Any) -> tuple[Any, Codegen]:
    """a + b, in a sum that may be made in the order that vectors want."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fadd(*args, flags=("reassoc",))

    return a(a, a), codegen


@intrinsic
def greater(typing: Any, a: Any, b: Any) -> tuple[Any, Codegen]:
    """The greater of two floats, or NaN where one is: as `maximum`, but vectors know it."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = args[0].type
        function = ir.FunctionType(kind, [kind, kind])
        named = builder.module.declare_intrinsic("llvm.maximum", [kind], function)
        return builder.call(named, args)

    return a(a, a), codegen


@intrinsic
def bits(typing: Any, number: Any) -> tuple[Any, Codegen]:
    """The bits of an f64 as an integer."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], _WORD)

    return types.int64(types.float64), codegen


@intrinsic
def number(typing: Any, bits: Any) -> tuple[Any, Codegen]:
    """The f64 of these bits."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), codegen


@intrinsic
def high(typing: Any, a: Any, b: Any) -> tuple[Any, Codegen]:
    """The upper 64 of the 128 bits of a b, without signs."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        wide = ir.IntType(2 * _WORD.width)
        a, b = [builder.zext(x, wide) for x in args]
        above = builder.lshr(builder.mul(a, b), ir.Constant(wide, _WORD.width))
        return builder.trunc(above, _WORD)

    return types.uint64(types.uint64, types.uint64), codegen


def _word(builder: Any, address: Any) -> Any:
    return builder.inttoptr(address, _WORD.as_pointer())
