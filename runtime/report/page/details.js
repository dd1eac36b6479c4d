// The selected node on the right: what it is, where it comes from, what became of it, and why.

function showDetails(app) {
  const { state } = app;
  const panel = byId("details");
  if (state.node === null) fill(panel, overview(app));
  else fill(panel, nodeDetails(app, state.node));
  panel.scrollTop = 0;
}

function section(title, ...children) {
  const shown = children.flat(Infinity).filter(Boolean);
  return shown.length > 0 && make("section", null, make("h3", null, title), shown);
}

/** Names and values in two columns; those without a value are left out. */
function facts(rows) {
  const told = rows.filter(
    ([, value]) => value !== null && value !== undefined && value !== "" && value !== false,
  );
  return (
    told.length > 0 &&
    make(
      "dl",
      null,
      told.map(([name, value]) => [make("dt", null, name), make("dd", null, value)]),
    )
  );
}

/** A node as a link that selects it: in the present stage, or where that lacks it in another. */
function nodeLink(app, id, stage = app.stage) {
  const within = stage.byId.has(id) ? stage : app.model.anyStage(id) || stage;
  const go = () => app.choose(id, { reveal: true, within });
  return link(`%${app.model.nameOf(id, within)}`, go, {
    class: "link node",
    title: app.model.row(within, id)?.statement,
  });
}

function listed(items) {
  return items.flatMap((item, k) => (k ? [", ", item] : [item]));
}

// ---- one node ----------------------------------------------------------------------------------

function nodeDetails(app, id) {
  const { model, stage } = app;
  const node = model.nodes[id];
  const row = model.row(stage, id) || model.anywhere(id);
  const mark = stage.marks.get(id);
  const call = model.callOf(id, stage);
  const gone = !stage.byId.has(id) && stage.before?.byId.has(id);
  return [
    make(
      "header",
      null,
      make("h2", null, `%${row.name}`),
      make(
        "p",
        { class: "kind" },
        make("span", { class: `swatch ${row.role}` }),
        `${row.role} · `,
        make("code", null, node.text),
        " · ",
        make("code", null, node.type),
        mark &&
          make(
            "span",
            { class: `tag ${gone ? "removed" : MARK[mark]}` },
            gone
              ? `− ${mark === "~" ? "rewritten" : "removed"} by ${stage.name}`
              : `${SIGN[mark]} ${MARK[mark]} by ${stage.name}`,
          ),
      ),
    ),
    section("Why", reasons(app, id)),
    section("Lineage", lineage(app, id)),
    node.where &&
      section(
        "Your line",
        make(
          "p",
          { class: "source" },
          make("span", { class: "place" }, `${node.where.file}:${node.where.line}`),
          node.where.code && make("code", null, node.where.code),
        ),
      ),
    section(
      "What it computes",
      node.formula && make("p", null, node.formula),
      node.gradient && [
        make("b", null, "Gradient rule"),
        make("p", { class: "rule" }, node.gradient),
      ],
    ),
    section(
      "Size and time",
      facts([
        ["bytes", bytes(node.bytes)],
        ["flops", node.source ? null : count(node.flops)],
        ["layer", row.layer],
        ["kernel call", call && `#${call.number}: ${call.text}`],
        ["predicted", timeOf(call, "predicted")],
        ["measured", timeOf(call, "measured")],
      ]),
    ),
    section(
      "Edges",
      facts([
        ["reads", node.inputs.length > 0 && listed(node.inputs.map((i) => nodeLink(app, i)))],
        [
          "read by",
          stage.readers.has(id) && listed(stage.readers.get(id).map((i) => nodeLink(app, i))),
        ],
        ["gradient", pairOf(app, model.gradientOf.get(id))],
        ["gradient of", pairOf(app, model.aboutOf.get(id))],
        [
          "updates",
          listedOr(
            stage.updates
              .filter(([, value]) => value === id)
              .map(([target]) => nodeLink(app, target)),
          ),
        ],
        [
          "updated with",
          listedOr(
            stage.updates
              .filter(([target]) => target === id)
              .map(([, value]) => nodeLink(app, value)),
          ),
        ],
        [
          "output",
          Object.entries(stage.outputs)
            .filter(([, o]) => o === id)
            .map(([key]) => key)
            .join(", "),
        ],
      ]),
    ),
    section("Buffer", bufferOf(app, id)),
    section("Values in one batch", valuesOf(model, id, node.op)),
  ];
}

/** What a node's kernel call takes, said to be that of all where it makes others too. */
function timeOf(call, kind) {
  if (!call || call[kind] === null) return null;
  return `${seconds(call[kind])}${call.nodes.length > 1 ? " for the call" : ""}`;
}

const listedOr = (items) => items.length > 0 && listed(items);

/** Gradients in this stage, or, where it has none, the last that there are. */
function pairOf(app, ids) {
  if (!ids) return null;
  const here = ids.filter((i) => app.stage.byId.has(i));
  return listed([...new Set(here.length ? here : ids.slice(-1))].map((i) => nodeLink(app, i)));
}

function bufferOf(app, id) {
  const buffer = app.model.bufferOf(id, app.stage);
  if (!buffer) return null;
  const others = buffer.nodes.filter((i) => i !== id);
  const taken = buffer.takes_over;
  const link = (i) => nodeLink(app, i, app.model.last);
  return facts([
    [
      "arena",
      `${count(buffer.offset)} to ${count(buffer.offset + buffer.size)}, ${bytes(buffer.size)}`,
    ],
    [
      "alive",
      `kernel calls ${buffer.first} to ${buffer.last}${atPeak(app.model, buffer) ? ", at the peak" : ""}`,
    ],
    ["shared with", listedOr(others.map(link))],
    ["takes over", taken !== null && taken !== id && link(taken)],
    ["taken over by", taken === id && link(buffer.nodes.at(-1))],
  ]);
}

const atPeak = (model, b) => b.first <= model.plan.peak.call && model.plan.peak.call <= b.last;
