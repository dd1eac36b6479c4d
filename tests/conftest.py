"""What all tests share: a seeded random generator, and the nets that most of them use."""

from __future__ import annotations

import gc
from typing import Any

import hypothesis
import numpy as np
import pytest
from effort import EFFORT, tries

import verigrad as vg

# The same examples every time, others where more are asked for; and no files beside the tests.
hypothesis.settings.register_profile(
    "own", derandomize=EFFORT == 1, database=None, deadline=None, max_examples=tries(40)
)
hypothesis.settings.load_profile("own")


pytest_plugins = ["page_fixtures"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite the expected graphs of golden files"
    )
    parser.addoption(
        "--backend", default="numpy", choices=["numpy", "numba"], help="what runs the steps"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "numpy_bits: holds of the NumPy backend alone")
    config.addinivalue_line("markers", "oracle: compares with an independent library")
    config.addinivalue_line("markers", "browser: opens a page in a real browser")
    config.addinivalue_line("markers", "commands: runs the commands that pages show: `make docs`")
    # Programs that a test compiles without a word on it.
    vg.compile.__kwdefaults__["backend"] = config.getoption("--backend")


@pytest.hookimpl(tryfirst=True)  # before `-m` selects by the marker
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if {"torch", "onnx", "sklearn"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("oracle")
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
    if config.getoption("--backend") != "numpy":
        skip = pytest.mark.skip(reason="compares bits, or reads the text, of the NumPy backend")
        for item in items:
            if item.get_closest_marker("numpy_bits"):
                item.add_marker(skip)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Programs are certified where certificates are tested, and where the most is tried: of all
    tests, they would take a quarter of the time."""
    everywhere = {
        "certificate", "command", "notebooks", "optimizers", "test_pages.py", "test_examples.py",
    }  # fmt: skip
    certified = EFFORT > 1 or bool(everywhere & {*item.path.parts})
    vg.compile.__kwdefaults__["certify"] = certified


def pytest_collection_finish() -> None:
    """What was collected stays to the end: the garbage collector need not look through it."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261123)


@pytest.fixture(scope="session")
def torch() -> Any:
    """PyTorch, for the tests that compare with it: `make test-oracles` installs it."""
    return pytest.importorskip("torch")


@pytest.fixture(scope="session")
def onnx() -> Any:
    """ONNX with the evaluator that defines what its ops mean, in the same way."""
    pytest.importorskip("onnx.reference")
    return pytest.importorskip("onnx")


@pytest.fixture(scope="session")
def sklearn() -> Any:
    """scikit-learn with its networks, in the same way."""
    pytest.importorskip("sklearn.neural_network")
    return pytest.importorskip("sklearn")


@pytest.fixture
def three_layer() -> vg.Graph:
    """12-8-6-4 with relu: small, and of every part that the large one has."""
    return net(12, 8, 6, 4)


def net(*sizes: int) -> vg.Graph:
    """An MLP of these sizes on x, with softmax cross-entropy on y."""
    x = vg.input("x", ("N", sizes[0]))
    y = vg.input("y", ("N",), dtype="i64")
    scores = vg.mlp(x, list(sizes[1:]))
    return vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))


def batch(rng: np.random.Generator, n: int, features: int, classes: int) -> dict[str, np.ndarray]:
    """Random rows and labels."""
    return {
        "x": rng.standard_normal((n, features)).astype(np.float32),
        "y": rng.integers(0, classes, n),
    }
