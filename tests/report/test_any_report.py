"""What holds of the report of any program, on random ones."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from effort import tries
from hypothesis import given, settings
from random_graphs import nets, values_of
from reading import Page

import verigrad as vg


@settings(max_examples=tries(8))
@given(nets())
def test_all_numbers_of_a_report_lead_to_what_they_name(net: vg.Graph) -> None:
    program = vg.compile(net, optimizer=vg.Nesterov(0.1), dropout=vg.Dropout(keep=0.8))
    values = values_of(net, 3)
    feeds = {net.names[n]: values[net.names[n]] for n in net.inputs}
    with TemporaryDirectory() as folder:
        page = Page(program, Path(folder), feeds=feeds)
    there = [{n["id"] for n in s["nodes"]} for s in page.stages]
    for k, stage in enumerate(page.stages):
        assert len(there[k]) == len(stage["nodes"])
        assert all(i in there[k] for n in there[k] for i in page.node(n)["inputs"])
        assert {*stage["added"]} <= there[k]
        if stage["name"] == "declared":
            continue
        assert {*stage["removed"]} <= there[k - 1]
        # What is gone is told, or nothing was made of it.
        for old in there[k - 1] - there[k]:
            ended = {*stage["removed"]}
            assert old in ended or any(s[3] == k for s in page.data["lineage"][str(old)])
    for old, steps in page.data["lineage"].items():
        for _, new, _, k in steps:
            assert int(old) in there[k - 1] and new in there[k]
    for n, dn, _, k in page.data["gradients"]:
        assert {n, dn} <= there[k] and page.node(n)["type"] == page.node(dn)["type"]
    main = [k for k, s in enumerate(page.stages) if s["pipeline"] == "training"][-1]
    placed = [n for call in page.data["plan"]["calls"] for n in call["nodes"]]
    computed = [n for n in there[main] if not page.node(n)["source"]]
    assert sorted(placed) == sorted(computed)
    assert {str(n) for n in there[main]} <= page.data["values"].keys()
