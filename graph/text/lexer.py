"""The colours of a graph's text, for Pygments: `verigrad-ir`, files *.ir."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from pygments.lexer import RegexLexer, words
from pygments.lexer import bygroups as untyped_bygroups
from pygments.token import (
    Comment,
    Keyword,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Whitespace,
)

from ..types import NUMPY_DTYPES, name_pattern

_NAME = name_pattern.pattern
bygroups: Callable[..., Any] = untyped_bygroups


class IRLexer(RegexLexer):
    """Splits a graph's text into names, types, ops, attributes and notes.

    Registered with Pygments by the package's entry point, so that `pygmentize g.ir` and code blocks
    of `verigrad-ir` in documentation are coloured.
    """

    name = "verigrad IR"
    aliases: ClassVar[list[str]] = ["verigrad-ir"]
    filenames: ClassVar[list[str]] = ["*.ir"]
    mimetypes: ClassVar[list[str]] = ["text/x-verigrad-ir"]

    tokens: ClassVar[dict[str, Any]] = {
        "root": [
            (r"\s+", Whitespace),
            (r"//.*", Comment.Single),
            (
                rf"(graph)(\s+)({_NAME})(\s*)(\{{)",
                bygroups(Keyword, Whitespace, Name.Namespace, Whitespace, Punctuation),
            ),
            (r"(?:update|return)\b", Keyword),
            (rf"%{_NAME}", Name.Variable),
            (
                rf"({_NAME})(\s*)(=)(\s*)(?=%)",  # an output
                bygroups(Name.Attribute, Whitespace, Operator, Whitespace),
            ),
            (rf"(=)(\s*)({_NAME})", bygroups(Operator, Whitespace, Name.Function)),
            (r"=", Operator),
            (words(NUMPY_DTYPES, r"\b", r"(?=\[)"), Keyword.Type, "type"),
            (r"\{", Punctuation, "attributes"),
            (r"[}(),:]", Punctuation),
        ],
        "type": [
            (r"\[", Punctuation),
            (r"\]", Punctuation, "#pop"),
            (r"\d+", Number.Integer),
            (_NAME, Name.Constant),
            (r"\s+", Whitespace),
            (r",", Punctuation),
        ],
        "attributes": [
            (r"\}", Punctuation, "#pop"),
            (r"\{", Punctuation, "#push"),
            (r'"(?:[^"\\\n]|\\.)*"', String),
            (r"(?:true|false|none|inf|nan)\b", Keyword.Constant),
            (r"-(?:inf|nan)\b", Keyword.Constant),
            (words(NUMPY_DTYPES, r"\b", r"(?=\[)"), Keyword.Type, "type"),
            (r"-?\d+(?:\.\d*(?:[eE][+-]?\d+)?|[eE][+-]?\d+)", Number.Float),
            (r"-?\d+", Number.Integer),
            (rf"({_NAME})(\s*)(=)", bygroups(Name.Attribute, Whitespace, Operator)),
            (_NAME, Name.Constant),
            (r"\s+", Whitespace),
            (r"[\[\](),:]", Punctuation),
        ],
    }
