"""Pictures as files: PNG and PDF where a program draws them, and no ending of another format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from invoking import run

import verigrad as vg
from verigrad.graph.pictures import rendering
from verigrad.graph.pictures.drawing import to_image
from verigrad.graph.pictures.options import Options
from verigrad.runtime.profiling.report import KernelRow

PURE = rendering.find_program("graphviz-pure")
STARTS = {"png": b"\x89PNG\r\n", "pdf": b"%PDF-"}
HIDDEN = ("--hidden", 4)


@pytest.fixture
def g() -> vg.Graph:
    return vg.Graph("g", {"y": vg.tanh(vg.input("x", ("N", 3)))})


@pytest.fixture
def own_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Installs programs that draw: of each name, what a shell script does."""

    def install(**scripts: str) -> None:
        found = {}
        for name, script in scripts.items():
            path = tmp_path / name
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)
            found[name.replace("_", "-")] = str(path)
        monkeypatch.setattr(rendering, "find_program", found.get)
        monkeypatch.setattr(rendering, "find_spec", lambda name: None)

    return install


@pytest.mark.skipif(PURE is None, reason="graphviz-pure is not installed")
def test_a_graph_is_written_as_png(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    path = tmp_path / "net.PNG"
    assert run("graph", *HIDDEN, "-o", path).exit_code == 0
    assert path.read_bytes().startswith(STARTS["png"])


@pytest.mark.parametrize("form", ["png", "pdf"])
def test_dot_writes_what_the_ending_says(
    form: str, tmp_path: Path, own_programs: Callable[..., None]
) -> None:
    own_programs(dot='cat > /dev/null; echo "$@"')
    path = tmp_path / f"net.{form}"
    assert run("graph", *HIDDEN, "-o", path).exit_code == 0
    assert path.read_text().startswith(f"-T{form}")
    changed = tmp_path / f"changed.{form}"
    assert run("graph", *HIDDEN, "--diff", "fuse_linear_relu", "-o", changed).exit_code == 0
    assert changed.read_text() == path.read_text()
    told = run("graph", *HIDDEN, "--format", form, "-o", "-")
    assert told.exit_code == 0 and told.stdout == path.read_text()


def test_a_format_that_no_program_here_knows_is_refused_with_the_one_that_does(
    g: vg.Graph, own_programs: Callable[..., None]
) -> None:
    own_programs(graphviz_pure="echo drawn")
    assert to_image(g, "png", Options({})) == b"drawn\n"
    with pytest.raises(vg.GraphError) as e:
        to_image(g, "pdf", Options({}))
    first, install, *ways = str(e.value).splitlines()
    assert first == "no Graphviz program is installed to draw the graph as PDF"
    assert install == "install this:" and "apt-get install graphviz" in ways[0]
    assert "graphviz-pure" not in str(e.value)


def test_a_program_built_without_a_format_is_not_the_end(
    g: vg.Graph, own_programs: Callable[..., None]
) -> None:
    lacks = """echo 'Format: "png" not recognized. Use one of: svg' >&2; exit 1"""
    own_programs(dot=lacks, graphviz_pure="echo drawn")
    assert to_image(g, "png", Options({})) == b"drawn\n"
    own_programs(dot=lacks)
    with pytest.raises(vg.GraphError, match='dot: Format: "png" not recognized'):
        to_image(g, "png", Options({}))


def test_where_no_program_draws_a_pdf_dot_stands_for_it(
    tmp_path: Path, own_programs: Callable[..., None]
) -> None:
    own_programs()
    result = run("graph", *HIDDEN, "-o", tmp_path / "net.pdf")
    assert result.exit_code == 1 and "net.dot stands for" in result.stderr
    assert (tmp_path / "net.dot").read_text().startswith("digraph")
    assert not (tmp_path / "net.pdf").exists()


# ---- endings of other formats --------------------------------------------------------------------


@pytest.fixture
def profiled() -> vg.Profile:
    return vg.Profile("g", {}, [KernelRow(0, "forward", "tanh", ("y",), 6, 24, 1e-6, 2e-6)], 3e-6)


@pytest.mark.parametrize("name", ["x.png", "x.pdf", "x.dot", "x.html", "x.svg.gz", "x.v2"])
def test_an_svg_is_not_written_under_another_ending(
    g: vg.Graph,
    profiled: vg.Profile,
    name: str,
    tmp_path: Path,
    own_programs: Callable[..., None],
) -> None:
    own_programs(dot="echo '<svg>'")
    path = tmp_path / name
    for to_svg in (g.to_svg, g.diff(g).to_svg, vg.compile(g).plan(N=2).to_svg, profiled.to_svg):
        with pytest.raises(vg.RunError, match="would hold an SVG, which its ending") as e:
            to_svg(path)
        assert str(path.with_suffix(".svg")) in str(e.value)
        assert not path.exists()


@pytest.mark.skipif(PURE is None, reason="graphviz-pure is not installed")
def test_every_picture_is_a_text_and_written_too_where_a_path_is_given(
    g: vg.Graph, profiled: vg.Profile, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    other = vg.Graph("other", {"y": vg.exp(vg.input("x", ("N", 3)))})
    for picture in (g, g.diff(other), vg.compile(g).plan(N=2), profiled):
        path = tmp_path / f"{type(picture).__name__}.svg"
        text = picture.to_svg(path)
        assert text == picture.to_svg() == path.read_text(encoding="utf-8")
        assert text.startswith("<") and text.rstrip().endswith("</svg>")


@pytest.mark.parametrize("name", ["x", "x.SVG", "a.b.svg"])
def test_an_svg_is_written_under_its_ending_or_none(g: vg.Graph, name: str, tmp_path: Path) -> None:
    vg.compile(g).plan(N=2).to_svg(tmp_path / name)
    assert (tmp_path / name).read_text(encoding="utf-8").startswith("<svg")


def test_an_ending_is_refused_before_anything_is_drawn(
    g: vg.Graph, own_programs: Callable[..., None]
) -> None:
    own_programs()
    with pytest.raises(vg.RunError, match=r"write e\.g\. x\.svg"):
        g.to_svg("x.png")
    with pytest.raises(vg.RunError, match="a path is 3, where"):
        g.to_svg(3)  # type: ignore[arg-type]
