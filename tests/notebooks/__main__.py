"""Runs the example notebooks and keeps what they print: `make notebooks`."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient

import verigrad

EXAMPLES = Path(verigrad.__file__).parent / "examples"


def main() -> None:
    """Each in a kernel of its own; an error in a cell ends it, and the file stays as it is."""
    for path in sorted(EXAMPLES.glob("*.ipynb")):
        book = nbformat.read(path, nbformat.NO_CONVERT)
        NotebookClient(book, record_timing=False, coalesce_streams=True, timeout=300).execute()
        book.metadata.language_info = {"name": "python"}  # of no certain version
        nbformat.write(book, path)
        print(f"{path.name}: {path.stat().st_size:,} bytes", flush=True)


if __name__ == "__main__":
    main()
