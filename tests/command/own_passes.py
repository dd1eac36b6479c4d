"""Passes of a user's, as `verigrad opt` loads them from a file: most of them wrong."""

import sys
from dataclasses import dataclass

import verigrad as vg

print("a user's file prints")


def relus(g: vg.Graph) -> list[vg.Node]:
    return [n for n in g.order if n.op.name == "relu"]


@dataclass(frozen=True)
class Wrong(vg.Pass):
    """relu becomes tanh."""

    def rewrites(self, g):
        for n in relus(g):
            yield vg.Rewrite(n, vg.tanh(n.inputs[0]), "one curve is as good as another")


@dataclass(frozen=True)
class Meant(vg.Pass):
    """The same, as what is to be computed."""

    numbers = "meaning"
    rewrites = Wrong.rewrites


@dataclass(frozen=True)
class Capped(vg.Pass):
    """relu(x) becomes minimum(relu(x), cap)."""

    cap: float
    numbers = "meaning"

    def rewrites(self, g):
        for n in relus(g):
            if any(u.op.name == "minimum" for u in g.users[n]):
                yield vg.Refused(n, "it is capped already")
            else:
                yield vg.Rewrite(n, vg.minimum(n, self.cap), f"capped at {self.cap:g}")


@dataclass(frozen=True)
class Prints(vg.Pass):
    def apply(self, g):
        print("a user's pass prints")
        return g


@dataclass(frozen=True)
class Raises(vg.Pass):
    def rewrites(self, g):
        for n in relus(g):
            raise KeyError(g.names[n])
        return ()


@dataclass(frozen=True)
class Exits(vg.Pass):
    def apply(self, g):
        sys.exit(0)


@dataclass(frozen=True)
class GivesNone(vg.Pass):
    def apply(self, g):
        return None


@dataclass(frozen=True)
class RewritesNone(vg.Pass):
    def rewrites(self, g):
        return None


@dataclass(frozen=True)
class NeverEnds(vg.Pass):
    """Each sweep rewrites again."""

    repeated = True

    def rewrites(self, g):
        for n in relus(g):
            yield vg.Rewrite(n, vg.relu(n.inputs[0]), "again")


@vg.op
class Fragile(vg.Op):
    """A user's op, whose kernel fails."""

    name = "opt_fragile"
    elementwise = True

    def infer(self, *types):
        return types[0]

    def run(self, x, *, out):
        raise ValueError("too fragile")


@dataclass(frozen=True)
class UsesFragile(vg.Pass):
    def rewrites(self, g):
        for n in relus(g):
            yield vg.Rewrite(n, vg.apply(Fragile(), n.inputs[0]), "more fragile")


@dataclass(frozen=True)
class Retypes(vg.Pass):
    def rewrites(self, g):
        for n in relus(g):
            yield vg.Rewrite(n, vg.sum(n), "smaller")


@dataclass(frozen=True)
class Unsound(vg.Pass):
    """A graph whose loss is no scalar."""

    def apply(self, g):
        return g.but(outputs={**g.outputs}, updates={relus(g)[0]: relus(g)[0]})


@dataclass(frozen=True)
class Spins(vg.Pass):
    """As one that does not end, where somebody loses patience."""

    def rewrites(self, g):
        raise KeyboardInterrupt


class Idle(vg.Pass):
    """Neither rewrites nor applies."""


thing = 3
