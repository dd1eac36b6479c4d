"""What a shell completes: the script that it is given, sourced and asked as bash does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


def shell(*arguments: str, **env: str) -> str:
    """What a command prints."""
    environment = {**os.environ, "PATH": PATH, **env}
    return subprocess.run(
        arguments, capture_output=True, text=True, env=environment, check=True, timeout=60
    ).stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_commands_options_and_their_values() -> None:
    script = """
    eval "$(_VERIGRAD_COMPLETE=bash_source verigrad)"
    complete -p verigrad
    for line in "verigrad comp" "verigrad train --opt" "verigrad train --optimizer ada"; do
        COMP_WORDS=($line); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
        _verigrad_completion verigrad
        echo "${COMPREPLY[@]}"
    done
    """
    told = shell("bash", "-c", script).splitlines()
    assert told[0].endswith("_verigrad_completion verigrad")
    assert told[1:] == ["compare", "--optimizer", "adagrad adam adamw"]


@pytest.mark.parametrize(("name", "shown"), [("zsh", "compdef"), ("fish", "complete --no-files")])
def test_other_shells_have_a_script(name: str, shown: str) -> None:
    assert shown in shell("verigrad", _VERIGRAD_COMPLETE=f"{name}_source")
