"""The pictures of examples/pictures: the three-layer net as compiled, and where its results lie.

Run it with `make pictures`, or with `python examples/draw_pictures.py [FOLDER]`.
"""

import sys
from pathlib import Path

from three_layer_net import compiled


def main(folder: Path) -> list[Path]:
    layers, nodes, changes, plan = (
        folder / f"{name}.svg" for name in ("training", "nodes", "fusion", "plan")
    )
    program = compiled()
    stages = program.stages
    program.training.to_svg(layers)
    program.training.to_svg(nodes, detail="nodes")
    stages["eliminate_common"].diff(stages["fuse_linear_relu"]).to_svg(changes)
    program.plan(N=50).to_svg(plan)
    return [layers, nodes, changes, plan]


if __name__ == "__main__":
    for path in main(Path(sys.argv[1] if len(sys.argv) > 1 else ".")):
        print(path)
