"""The shape of the package: imports point one way, the public names are what they say."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import verigrad as vg

ROOT = Path(vg.__file__).parent
LAYERS = ("graph", "ops", "passes", "runtime")
FILES = sorted(path for layer in LAYERS for path in (ROOT / layer).rglob("*.py"))
FLOORS = (
    ("arguments", "doubts", "forks", "inputs", "metrics", "optional", "planning"),
    ("backends", "data", "figures", "interpreter", "loggers", "state"),
    ("certificate", "execution", "importing", "options"),
    ("bisection", "files", "profiling", "totals", "variants"),
    ("again", "exporting", "ranks", "report"),
    ("program",),
    ("checking", "loading"),
    ("training",),
    ("estimators", "tuning"),
    ("command",),
)
"""The rooms of the runtime, from the ground up: each imports from lower floors alone."""
ROOMS = [p for p in (ROOT / "runtime").rglob("*.py") if p != ROOT / "runtime" / "__init__.py"]
HEAVY = [
    "networkx", "graphviz", "matplotlib", "rich", "click", "pygments", "safetensors",
    "threadpoolctl", "optuna", "joblib", "cloudpickle", "distributed", "ray",
    "sqlalchemy", "mlflow", "tensorboardX",
]  # fmt: skip


def modules(path: Path) -> set[tuple[str, ...]]:
    """What a file of ours imports of ours, wherever it does, such as ("runtime", "state")."""
    package = path.relative_to(ROOT).parent.parts
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            names = (*base, *(node.module or "").split("."))
            names = names if node.level else names[1:] if names[0] == "verigrad" else ()
            named = [n for n in names if n]
            found |= {(*named, alias.name) for alias in node.names} if named else set()
        elif isinstance(node, ast.Import):
            parts = [alias.name.split(".") for alias in node.names]
            found |= {tuple(p[1:]) for p in parts if p[0] == "verigrad" and len(p) > 1}
    return {names for names in found if names[0] in LAYERS}


def imported(path: Path) -> set[str]:
    """The layers of ours that a file imports."""
    return {layer for layer, *_ in modules(path)}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    layer = path.relative_to(ROOT).parts[0]
    assert imported(path) <= set(LAYERS[: LAYERS.index(layer) + 1])


def test_the_test_of_imports_sees_imports() -> None:
    assert imported(ROOT / "passes" / "simplify.py") == {"graph", "ops", "passes"}
    assert imported(ROOT / "runtime" / "checking" / "contract.py") >= {"graph", "runtime"}


def floor(room: str) -> int:
    return next(k for k, rooms in enumerate(FLOORS) if room in rooms)


def climbing(path: Path) -> set[str]:
    """The rooms of the runtime on this floor or above that a file of another room imports."""
    room = path.relative_to(ROOT / "runtime").with_suffix("").parts[0]
    others = {names[1] for names in modules(path) if names[0] == "runtime"} - {room}
    return {other for other in others if floor(other) >= floor(room)}


@pytest.mark.parametrize("path", ROOMS, ids=lambda p: str(p.relative_to(ROOT)))
def test_rooms_import_from_lower_floors(path: Path) -> None:
    assert climbing(path) == set()


def test_every_room_has_a_floor() -> None:
    rooms = {p.relative_to(ROOT / "runtime").with_suffix("").parts[0] for p in ROOMS}
    assert sorted(room for rooms in FLOORS for room in rooms) == sorted(rooms)


def test_a_room_that_imports_upwards_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    path = tmp_path / "runtime" / "planning" / "plan.py"
    path.parent.mkdir(parents=True)
    path.write_text("def late():\n    from ..program import Program\n")
    assert climbing(path) == {"program"}


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = f"import sys, verigrad; print([m for m in {HEAVY} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_a_net_is_compiled_and_trained_with_nothing_heavy() -> None:
    code = f"""
import sys
import numpy as np
import verigrad as vg
x, y = vg.input("x", ("N", 4)), vg.input("y", ("N",), dtype="i64")
net = vg.Graph("net", loss=vg.softmax_cross_entropy(vg.mlp(x, [5, 3]), y))
program = vg.compile(net, optimizer=vg.SGD(0.1))
program.step(x=np.ones((2, 4)), y=np.array([0, 1]))
print([m for m in {HEAVY} if m in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def declared_names() -> set[str]:
    """What `__init__` imports for type checkers."""
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    checked = [
        n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"
    ]
    return {
        alias.asname or alias.name
        for block in checked
        for n in block.body
        if isinstance(n, ast.ImportFrom)
        for alias in n.names
    }


def test_public_names_are_those_that_type_checkers_see() -> None:
    assert set(vg.__all__) == declared_names()
    assert len(vg.__all__) == len(set(vg.__all__))


@pytest.mark.parametrize("name", vg.__all__)
def test_a_public_name_is_there_and_documented(name: str) -> None:
    found = getattr(vg, name)
    assert name in dir(vg)
    if inspect.isclass(found) or inspect.isfunction(found):
        assert inspect.getdoc(found)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'relux'"):
        _ = vg.relux


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_exports_what_it_names(layer: str) -> None:
    module = import_module(f"verigrad.{layer}")
    assert len(set(module.__all__)) == len(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_public_function_and_class_has_a_docstring(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "the file"
    defined = (ast.FunctionDef, ast.ClassDef)
    missing = [
        n.name
        for n in tree.body
        if isinstance(n, defined) and not n.name.startswith("_") and not ast.get_docstring(n)
    ]
    assert missing == []


def test_every_folder_of_the_source_is_packaged() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    parts = ("graph", "ops", "passes", "runtime")
    folders = {p.parent.relative_to(ROOT) for part in parts for p in (ROOT / part).rglob("*.py")}
    expected = {"verigrad", *(".".join(("verigrad", *f.parts)) for f in folders)}
    assert set(listed) == expected
