"""What a user's own op says that it is in a file, by its `c`, `numpy` or `onnx`."""

from __future__ import annotations

from typing import Any

from ...graph import Node, RunError, VerigradError, raised_at


def said(n: Node, method: str, *given: Any) -> Any:
    """What this method of a node's op gives; RunError, with the line that raised, if it fails."""
    try:
        return getattr(n.op, method)(*given)
    except VerigradError:
        raise
    except Exception as e:
        line = raised_at(e)
        where = f"\n  at {line.described}" if line is not None else ""
        failure = RunError(
            f"the `{method}` of op {n.op.name} failed with {type(e).__name__}: {e}{where}"
        )
        raise failure.with_traceback(e.__traceback__) from None
