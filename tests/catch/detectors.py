"""What looks for faults: each is a process that ends with an error where it finds one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from catch.copies import ROOT
from catch.fault import Fault


class Detector(NamedTuple):
    """A check of a copy of the package: `command` gives Python's arguments for a fault, several
    where several runs are one check, or none where the check cannot meet the fault."""

    name: str
    command: Callable[[Fault], list[list[str]]]
    seconds: float
    """What takes longer has found nothing."""
    default: bool = False
    """Whether any run of a user makes this check without being asked."""


def _probe(layer: str) -> Callable[[Fault], list[list[str]]]:
    return lambda fault: [["-m", "catch.probes", layer]]


def _floats(fault: Fault) -> list[list[str]]:
    """On NumPy's backend; for a fault in what is run, on numba's as well."""
    backends = ["numpy", "numba"] if fault.is_of_backends or fault.group == "sound" else ["numpy"]
    return [["-m", "catch.probes", "floats", backend] for backend in backends]


def _selfcheck(fault: Fault) -> list[list[str]]:
    """As it is run after an installation; for a fault in what is run, on numba's backend too."""
    if fault.is_pass:
        return []
    check = ["-m", "verigrad", "selfcheck"]
    both = fault.is_of_backends or fault.group == "sound"
    return [check, [*check, "--backend", "numba"]] if both else [check]


def pytest_command(*where: str) -> list[str]:
    """Runs the tests below some paths up to the first that fails; options follow the paths."""
    quiet = ["-x", "-q", "--no-header", "-p", "no:xdist", "-W", "ignore"]
    options = where.index("-k") if "-k" in where else len(where)
    paths = [f"verigrad/tests/{path}" for path in where[:options]]
    configured = ["-c", "verigrad/tests/pytest.ini"]
    return ["-m", "pytest", *quiet, *configured, *paths, *where[options:]]


def _golden(fault: Fault) -> list[list[str]]:
    return [] if fault.is_pass else [pytest_command("golden")]


def _tests(fault: Fault) -> list[list[str]]:
    return [pytest_command(*fault.tests.split())] if fault.tests else []


def _fuzz(fault: Fault) -> list[list[str]]:
    """Random programs, where the checkout has them; of those in shards, which are slower, fewer."""
    there = (ROOT / "tests" / "fuzz" / "__main__.py").exists() and not fault.is_pass
    command = "-m fuzz --programs 100 --first 0 --quick --jobs 1"
    if fault.group == "shards":
        command = "-m fuzz --programs 40 --first 0 --quick --jobs 1 --shards"
    return [command.split()] if there else []


DETECTORS: Final = (
    Detector("verifier", _probe("verifier"), 60, default=True),
    Detector("exact", _probe("exact"), 60, default=True),
    Detector("floats", _floats, 120, default=True),
    Detector("plans", _probe("plans"), 60, default=True),
    Detector("selfcheck", _selfcheck, 120),
    Detector("gradcheck", _probe("gradcheck"), 60),
    Detector("golden", _golden, 60),
    Detector("fuzz", _fuzz, 120),
    Detector("tests", _tests, 120),
)
