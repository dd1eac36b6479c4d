"""A batch in shards makes the step of the whole batch, but for the order of sums, and is proved."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
from click.testing import CliRunner
from effort import some
from sharded import LAYERS, LOSSES, NETS, feeds, held, near, same_steps

import verigrad as vg
from verigrad.ops import GatherRows
from verigrad.passes import ShardBatch, unrolled
from verigrad.runtime.command.cli import cli

OPTIMIZERS = [
    vg.SGD(0.1),
    vg.Momentum(0.1, rho=0.9),
    vg.Nesterov(0.1, rho=0.9),
    vg.AdaGrad(0.1),
    vg.RMSProp(0.01),
    vg.Adam(0.01),
    vg.AdamW(0.01, weight_decay=0.1),
    vg.SGD(vg.schedules.cosine(0.1, steps=5), weight_decay=0.01, dialect="torch"),
]
METHODS: dict[str, dict[str, Any]] = {
    "l1": {"regularizer": vg.L1(0.01)},
    "l2": {"regularizer": vg.L2(0.01)},
    "elastic": {"regularizer": vg.ElasticNet(0.01, 0.02)},
    "clip_norm": {"clip": vg.ClipNorm(0.1)},
    "clip_value": {"clip": vg.ClipValue(0.02)},
    "dropout": {"dropout": vg.Dropout(keep=0.6, input=0.9)},
    "vanilla": {"dropout": vg.Dropout(keep=0.6, mode="vanilla")},
}


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_counts_the_true_rows(name: str) -> None:
    same_steps(LOSSES[name], 8, [9, 3, 20])


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer(name: str) -> None:
    same_steps(LAYERS[name], 4, [7, 2, 16])


@pytest.mark.parametrize("shards", [1, 2, 8, *some([4, 16], 1)])
@pytest.mark.parametrize("name", ["batch_norm", "dropout", "sample_weights"])
def test_any_batch_in_any_number_of_shards(name: str, shards: int) -> None:
    counts = [2, 3, 7, 8, 9, 64, 100]
    same_steps(NETS[name], shards, counts if name == "batch_norm" else [1, *counts])


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: f"{o.name}-{o.dialect}")
def test_every_optimizer(optimizer: vg.Optimizer) -> None:
    same_steps(NETS["gelu"], 4, [9, 5], optimizer=optimizer)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_every_method_in_both_widths(method: str, dtype: str) -> None:
    same_steps(NETS["batch_norm"], 8, [19, 6], dtype=dtype, **METHODS[method])


@pytest.mark.parametrize("name", ["batch_norm", "dropout"])
def test_steps_that_numba_compiles(name: str) -> None:
    pytest.importorskip("numba")
    same_steps(NETS[name], 4, [9, 2], backend="numba", optimizer=vg.SGD(0.1))


def test_frozen_batch_norm_keeps_its_running_values() -> None:
    x = vg.input("x", ("N", 5))
    h = vg.dense(x, 6, name="fc1")
    frozen = {"bn.weight": False, "bn.bias": False}
    h = vg.batch_norm(h, name="bn")
    text = str(vg.Graph("net", {"h": h}, loss=vg.mean(vg.square(h))))
    for name in frozen:
        init = "ones" if name.endswith("weight") else "zeros"
        text = text.replace(
            f"%{name}: f32[6] = parameter{{init={init}}}",
            f"%{name}: f32[6] = parameter{{init={init},trainable=false}}",
        )
    net = vg.parse(text)
    for shards in (4, vg.Shards(4, batch_norm="per_shard")):
        program = same_steps(net, shards, [9, 4])
        assert not program.state["bn.running_mean"].any()


def test_masks_are_those_of_the_whole_batch_to_the_bit() -> None:
    x = vg.input("x", ("N", 7))
    kept = vg.dropout(x, keep=0.5)
    w = vg.parameter("w", (7,))
    net = vg.Graph("net", {"kept": kept}, loss=vg.sum(kept * w))
    for shards in (1, 2, 8, 16):
        for count in (1, 5, 8, 33, 100):
            made = []
            for given in (None, shards):
                program = vg.compile(net, optimizer=vg.SGD(0.1), seed=5, shards=given)
                batch = {"x": np.ones((count, 7), np.float32)}
                made.append([program.step_with(batch, "kept")[1] for _ in range(2)])
            np.testing.assert_array_equal(made[0], made[1])
            assert {*np.unique(made[1])} <= {0.0, 2.0}


# ---- what a program gives --------------------------------------------------------------------


@pytest.fixture(scope="module", params=["batch_norm", "dropout"])
def pair(request: pytest.FixtureRequest) -> tuple[vg.Program, vg.Program, dict[str, np.ndarray]]:
    """A program with whole batches, one with shards, and a batch."""
    net = NETS[request.param]
    options = {"optimizer": vg.SGD(0.1), "regularizer": vg.L2(0.01), "seed": 1}
    whole, cut = vg.compile(net, **options), vg.compile(net, shards=8, **options)
    return whole, cut, feeds(net, 13)


def test_gradients_and_losses_are_the_same(pair: Any) -> None:
    whole, cut, batch = pair
    (a, due), (b, found) = whole.gradients(batch), cut.gradients(batch)
    near({"loss": b, **found}, {"loss": a, **due})
    near({"loss": cut.loss(batch)}, {"loss": whole.loss(batch)})


def test_inference_is_not_cut(pair: Any) -> None:
    whole, cut, batch = pair
    assert str(cut.inference) == str(whole.inference)
    for key, value in whole.evaluate(batch).items():
        np.testing.assert_array_equal(cut.evaluate(batch)[key], value)
    np.testing.assert_array_equal(
        cut.predict(x=batch["x"])["scores"], whole.predict(x=batch["x"])["scores"]
    )


def test_outputs_with_rows_are_those_of_the_whole_batch() -> None:
    net = NETS["layer_norm"]
    options = {"optimizer": vg.SGD(0.1), "seed": 1}
    whole, cut = vg.compile(net, **options), vg.compile(net, shards=8, **options)
    batch = feeds(net, 13)
    for key in ("scores", "middle", "fed"):
        (a, due), (b, found) = (p.step_with(batch, key) for p in (whole, cut))
        near({"loss": b, key: found}, {"loss": a, key: due})
    np.testing.assert_array_equal(found, batch["x"])


def test_a_declared_gradient_in_the_loss() -> None:
    x, t = vg.input("x", ("N", 4)), vg.input("t", ("N", 1))
    hidden = vg.dense(x, 6, name="fc1")
    h = vg.dense(vg.tanh(hidden), 1, name="fc2")
    w = hidden.inputs[1]
    slopes = vg.grad(vg.sum(h), [x, hidden]), vg.grad(vg.mean(vg.square(h)), [w, x])
    terms = [vg.sum(vg.square(slope)) for slopes_of in slopes for slope in slopes_of]
    loss = vg.mean_squared_error(h, t) + 0.1 * (terms[0] + terms[1]) + terms[2] * terms[3]
    net = vg.Graph("net", {"slope": slopes[0][0]}, loss=loss)
    same_steps(net, 4, [9, 3])
    same_steps(net, vg.Shards(4, batch_norm="per_shard"), [9, 3])


def test_what_the_user_updates_by_sums_of_rows() -> None:
    x = vg.input("x", ("N", 3))
    w, seen = vg.parameter("w", (3,)), vg.state("seen", (3,))
    counted = vg.state("count", ())
    loss, rows = vg.mean(vg.square(x * w)), vg.cast(vg.dim("N"), "f32")
    net = vg.Graph(
        "net",
        loss=loss,
        updates={seen: seen + vg.sum(vg.square(x), axis=0), counted: counted + rows},
    )
    program = same_steps(net, 8, [11, 2])
    assert program.state["count"] == 13


def test_inputs_without_rows_are_read_by_all_shards() -> None:
    x, scale = vg.input("x", ("N", 3)), vg.input("scale", (3,))
    w = vg.parameter("w", (3,))
    net = vg.Graph("net", loss=vg.mean(vg.square(x * scale - w)))
    same_steps(net, 4, [9, 3])


def test_a_net_without_a_loss_cannot_be_cut() -> None:
    net = vg.Graph("net", {"y": vg.relu(vg.input("x", ("N", 3)))})
    with pytest.raises(vg.GraphError, match="has no loss to optimize, so shards has no effect"):
        vg.compile(net, shards=2)


# ---- ops of the user's -----------------------------------------------------------------------


@vg.op
class Doubled(vg.Op):
    """y = 2 x, element by element."""

    name: ClassVar[str] = "doubled_rows"
    elementwise: ClassVar[bool] = True

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        self.takes(types, 1)
        return types[0]

    def vjp(self, node: vg.Node, dy: vg.Node) -> tuple[vg.Node]:
        return (dy * 2.0,)

    def exact(self, at: Any, x: Any) -> Any:
        return x * 2.0

    def run(self, x: np.ndarray, *, out: np.ndarray) -> None:
        np.multiply(x, 2, out=out)


class Joins(vg.Op):
    """Sums of rows, or what is called so."""

    mean: bool = False

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        self.takes(types, 1)
        return types[0].with_shape(types[0].shape[1:])

    def vjp(self, node: vg.Node, dy: vg.Node) -> tuple[vg.Node]:
        x = node.inputs[0]
        dx = vg.broadcast_to(dy, x.type.shape)
        return (dx / vg.cast(vg.dim(x.type.shape[0]), "f32") if self.mean else dx,)

    def exact(self, at: Any, x: Any) -> Any:
        return x.mean((0,), False) if self.mean else x.sum((0,), False)

    def run(self, x: np.ndarray, *, out: np.ndarray) -> None:
        np.divide(x.sum(0), len(x) if self.mean else 1, out=out)


@vg.op
class RowSum(Joins):
    name: ClassVar[str] = "row_sum"

    def over_rows(self, *types: vg.TensorType) -> Any:
        return "sum"


@vg.op
class RowMean(Joins):
    name: ClassVar[str] = "row_mean"
    mean: bool = True

    def over_rows(self, *types: vg.TensorType) -> Any:
        return "mean"


@vg.op
class Untold(Joins):
    name: ClassVar[str] = "untold"


def with_own(op: vg.Op, inside: bool = False) -> vg.Graph:
    x, w = vg.input("x", ("N", 3)), vg.parameter("w", (3,))
    h = vg.apply(op, vg.tanh(x * w), name="own")
    return vg.Graph("net", loss=vg.mean(vg.square(h)) if inside else vg.sum(vg.square(h)))


@pytest.mark.parametrize("op", [Doubled(), RowSum(), RowMean()], ids=lambda op: op.name)
def test_ops_of_the_users_that_tell_how_rows_are_joined(op: vg.Op) -> None:
    same_steps(with_own(op), 4, [9, 4, 23, 2])


def test_an_op_that_does_not_tell_is_named() -> None:
    with pytest.raises(vg.PassError) as e:
        vg.compile(with_own(Untold()), shards=4)
    assert "%own = untold: f32[3] takes all rows of the batch at once" in str(e.value)
    assert "`over_rows`" in str(e.value)
    assert "in the pass shard_batch" in str(e.value)


# ---- the option and the pass -----------------------------------------------------------------


@pytest.mark.parametrize("shards", [3, 0, -2, 2048, True, "x", 8.0, vg.L2(0.1)])
def test_a_number_of_shards_is_a_power_of_two(shards: Any) -> None:
    with pytest.raises(vg.VerigradError, match=r"^shards is .*where .* is expected"):
        vg.compile(NETS["relu"], optimizer=vg.SGD(0.1), shards=shards)
    with pytest.raises(vg.GraphError, match=r"^shards is .*where a power of two from 1 to 1024"):
        vg.Shards(shards)


def test_batch_norm_goes_by_one_of_two_ways() -> None:
    with pytest.raises(vg.GraphError, match="'alone', where one of synchronised, per_shard is"):
        vg.Shards(8, batch_norm="alone")  # type: ignore[arg-type]


def test_a_number_of_numpys_is_one() -> None:
    program = vg.compile(NETS["relu"], optimizer=vg.SGD(0.1), shards=np.int64(4))
    assert program.options.shards == vg.Shards(4)


def test_an_unsharded_program_is_untouched() -> None:
    net = NETS["batch_norm"]
    program = vg.compile(net, optimizer=vg.SGD(0.1))
    assert ShardBatch().apply(program.declared) is program.declared
    assert unrolled(program.training) is program.training
    again = program.but(shards=4).but(shards=None)
    assert str(again.training) == str(program.training)
    assert again.plan(N=9).nbytes == program.plan(N=9).nbytes


def test_the_pass_stands_in_texts_of_pipelines() -> None:
    pipeline = vg.pipeline("shards{8},differentiate,sgd{0.1},schedule")
    assert str(pipeline).startswith("shard_batch{shards=shards(8)},differentiate")
    assert vg.pipeline(str(pipeline)) == pipeline
    g = pipeline.run(NETS["relu"]).graph
    assert "all_reduce{tree=8" in str(g)
    near(_interpreted(g), _interpreted(pipeline.without("shard_batch").run(NETS["relu"]).graph))


def test_the_command_compares_what_a_cut_graph_computes() -> None:
    passes = "shards{8},differentiate,simplify,pack_reductions,sgd{0.1}"
    command = ["opt", "--pass", passes, "--check"]
    result = CliRunner().invoke(cli, command, input=str(NETS["relu"]))
    assert result.exit_code == 0, result.output
    assert "check: shard_batch: keeps what is computed" in result.output
    assert "its gradients alone were compared, with derivatives" in result.output
    assert "bucket=0" in result.output


def _interpreted(g: vg.Graph) -> dict[str, np.ndarray]:
    program = vg.compile(NETS["relu"], optimizer=vg.SGD(0.1))
    batch = feeds(NETS["relu"], 9)
    found = vg.interpret(g, {**held(program), **batch})
    return {**found.outputs, **found.updates}


def test_a_pipeline_of_the_users_that_cuts_batches() -> None:
    net = NETS["batch_norm"]
    pipeline = vg.TRAINING.insert(ShardBatch(vg.Shards(4)), before="differentiate")
    a = vg.compile(net, optimizer=vg.SGD(0.1), pipeline=pipeline)
    b = vg.compile(net, optimizer=vg.SGD(0.1), shards=4)
    batch = feeds(net, 11)
    near({"loss": a.step(**batch)}, {"loss": b.step(**batch)})
    near(held(a), held(b))


def test_stages_verify_and_are_read_back_from_their_text() -> None:
    program = vg.compile(NETS["batch_norm"], optimizer=vg.Adam(0.01), shards=8)
    for g in (*program.stages.values(), unrolled(program.training)):
        vg.verify(g)
        assert str(vg.parse(str(g))) == str(g)


def test_the_tree_stands_in_the_graph() -> None:
    x, w = vg.input("x", ("N",)), vg.parameter("w", ())
    program = vg.compile(vg.Graph("net", loss=vg.sum(x * w)), optimizer=vg.SGD(0.1), shards=8)
    g = unrolled(program.stages["shard_batch"])
    total = g.loss
    assert total is not None and g.names[total] == "loss"

    def leaves(n: vg.Node) -> Any:
        return tuple(map(leaves, n.inputs)) if n.op.name == "add" else g.names[n]

    s = [f"loss.shard{k}" for k in range(8)]
    assert leaves(total) == (
        ((s[0], s[1]), (s[2], s[3])),
        ((s[4], s[5]), (s[6], s[7])),
    )
    assert [g.names[n] for n in total.inputs] == ["loss.shard0-3", "loss.shard4-7"]


def test_rows_are_cut_in_order_the_longer_parts_first() -> None:
    x, w = vg.input("x", ("N",)), vg.parameter("w", ())
    g = unrolled(ShardBatch(vg.Shards(4)).apply(vg.Graph("net", {"y": x * w})))
    found = vg.interpret(g, {"x": np.arange(10, dtype=np.float32), "w": np.float32(1.0)})
    parts = [found.values[f"y.shard{k}"].tolist() for k in range(4)]
    assert parts == [[0, 1, 2], [3, 4, 5], [6, 7], [8, 9]]
    np.testing.assert_array_equal(found.outputs["y"], np.arange(10))


def test_rows_of_some_shards_are_counted_as_theirs() -> None:
    types = [vg.graph.types.parse_type(t) for t in ("f32[N.2of8,3]", "f32[N.3of8,3]")]
    gathered = GatherRows(8).infer(*types)
    assert str(gathered) == "f32[N.2-3of8,3]"
    assert gathered.bind({"N": 19}) == (5, 3)


def test_a_graph_whose_inputs_are_shards_counts_the_whole_batch() -> None:
    text = """graph net {
      %a: f32[N.0of2] = input
      %b: f32[N.1of2] = input
      %y: f32[N] = gather_rows{2}(%a, %b)
      %count: f64[] = dim{N}()
      return y=%y, count=%count
    }"""
    found = vg.interpret(vg.parse(text), {"a": np.ones(3, "f4"), "b": np.zeros(2, "f4")})
    np.testing.assert_array_equal(found.outputs["y"], [1, 1, 1, 0, 0])
    assert found.outputs["count"] == 5


def test_a_result_that_is_left_apart_is_refused() -> None:
    text = """graph net {
      %x: f32[N] = input
      %x.shard: f32[N.of4] = shard{4}(%x)
      %part: f32[] = sum(%x.shard)
      return part=%part
    }"""
    with pytest.raises(vg.GraphError, match="%part is another in each shard, and stands where all"):
        unrolled(vg.parse(text))
