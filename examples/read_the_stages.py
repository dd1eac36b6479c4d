"""Reading what the compiler did: every stage, the reasons, the memory plan, the step, pictures.

Run it with `python examples/read_the_stages.py [FOLDER]`; pictures go to the folder.
"""

import sys
from pathlib import Path

import verigrad as vg


def main(folder: Path) -> vg.Program:
    x = vg.input("x", ("N", 64))
    y = vg.input("y", ("N",), dtype="i64")
    scores = vg.mlp(x, [100, 100, 10])
    net = vg.Graph("mlp", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    program = vg.compile(net, optimizer=vg.Adam(lr=1e-3), dropout=vg.Dropout(keep=0.8))

    print("the graph after each pass:")
    for name, g in program.stages.items():
        print(f"  {name:<22} {len(g.order):>3} nodes")

    print("\nwhy two relus are gone:")
    for record in program.records:
        if record.stage == "fuse_linear_relu":
            print(f"  {record}")

    print("\nthe compiled inference graph:")
    print(program.inference)

    plan = program.plan(N=50)
    print(
        f"\na step on 50 rows takes {plan.nbytes:,} bytes, of {plan.unplanned_nbytes:,} unplanned"
    )
    print("the first kernel calls of the step:")
    print("\n".join(program.source(N=50).splitlines()[7:13]))

    program.stages["declared"].to_svg(folder / "declared.svg")
    program.training.to_svg(folder / "training.svg")
    print(f"\npictures: {folder / 'declared.svg'} and {folder / 'training.svg'}")
    return program


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
