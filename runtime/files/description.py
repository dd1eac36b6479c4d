"""What the file of a program tells of it: its graph and its options, as texts, and back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from ...graph import OPS, Array, Graph, RunError, cut, dtype_name, parse, shown
from ...graph.text.attributes import Reader, print_value
from ...ops import check_seed
from ...passes import Pass, Pipeline
from ...passes.text import parse_pass, print_pass
from ..backends.registry import Backend
from ..options import Options
from .told import fitting, read_json

FORMAT: Final = 2
"""Since 2, with a checksum of each array; 1 is read as well."""
_LONGEST: Final = 500
"""How many characters are shown of an error that may tell all of a foreign text."""


class Certified(NamedTuple):
    """What the program that wrote the file found of its graph, see `Certificate.as_dict`."""

    verdict: str
    compared: int
    skipped: list[str]
    differences: list[str]
    chance: float
    derivatives: str | None
    reason: str


class Description(NamedTuple):
    """What the file tells of a program, in the types that JSON has."""

    format: int
    graph: str
    optimizer: str
    regularizer: str
    dropout: str
    seed: int
    dtype: str
    pipeline: list[str]
    inference_pipeline: list[str]
    metadata: dict[str, str]
    digest: str
    checksums: dict[str, str] | None = None  # files of format 1 have the digest alone
    clip: str = "none"  # files from before gradients were clipped have none
    memory_limit: int | None = None
    recompute: bool = False
    backend: Backend = "numpy"
    threads: int | None = None
    certify: bool = True
    shards: str = "none"
    certificate: Certified | None = None
    run: dict[str, Any] | None = None


def described(declared: Graph, o: Options, metadata: Mapping[str, str]) -> dict[str, Any]:
    """All that is told of a program, but the checksums."""
    return {
        "format": FORMAT,
        "graph": str(declared),
        "optimizer": print_value(o.optimizer),
        "regularizer": print_value(o.regularizer),
        "dropout": print_value(o.dropout),
        "clip": print_value(o.clip),
        "seed": o.seed,
        "dtype": o.dtype,
        "pipeline": [print_pass(p) for p in o.pipeline],
        "inference_pipeline": [print_pass(p) for p in o.inference_pipeline],
        **({"memory_limit": o.memory_limit} if o.memory_limit is not None else {}),
        **({"recompute": True} if o.recompute else {}),
        **({"backend": o.backend} if o.backend != "numpy" else {}),
        **({"threads": o.threads} if o.threads is not None else {}),
        **({} if o.certify else {"certify": False}),
        **({"shards": print_value(o.shards)} if o.shards is not None else {}),
        "metadata": dict(metadata),
    }


def read_description(text: str) -> Description:
    """What `described` gave, from the text of the file. RunError names the key that is wrong."""
    content = read_json(text, "its metadata")
    version = content.get("format", FORMAT) if isinstance(content, dict) else FORMAT
    if type(version) is int and not 1 <= version <= FORMAT:
        raise RunError(
            f"its format is {version}; this verigrad reads those up to {FORMAT}: install a newer "
            "one"
        )
    return fitting(content, Description, "")


def read_graph(description: Description, arrays: Mapping[str, Array]) -> Graph:
    """The declared graph; RunError where ops or passes of the program are not imported."""
    used = re.findall(r"^\s*%[^=]*=\s*([A-Za-z_][\w.-]*)", description.graph, re.MULTILINE)
    ops = sorted({name for name in used if name not in OPS})
    passes = [t.partition("{")[0] for t in (*description.pipeline, *description.inference_pipeline)]
    unknown = sorted({name for name in passes if name not in Pass.kinds()})
    missing = [f"the op {shown(n)}" for n in ops] + [f"the pass {shown(n)}" for n in unknown]
    if missing:
        raise RunError(
            f"it needs {' and '.join(missing)}; import the module that defines them first"
        )
    with _named("graph"):
        return parse(description.graph, arrays)


def read_options(description: Description) -> Options:
    """What the program was compiled with."""

    def value(key: str) -> Any:
        with _named(key):
            reader = Reader(getattr(description, key))
            parsed = reader.value()
            if not reader.done():
                raise RunError(f"more stands behind {shown(parsed)}")
            return parsed

    def pipeline(key: str) -> Pipeline:
        with _named(key):
            return Pipeline(parse_pass(t) for t in getattr(description, key))

    with _named("seed"):
        check_seed(description.seed)
    with _named("dtype"):
        dtype_name(description.dtype)
    options = Options(
        value("optimizer"),
        value("regularizer"),
        value("dropout"),
        description.seed,
        description.dtype,
        pipeline("pipeline"),
        pipeline("inference_pipeline"),
        value("clip"),
        description.memory_limit,
        description.recompute,
        description.backend,
        description.threads,
        description.certify,
        value("shards"),
    )
    return options.check()


@contextmanager
def _named(key: str) -> Iterator[None]:
    """Errors of what a text stands for name the key that it was found under."""
    try:
        yield
    except Exception as e:  # an op, a pass or a schedule that a user wrote may raise any
        raise RunError(f"its {key} cannot be read: {cut(str(e), _LONGEST)}") from None
