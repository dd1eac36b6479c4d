"""The three-layer net by hand: declare, compile, train on the digits, predict.

Run it with `python examples/three_layer_net.py`; it takes a few seconds.
"""

import verigrad as vg


def declare() -> vg.Graph:
    """linear-relu, linear-relu, linear-softmax on 64 pixels."""
    x = vg.input("x", ("N", 64))
    y = vg.input("y", ("N",), dtype="i64")
    h = vg.relu(vg.dense(x, 100, name="fc1"))
    h = vg.relu(vg.dense(h, 100, name="fc2"))
    scores = vg.dense(h, 10, name="fc3")
    return vg.Graph("digits", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))


def compiled() -> vg.Program:
    """The net with momentum, an L2 penalty and dropout."""
    return vg.compile(
        declare(),
        optimizer=vg.Momentum(lr=0.05, rho=0.9),
        regularizer=vg.L2(1e-4),
        dropout=vg.Dropout(keep=0.9),
        seed=0,
    )


def main() -> float:
    train, test = vg.digits()  # pixels are 0 to 16
    program = compiled()
    history = vg.fit(program, (train.x / 16, train.y), epochs=30, batch_size=50)
    print(f"training loss {history.rows[0].train_loss:.3f} -> {history.rows[-1].train_loss:.3f}")

    scores = program.predict(x=test.x / 16)["scores"]
    accuracy = float((scores.argmax(axis=1) == test.y).mean())
    print(f"test accuracy {100 * accuracy:.1f} % of {len(test.y)} digits")
    return accuracy


if __name__ == "__main__":
    main()
