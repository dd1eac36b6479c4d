// Values layer by layer: where gradients vanish, what is dead, what is saturated.

const size = (v) => Math.hypot(v.mean ?? NaN, v.deviation ?? NaN);

/** Per layer its results and the gradients of them and its parameters: where do they vanish? */
function valuesPanel(app) {
  const { model } = app;
  if (!Object.keys(model.values || {}).length) return null;
  const layers = layerValues(model);
  if (!layers.length) return null;
  const sizes = layers.flatMap((l) =>
    [l.gradient, l.weights].filter((g) => g && size(g.v) > 0).map((g) => size(g.v)),
  );
  const [low, high] = [Math.log10(Math.min(...sizes)), Math.log10(Math.max(...sizes))];
  const span = Math.max(1, high - low);
  const bar = (g, kind) => {
    const part =
      g && size(g.v) > 0 ? 100 * (0.04 + (0.96 * (Math.log10(size(g.v)) - low)) / span) : 0;
    return draw(
      "svg",
      { class: "bar", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
      draw("rect", { class: kind, x: 0, y: 1, width: part.toFixed(1), height: 8 }),
    );
  };
  const most = Math.max(0, ...layers.map((l) => (l.gradient ? size(l.gradient.v) : 0)));
  const cell = (g) => (g ? [nodeLink(app, g.id, model.anyStage(g.id)), " "] : "–");
  const rows = layers.map((l) =>
    make(
      "tr",
      null,
      make("th", { scope: "row" }, l.layer),
      make("td", null, cell(l.result)),
      make("td", { class: "tiny" }, l.result && histogram(l.result.v, 90, 18)),
      make(
        "td",
        { class: "n" },
        l.result && `${number(l.result.v.mean)} ± ${number(l.result.v.deviation)}`,
      ),
      make(
        "td",
        { class: "n" },
        l.result && `${number(Number((100 * l.result.v.zeros).toPrecision(3)))} %`,
      ),
      make("td", { class: "barcell" }, bar(l.gradient, "backward")),
      make("td", { class: "n" }, l.gradient && number(size(l.gradient.v))),
      make("td", { class: "barcell" }, bar(l.weights, "update")),
      make("td", { class: "n" }, l.weights && number(size(l.weights.v))),
      make(
        "td",
        null,
        remarks(l, most).map((text) => make("span", { class: "warn" }, text)),
      ),
    ),
  );
  const heads = [
    "layer",
    "result",
    "values",
    "mean ± deviation",
    "zeros",
    "gradient of it",
    "rms",
    "gradient of weights",
    "rms",
    "note",
  ];
  return [
    make(
      "p",
      { class: "told" },
      "one batch, layer by layer; bars of gradients are logarithmic: a bar that shortens towards the first layer vanishes",
    ),
    table(heads, rows),
  ];
}

function remarks({ result, gradient, weights }, most) {
  const told = [result, gradient, weights].some((g) => g && !g.v.finite) ? ["not finite"] : [];
  if (gradient && most > 0 && size(gradient.v) < 1e-3 * most) told.push("gradient vanishes");
  return [...told, ...(result ? remarksOn(result).filter((r) => r !== "not finite") : [])];
}

/** Ops whose results are mostly zeros without anything being wrong. */
const ZEROS = ["parameter", "state", "input", "constant", "nll_grad"];

/** What is odd about the values of a node. */
function remarksOn({ op, v }) {
  const told = v.finite ? [] : ["not finite"];
  if (v.zeros > 0.9 && !ZEROS.includes(op)) told.push("mostly zeros");
  if (saturated(op, v)) told.push("saturated");
  return told;
}

/** Most of what a sigmoid or tanh gives lies in the outermost of the bins. */
function saturated(op, v) {
  const total = v.histogram.reduce((a, b) => a + b, 0);
  return (
    ["sigmoid", "tanh"].includes(op) &&
    v.most - v.least > 0.9 &&
    (v.histogram[0] + v.histogram.at(-1)) / total > 0.6
  );
}

/** The last result of each layer with values, its gradient, and that of its largest parameter. */
function layerValues(model) {
  const told = (id) => model.values[id] && { id, v: model.values[id], op: model.nodes[id].op };
  const stages = model.stages.filter((s) => s.pipeline === model.stages[0].pipeline);
  const most = (s) => s.nodes.filter((r) => model.values[r.id]).length;
  const stage = stages.reduce((best, s) => (most(s) > most(best) ? s : best));
  const gradient = (id) => (model.gradientOf.get(id) || []).map(told).find(Boolean);
  return stage.layers
    .map((layer) => {
      const rows = stage.nodes.filter((r) => r.layer === layer);
      const results = rows.filter(
        (r) =>
          r.part === "forward" &&
          !model.nodes[r.id].source &&
          model.values[r.id] &&
          model.gradientOf.has(r.id),
      );
      const parameters = rows.filter((r) => r.role === "parameter" && gradient(r.id));
      parameters.sort((a, b) => model.nodes[b.id].bytes - model.nodes[a.id].bytes);
      const last = results.at(-1);
      return {
        layer,
        result: last && told(last.id),
        gradient: last && gradient(last.id),
        weights: parameters.length > 0 && gradient(parameters[0].id),
      };
    })
    .filter((l) => l.result || l.gradient || l.weights);
}

// ---- of one node ---------------------------------------------------------------------------

function valuesOf(model, id, op) {
  const v = model.valuesOf(id);
  if (!v) return null;
  return [
    histogram(v, 300, 54),
    facts([
      ["range", `${number(v.least)} to ${number(v.most)}`],
      ["mean", `${number(v.mean)}, deviation ${number(v.deviation)}`],
      ["zeros", `${number(100 * v.zeros)} %`],
      [
        "remark",
        remarksOn({ op, v })
          .map((text) => make("b", { class: "warn" }, text))
          .at(0),
      ],
    ]),
  ];
}

function histogram(v, width, height) {
  const most = Math.max(1, ...v.histogram);
  const step = width / v.histogram.length;
  const bars = v.histogram.map((n, k) => {
    const tall = n ? Math.max(1, ((height - 2) * n) / most) : 0;
    return draw("rect", {
      x: k * step + 0.5,
      y: height - tall,
      width: Math.max(0.5, step - 1),
      height: tall,
    });
  });
  const text = `histogram from ${number(v.least)} to ${number(v.most)}: ${v.histogram.join(", ")}`;
  return draw(
    "svg",
    { class: "histogram", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": text },
    bars,
  );
}
