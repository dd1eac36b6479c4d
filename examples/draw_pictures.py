"""The pictures of examples/pictures: the training graph of the three-layer net, and its memory.

Run it with `make pictures`, or with `python examples/draw_pictures.py [FOLDER]`.
"""

import sys
from pathlib import Path

from three_layer_net import compiled


def main(folder: Path) -> list[Path]:
    program = compiled()
    graph, plan = folder / "training.svg", folder / "plan.svg"
    program.training.to_svg(graph)
    program.plan(N=50).to_svg(plan)
    return [graph, plan]


if __name__ == "__main__":
    for path in main(Path(sys.argv[1] if len(sys.argv) > 1 else ".")):
        print(path)
