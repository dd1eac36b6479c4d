"""Orders of a graph's nodes that keep few bytes alive, for one batch size."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence

from ...graph import Graph, Node, TensorType

Key = tuple[int, ...]
Rule = Callable[[int, int, int], Key]
"""From the bytes that a node adds, when its result came alive and its level: the least goes."""


def _by_bytes(added: int, alive_since: int, level: int) -> Key:
    return (added,)


def _by_chain(added: int, alive_since: int, level: int) -> Key:
    """What adds nothing first; else what came alive last, so that a chain is followed to its end
    before another is begun."""
    return (0, added) if added <= 0 else (1, -alive_since, -level, added)


def _by_level(added: int, alive_since: int, level: int) -> Key:
    """The same, with what depends on the longest chain instead."""
    return (0, added) if added <= 0 else (1, -level, -alive_since, added)


def fewest_bytes(g: Graph, nodes: Sequence[Node], sizes: Mapping[str, int]) -> list[Node]:
    """Of some legal orders of these nodes, the one with the lowest peak."""
    part = _Segment(g, nodes, sizes)
    orders: list[list[int]] = []
    for rule in (_by_bytes, _by_chain, _by_level):
        order = part.backwards(rule)
        if order not in orders:
            orders.append(order)
        if not part.choice:
            break
    return [nodes[k] for k in min(orders, key=part.peak)]


def timely(order: Sequence[Node]) -> list[Node]:
    """The order with what is eager right behind the last of its inputs, and what is lazy right
    before the first of its readers, or at the end."""
    place = {n: float(k) for k, n in enumerate(order)}
    first: dict[Node, float] = {}
    for n in reversed(order):
        if n.op.lazy:
            place[n] = first.get(n, len(order)) - 0.5
        for i in n.inputs:
            first[i] = min(place[n], first.get(i, place[n]))
    for n in order:
        if n.op.eager:
            place[n] = max([place.get(i, -1.0) for i in n.inputs], default=-1.0) + 0.5
    return sorted(order, key=place.__getitem__)


class _Segment:
    """What the orders of some nodes have in common; nodes are numbered by their place in `nodes`.

    `inputs` and `users` of a node are those among them; `kept` tells what is returned, or read by
    others, so that it stays to the end; `taken` the inputs that a node's result may take over.
    """

    def __init__(self, g: Graph, nodes: Sequence[Node], sizes: Mapping[str, int]) -> None:
        number = {n: k for k, n in enumerate(nodes)}
        nbytes: dict[TensorType, int] = {}
        self.size: list[int] = []
        self.level: list[int] = []
        self.inputs: list[list[int]] = []
        self.users: list[list[int]] = []
        self.kept: list[bool] = []
        self.taken: list[list[int]] = []
        level: dict[Node, int] = {}
        for n in g.order:
            level[n] = 1 + max([level.get(i, 0) for i in n.inputs], default=0)
        for n in nodes:
            if n.type not in nbytes:
                nbytes[n.type] = n.type.nbytes(sizes)
            self.size.append(nbytes[n.type])
            self.level.append(level[n])
            self.inputs.append([number[i] for i in dict.fromkeys(n.inputs) if i in number])
            users = g.users[n]
            self.users.append([number[u] for u in users if u in number])
            self.kept.append(n in g.roots or len(self.users[-1]) < len(users))
            self.taken.append([number[i] for i in n.reusable if i in number])
        self._types = [n.type for n in nodes]
        self.choice = False
        """Whether an order was ever free to take one node or another."""

    def peak(self, order: Sequence[int]) -> int:
        """The most bytes that are alive at one time, where each result that may be is taken
        over."""
        size = self.size
        last = {i: at for at, k in enumerate(order) for i in self.inputs[k]}
        alive = highest = 0
        for at, k in enumerate(order):
            fresh = size[k]
            ended = [i for i in self.inputs[k] if last[i] == at and not self.kept[i]]
            temporary = 0
            if any(i in ended for i in self.taken[k]):
                t = self._types[k]
                temporary = min(fresh, sum([size[i] for i in ended if self._types[i] == t]))
            highest = max(highest, alive + fresh - temporary)
            alive += fresh - sum([size[i] for i in ended])
        return highest

    def backwards(self, rule: Rule) -> list[int]:
        """A legal order, built from its end: of the nodes whose readers are all placed, the one
        that the rule puts first; of equals, the later comes later.

        Going backwards, a node ends the life of its result and begins that of its inputs, so what
        is needed late is made late.
        """
        size, level = self.size, self.level
        waiting = [len(users) for users in self.users]
        since = [0 if kept else -1 for kept in self.kept]  # below 0 until it comes alive
        keys: dict[int, Key] = {}
        heap: list[tuple[Key, int]] = []

        def push(k: int) -> None:
            begun = sum([size[i] for i in self.inputs[k] if since[i] < 0])
            key = rule(begun - size[k], since[k], level[k])
            if keys.get(k) != key:
                keys[k] = key
                heapq.heappush(heap, (key, -k))

        for k, count in enumerate(waiting):
            if not count:
                push(k)
        order: list[int] = []
        while heap:
            key, minus = heapq.heappop(heap)
            k = -minus
            if keys.get(k) != key:
                continue  # an entry from before its inputs came alive
            self.choice = self.choice or len(keys) > 1
            del keys[k]
            order.append(k)
            for i in self.inputs[k]:
                if since[i] < 0:
                    since[i] = len(order)
                    for u in self.users[i]:
                        if u in keys:
                            push(u)
                waiting[i] -= 1
                if not waiting[i]:
                    push(i)
        return order[::-1]
