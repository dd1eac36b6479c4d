"""Whether CI finds a package registry: one that answers at all is there, and may be at fault."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "reach_registry.py"


class Refusing(BaseHTTPRequestHandler):
    """A registry that answers every request with the status that is its path's end."""

    def do_GET(self) -> None:
        self.send_response(int(self.path.split("/")[1]))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def asked(url: str) -> subprocess.CompletedProcess[str]:
    free = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    environment = free | {"PIP_INDEX_URL": url}
    command = [sys.executable, str(SCRIPT)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("status", [200, 404, 500])
def test_one_that_answers_is_reached(port: int, status: int) -> None:
    assert asked(f"http://127.0.0.1:{port}/{status}").returncode == 0


def test_one_that_does_not_is_named() -> None:
    with HTTPServer(("127.0.0.1", 0), Refusing) as closed:
        url = f"http://127.0.0.1:{closed.server_port}/200"
    done = asked(url)
    assert done.returncode == 1
    assert f"{url} cannot be reached: " in done.stdout and not done.stderr
