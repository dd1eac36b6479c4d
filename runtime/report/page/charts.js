// The panels of kernel times, losses, gradient check and certificate.

/** Kernels with measured and predicted time as bars, the slowest first. */
function profilePanel(app) {
  const { model } = app;
  const p = model.profile;
  const kernels = kernelsOf(model);
  if (!kernels.length) return null;
  const time = (k) => k.measured ?? k.predicted;
  const most = Math.max(...kernels.map((k) => Math.max(k.measured || 0, k.predicted || 0)));
  const total = sum(kernels, time);
  const told = p
    ? `a step takes ${seconds(p.step)}, predicted ${seconds(p.predicted)}; its kernels, slowest first`
    : "predicted times of the kernels, slowest first; a profile measures them";
  const width = (t) => ((100 * t) / most).toFixed(2);
  const rows = [...kernels]
    .sort((a, b) => time(b) - time(a))
    .map((k) =>
      make(
        "tr",
        null,
        make("td", { class: "n" }, k.call === null ? "" : `#${k.call}`),
        make("td", { class: "ops", title: k.text }, k.ops),
        make("td", null, k.node !== undefined && nodeLink(app, k.node, model.last)),
        make(
          "td",
          { class: "barcell" },
          draw(
            "svg",
            {
              class: "bar",
              viewBox: "0 0 100 10",
              preserveAspectRatio: "none",
              "aria-hidden": "true",
            },
            draw("rect", { class: k.part, x: 0, y: 1, width: width(time(k)), height: 8 }),
            k.measured !== null &&
              k.predicted !== null &&
              draw("rect", {
                class: "predicted",
                x: 0,
                y: 7.5,
                width: width(k.predicted),
                height: 2.5,
              }),
          ),
        ),
        make("td", { class: "n" }, seconds(k.measured)),
        make("td", { class: "n" }, seconds(k.predicted)),
        make("td", { class: "n" }, `${Number(((100 * time(k)) / total).toPrecision(2))} %`),
      ),
    );
  return [
    make(
      "p",
      { class: "told" },
      told,
      p && make("span", { class: "key" }, "; thin bars: predicted"),
    ),
    table(["call", "ops", "makes", "time", "measured", "predicted", "share"], rows),
  ];
}

/** The profile's kernels, or the plan's calls where only the cost model tells their time. */
function kernelsOf(model) {
  const calls = new Map((model.plan?.calls || []).map((call) => [call.number, call]));
  const rows =
    model.profile?.kernels || [...calls.values()].map((call) => ({ ...call, call: call.number }));
  return rows
    .filter((k) => k.measured !== null || k.predicted !== null)
    .map((k) => {
      const nodes = calls.get(k.call)?.nodes || [];
      const ops = [...new Set(nodes.map((i) => model.nodes[i].op))].join(" + ");
      return { ...k, ops: ops || k.text, node: nodes.at(-1) };
    });
}

const table = (heads, rows) =>
  make(
    "table",
    null,
    make(
      "thead",
      null,
      make(
        "tr",
        null,
        heads.map((t) => make("th", { scope: "col" }, t)),
      ),
    ),
    make("tbody", null, rows),
  );

/** Loss by step, that of validation, and accuracy on an axis of its own. */
function lossPanel(app) {
  const h = app.model.history;
  if (!h || !h.loss?.some(Number.isFinite)) return null;
  const lines = [
    {
      name: "training loss",
      kind: "forward",
      points: h.loss.map((y, k) => [(k + 1) * (h.every || 1), y]),
    },
    { name: "validation loss", kind: "backward", points: h.validation || [] },
    { name: "training accuracy", kind: "parameter", points: h.train_accuracy || [], own: true },
    { name: "accuracy", kind: "update", points: h.accuracy || [], own: true },
  ].filter((line) => line.points.some((p) => Number.isFinite(p[1])));
  const last = (line) => number(line.points.at(-1)[1]);
  const told = lines.map((line) =>
    make(
      "span",
      { class: "key" },
      make("span", { class: `swatch ${line.kind}` }),
      ` ${line.name}, last ${last(line)}`,
    ),
  );
  const text = `curves: ${lines.map((l) => `${l.name}, last ${last(l)}`).join("; ")}`;
  return [
    make("p", { class: "told" }, told),
    sized((width, height) => lossPicture(lines, text, width, height)),
  ];
}

function lossPicture(lines, text, width, height) {
  const losses = lines
    .filter((line) => !line.own)
    .flatMap((line) => line.points.map((p) => p[1]).filter(Number.isFinite));
  const low = Math.min(0, ...losses);
  const high = Math.max(...losses, low + 1e-9);
  const steps = Math.max(...lines.flatMap((line) => line.points.map((p) => p[0])), 1);
  const [left, right, top, bottom] = [56, 52, 8, 22];
  const x = (step) => left + ((width - left - right) * step) / steps;
  const y = (value, own) =>
    height - bottom - (height - top - bottom) * (own ? value : (value - low) / (high - low));
  const tick = (place, words) => draw("text", { class: "tick", ...place }, words);
  const shares = lines.some((line) => line.own);
  const axes = [0, 0.5, 1].map((share) => {
    const level = y(share, true);
    return [
      draw("line", { class: "grid", x1: left, x2: width - right, y1: level, y2: level }),
      tick({ x: left - 6, y: level + 4, "text-anchor": "end" }, number(low + share * (high - low))),
      shares && tick({ x: width - right + 6, y: level + 4 }, `${100 * share} %`),
      tick(
        { x: x(share * steps), y: height - 5, "text-anchor": "middle" },
        Math.round(share * steps),
      ),
    ];
  });
  const curves = lines.map((line) => {
    const d = curve(line.points, (p) => [x(p[0]), y(p[1], line.own)]);
    return draw("path", { class: `curve ${line.kind}`, d });
  });
  const attributes = { class: "losses", viewBox: `0 0 ${width} ${height}`, role: "img" };
  return draw("svg", { ...attributes, "aria-label": text }, axes, curves);
}

function curve(points, place) {
  let pen = "M";
  return points
    .filter((p) => Number.isFinite(p[1]))
    .map((p) => {
      const [x, y] = place(p);
      const text = `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
      pen = "L";
      return text;
    })
    .join("");
}

function gradcheckPanel(app) {
  const check = app.model.gradcheck;
  if (!check) return null;
  const rows = check.rows.map((r) =>
    make(
      "tr",
      { class: r.verdict === "PASS" ? null : "bad" },
      make("td", null, r.name),
      make("td", { class: "n" }, number(r.error)),
      make("td", { class: "n" }, number(r.symbolic)),
      make("td", { class: "n" }, number(r.numeric)),
      make("td", null, r.verdict),
    ),
  );
  return [
    make("p", { class: "told" }, `verdict: ${check.verdict}`),
    table(["of", "error", "symbolic", "numeric", "verdict"], rows),
    make("pre", { tabindex: "0", "aria-label": "gradient check as text" }, check.lines.join("\n")),
  ];
}

function certificatePanel(app) {
  const c = app.model.certificate;
  return (
    c && [
      make("p", { class: "told" }, badge(c.verdict) || c.verdict),
      make("pre", { tabindex: "0", "aria-label": "certificate as text" }, c.lines.join("\n")),
    ]
  );
}
