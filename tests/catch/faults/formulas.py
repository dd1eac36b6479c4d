"""Wrong formulas of optimizers, schedules, losses and first values: what a user asks for."""

from __future__ import annotations

from typing import Final

from catch.fault import Fault

_REASON: Final = (
    "The formula is what is declared: it stands on both sides of any comparison with the declared "
    "graph. Reference trajectories of `verigrad selfcheck` hold it to numbers from elsewhere."
)


def _optimizer(name: str, file: str, old: str, new: str) -> Fault:
    where, tests = f"passes/methods/optimizers/{file}.py", "optimizers/test_dialects.py"
    return Fault(name, "formulas of optimizers", where, old, new, tests, _REASON)


def _schedule(name: str, old: str, new: str, file: str = "learning_rates/schedule.py") -> Fault:
    tests = "optimizers/test_schedules.py"
    return Fault(name, "schedules", f"passes/methods/{file}", old, new, tests, _REASON)


def _loss(name: str, old: str, new: str, file: str = "ops/losses.py") -> Fault:
    return Fault(name, "losses and penalties", file, old, new, "ops/test_losses.py", _REASON)


def _first(name: str, old: str, new: str) -> Fault:
    tests = "ops/test_initializers.py api/test_first_values.py"
    return Fault(name, "first values", "ops/initializers.py", old, new, tests, _REASON)


FAULTS: Final = (
    _optimizer(
        "momentum-of-89",
        "descent",
        "new = renewed(DecayAdd(self.rho), v, g)\n"
        "        return {v: new, w: renewed(Descend(), w, new,",
        "new = renewed(DecayAdd(self.rho - 0.01), v, g)\n"
        "        return {v: new, w: renewed(Descend(), w, new,",
    ),
    _optimizer(
        "nesterov-looks-back",
        "descent",
        'return apply(DecayAdd(1.0, self.rho), w, states["velocity"])',
        'return apply(DecayAdd(1.0, -self.rho), w, states["velocity"])',
    ),
    _optimizer(
        "adam-counts-from-2",
        "adaptive",
        't = cast(step, "f64")\n        if self.first != 1:',
        't = cast(step, "f64") + 1.0\n        if self.first != 1:',
    ),
    _optimizer(
        "adam-moments-exchanged",
        "adaptive",
        "new_s = renewed(DecayAddSquare(self.beta2, 1 - self.beta2), s, g)",
        "new_s = renewed(DecayAddSquare(self.beta1, 1 - self.beta1), s, g)",
    ),
    _optimizer(
        "adamw-decays-twice",
        "adaptive",
        "return [1.0 - self.rate(step) * self.weight_decay]",
        "return [1.0 - self.rate(step) * (2 * self.weight_decay)]",
    ),
    _optimizer(
        "adagrad-forgets",
        "adaptive",
        "new = renewed(DecayAddSquare(1.0), s, g)",
        "new = renewed(DecayAddSquare(0.99), s, g)",
    ),
    _optimizer(
        "rmsprop-not-centered",
        "adaptive",
        "variance = maximum(subtract(new, square(updates[mean])), 0.0)",
        "variance = maximum(subtract(new, square(mean)), 0.0)",
    ),
    _schedule(
        "rate-of-the-step-after",
        'return self.lr.at(cast(step, "f64") - 1.0)',
        'return self.lr.at(cast(step, "f64"))',
        "optimizers/optimizer.py",
    ),
    _schedule(
        "cosine-of-half-the-way",
        "return (cos(done * math.pi) + 1.0) * ((self.lr - self.final) / 2) + self.final",
        "return (cos(done * math.pi / 2) + 1.0) * ((self.lr - self.final) / 2) + self.final",
    ),
    _schedule(
        "warm-up-begins-at-0",
        "return after * minimum((step + 1.0) / float(self.steps), 1.0)",
        "return after * minimum(step / float(self.steps), 1.0)",
    ),
    _loss(
        "smoothing-over-one-class-less",
        "* (label_smoothing / _classes(scores.type))",
        "* (label_smoothing / (_classes(scores.type) - 1))",
    ),
    _loss("huber-without-its-half", "near * (distance - near * 0.5)", "near * (distance - near)"),
    _loss("hinge-keeps-the-label", "sum(over, axes=(1,)) - margin", "sum(over, axes=(1,))"),
    _loss(
        "cross-entropy-of-the-other-class",
        "loss = add(targets * softplus(-logits), (1.0 - targets) * softplus(logits))",
        "loss = add(targets * softplus(logits), (1.0 - targets) * softplus(-logits))",
    ),
    _loss(
        "l2-without-its-half",
        "return total([squared_norm(w) for w in weights], self.strength / 2)",
        "return total([squared_norm(w) for w in weights], self.strength)",
        "passes/methods/regularizers.py",
    ),
    _first(
        "he-normal-of-half-the-variance",
        "return standard_normal(shape, words) * math.sqrt(2.0 / fan_in(shape))",
        "return standard_normal(shape, words) * math.sqrt(1.0 / fan_in(shape))",
    ),
    _first(
        "fan-in-of-the-outputs",
        "return max(1, math.prod(shape[:-1]) if len(shape) > 1 else math.prod(shape))",
        "return max(1, math.prod(shape[1:]) if len(shape) > 1 else math.prod(shape))",
    ),
    _first(
        "normal-numbers-of-one-sign",
        "np.multiply(length, np.cos(angle), out=",
        "np.multiply(length, np.abs(np.cos(angle)), out=",
    ),
)
