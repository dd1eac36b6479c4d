"""The words that C takes, and comments of C that nothing in them ends."""

from __future__ import annotations

import re
from typing import Final

from ..identifiers import identifier

# Words of C and C++, up to C23 and C++23.
_KEYWORDS: Final = """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t
    char32_t class compl concept const consteval constexpr constinit const_cast continue co_await
    co_return co_yield decltype default delete do double dynamic_cast else enum explicit export
    extern false float for friend goto if inline int long mutable namespace new noexcept not not_eq
    nullptr operator or or_eq private protected public register reinterpret_cast requires restrict
    return short signed sizeof static static_assert static_cast struct switch template this
    thread_local throw true try typedef typeid typename typeof typeof_unqual union unsigned using
    virtual void volatile wchar_t while xor xor_eq
"""
# Functions of math.h and string.h, each of math.h also with f and l behind it.
_MATH: Final = """
    acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh drem erf erfc exp exp10 exp2
    expm1 fabs fdim finite floor fma fmax fmin fmod frexp gamma hypot ilogb isfinite isgreater isinf
    isless isnan isnormal j0 j1 jn ldexp lgamma llrint llround log log10 log1p log2 logb lrint
    lround modf nan nearbyint nextafter nexttoward pow pow10 remainder remquo rint round scalb
    scalbln scalbn significand signbit signgam sin sincos sinh sqrt tan tanh tgamma trunc y0 y1 yn
"""
_OTHERS: Final = """
    abs abort assert bcmp bcopy bzero count div errno exit ffs free i j k l labs linux main
    malloc memchr memcmp memcpy memmove memset n offsetof rand stdin stdout stderr strcmp strcpy
    strlen system unix
"""
_OURS: Final = "first log_total most scale shrunk squares sum total"
"""Variables of kernels."""
_RESERVED: Final = frozenset(
    [
        *f"{_KEYWORDS} {_OTHERS} {_OURS}".split(),
        *[name + ending for name in _MATH.split() for ending in ("", "f", "l")],
    ]
)
_TYPE: Final = re.compile(r"\w+_t|(mem|str|wcs)[a-z]+|[A-Z_][A-Z0-9_]+|[ijkl]\d|n_\w+|vg_\w+")
"""More names that a system may take: of types, functions of string.h, and macros; and ours."""


def reserved(text: str) -> bool:
    """Whether C, C++ or what a file includes takes the word."""
    return text in _RESERVED or _TYPE.fullmatch(text) is not None


def public(name: str) -> str:
    """What all public names of a file of that name begin with."""
    return identifier(name, reserved).lower().rstrip("_") or "net"


def comment(text: str, indent: str = "") -> str:
    """The text as a comment, which nothing in it ends: a line for each of its own."""
    safe = re.sub(r"[*/](?=[*/])", lambda m: f"{m[0]} ", text).replace("??", "? ?")
    lines = safe.encode("utf-8", "backslashreplace").decode().split("\n")
    return (
        "\n".join([f"{indent}{'/* ' if k == 0 else '   '}{line}" for k, line in enumerate(lines)])
        + " */"
    )
