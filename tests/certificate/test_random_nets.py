"""Random nets of all that can be declared: none is refuted, and little of them is skipped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import pytest
from effort import tries

import verigrad as vg

T = TypeVar("T")

ACTIVATIONS: Sequence[Any] = (
    vg.relu, vg.tanh, vg.gelu, vg.silu, vg.elu, vg.selu, vg.leaky_relu, vg.sigmoid, vg.softplus,
    vg.erf, vg.absolute, vg.sin,
    lambda x: vg.gelu(x, form="tanh"),
    lambda x: vg.maximum(x, 0.1),
    lambda x: vg.minimum(x, 1.0) + vg.floor(x) * 0.01,
    lambda x: vg.where(vg.greater(x, 0.0), x, x * 0.2),
    lambda x: vg.sqrt(vg.square(x) + 1.0),
    lambda x: vg.power(vg.absolute(x) + 0.5, 1.5),
    lambda x: x / (1.0 + vg.absolute(x)),
    lambda x: x - vg.max(x, axis=1, keepdims=True),
    lambda x: vg.log(vg.softmax(x)),
    lambda x: vg.expm1(x * 0.1),
)  # fmt: skip
NORMALIZATIONS: Sequence[Any] = (
    vg.batch_norm,
    vg.layer_norm,
    lambda x: vg.batch_norm(x, unbiased=True, momentum=0.5),
)
LOSSES: Sequence[Any] = (
    vg.mean_squared_error,
    vg.mean_absolute_error,
    vg.huber,
    vg.poisson_nll,
    vg.binary_cross_entropy_with_logits,
)
OPTIMIZERS = (
    vg.SGD(0.1),
    vg.Momentum(0.1),
    vg.Momentum(0.1, rate_is="inside"),
    vg.Nesterov(0.1),
    vg.Nesterov(0.1, dialect="sklearn"),
    vg.AdaGrad(0.1),
    vg.RMSProp(0.01, centered=True, momentum=0.5),
    vg.Adam(0.001),
    vg.Adam(0.001, dialect="onnx"),
    vg.AdamW(0.0003, weight_decay=0.05),
    vg.SGD(vg.schedules.warmup(vg.schedules.cosine(0.1, steps=50), steps=5)),
    vg.Adam(vg.schedules.one_cycle(0.01, steps=40)),
    vg.SGD(0.1, groups=[vg.Group("*.weight", lr=0.01, weight_decay=0.3)], weight_decay=0.02),
)
OPTIONAL = (
    "fold_constants",
    "simplify",
    "eliminate_common",
    "fuse_linear_relu",
    "fuse_softmax_nll",
    "add_in_place",
)


class Drawing:
    """A random net, how it is compiled, and batches for it."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.features, self.classes = self.number(1, 9), self.number(1, 6)
        self.more: dict[str, tuple[int, ...]] = {}
        self.x = vg.input("x", ("N", self.features))
        self.y = vg.input("y", ("N",), dtype="i64")
        scores = vg.dense(self.hidden(self.x), self.classes, bias=self.now_and_then(0.5))
        loss = self.loss(scores)
        if self.now_and_then(0.2):
            (slope,) = vg.grad(vg.sum(scores * scores), [self.x])
            loss = loss + vg.squared_norm(slope) * 0.01
        self.net = vg.Graph("net", {"scores": scores, "p": vg.softmax(scores)}, loss=loss)

    def number(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high))

    def now_and_then(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def one(self, choices: Sequence[T]) -> T:
        return choices[self.number(0, len(choices))]

    def hidden(self, h: vg.Node) -> vg.Node:
        before: vg.Node | None = None
        for _ in range(self.number(0, 4)):
            h = vg.dense(h, self.one((1, 3, 6, 6, 17)))
            h = self.one(NORMALIZATIONS)(h) if self.now_and_then(0.3) else h
            h = self.one(ACTIVATIONS)(h)
            if before is not None and before.shape == h.shape:
                h = h + before
            if self.now_and_then(0.2):
                h = vg.dropout(h, keep=self.one((0.5, 0.9, 1.0)))
            h = vg.concat(h, h * 0.5, axis=1) if self.now_and_then(0.15) else h
            before = h
        return h

    def loss(self, scores: vg.Node) -> vg.Node:
        options: dict[str, Any] = {}
        if self.now_and_then(0.3):
            options["sample_weights"] = vg.input("w", ("N",))
            self.more["w"] = ()
        kind = self.number(0, 4)
        if kind == 0:
            targets = vg.input("t", ("N", self.classes))
            self.more["t"] = (self.classes,)
            loss: vg.Node = self.one(LOSSES)(scores, targets, **options)
            return loss
        if kind == 1:
            return vg.hinge(scores, self.y, **options)
        smoothing = {"label_smoothing": 0.1} if self.now_and_then(0.3) else {}
        return vg.softmax_cross_entropy(scores, self.y, **options, **smoothing)

    def program(self, backend: str) -> vg.Program:
        pipeline = vg.TRAINING.with_options({"smallest": self.one((1, 10_000))})
        pipeline = pipeline.without(*[name for name in OPTIONAL if self.now_and_then(0.1)])
        return vg.compile(
            self.net,
            optimizer=self.one(OPTIMIZERS),
            regularizer=self.one((None, vg.L2(0.01), vg.L1(0.003), vg.ElasticNet(0.01, 0.02))),
            dropout=self.one((None, vg.Dropout(keep=0.6), vg.Dropout(keep=0.8, mode="vanilla"))),
            clip=self.one((None, vg.ClipNorm(1.0), vg.ClipValue(0.1))),
            dtype=self.one(("f32", "f32", "f64")),
            pipeline=pipeline,
            backend=backend,
            certify=True,
        )

    def feeds(self, rows: int) -> dict[str, np.ndarray]:
        drawn = {"x": self.rng.standard_normal((rows, self.features)).astype("f4")}
        drawn["y"] = self.rng.integers(0, self.classes, rows)
        for name, shape in self.more.items():
            drawn[name] = (0.1 + self.rng.random((rows, *shape))).astype("f4")
        known = {self.net.names[n] for n in self.net.inputs}
        return {name: value for name, value in drawn.items() if name in known}


@pytest.mark.parametrize("seed", range(tries(40)))
def test_no_sound_net_is_refuted(seed: int) -> None:
    drawing = Drawing(seed)
    program = drawing.program("numpy")
    for rows in (2, 7):
        feeds = drawing.feeds(rows)
        for call in (program.step, program.evaluate, program.predict, program.gradients):
            call(feeds)
    variants = program._variants
    for executable in (variants.executable, variants.evaluation, variants.gradients):
        certificate = executable.certifier.certificate
        assert certificate.verdict == "proved", certificate
        assert [f.verdict for f in certificate.floats] == ["within bounds"] * 2, certificate


@pytest.mark.parametrize("seed", range(1_000, 1_000 + tries(1)))
def test_no_sound_net_is_refuted_on_numba(seed: int) -> None:
    pytest.importorskip("numba")
    drawing = Drawing(seed)
    program = drawing.program("numba")
    program.step(drawing.feeds(7))
    certificate = program.certificate
    assert certificate.verdict == "proved", certificate
    assert [f.verdict for f in certificate.floats] == ["within bounds"], certificate
