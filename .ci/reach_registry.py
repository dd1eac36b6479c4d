"""Whether the package registry answers: exits with 0 if it does, whatever it says, else with 1."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

DEFAULT = "https://pypi.org/simple"
SECONDS = 10


def registry() -> str:
    """Where pip installs from: of its environment variable, of its settings, or PyPI."""
    asked = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    return os.environ.get("PIP_INDEX_URL") or said or DEFAULT


def reached(url: str) -> bool:
    """Whether anything answers there, be it an error: that is for pip to tell of."""
    try:
        urlopen(f"{url.rstrip('/')}/pip/", timeout=SECONDS).close()
    except HTTPError:
        return True
    except URLError as e:
        print(f"{url} cannot be reached: {e.reason}")
        return isinstance(e.reason, ssl.SSLError)
    except OSError as e:
        print(f"{url} cannot be reached: {e}")
        return False
    return True


if __name__ == "__main__":
    sys.exit(not reached(registry()))
