// Bands, boxes and edges of a stage as they are drawn.

const MARK = { "+": "added", "-": "removed", "~": "rewritten" };
const SIGN = { "+": "+", "-": "−", "~": "~" };
const HEADS = { forward: "forward ↓", backward: "backward ↑", update: "update" };
/** Room for what the head of a layer tells beside its title. */
const TOLD = 245;

class Drawing extends Canvas {
  ground(band) {
    return draw("rect", {
      class: "ground",
      x: 0,
      y: band.y,
      width: band.width,
      height: band.outer,
      rx: 6,
    });
  }

  band(parent, band) {
    const { model } = this.app;
    const inner = band.rows.filter((r) => !model.nodes[r.id].source && !this.ghosts.has(r.id));
    const parameters = band.rows.filter((r) => r.role === "parameter");
    const told = [
      inner.length && plural(inner.length, "op"),
      inner.length && bytes(sum(inner, (r) => model.nodes[r.id].bytes)),
      parameters.length &&
        plural(
          sum(parameters, (r) => elements(model.nodes[r.id].type, model.sizes)),
          "parameter",
        ),
    ]
      .filter(Boolean)
      .join(" · ");
    const key = `${this.id}-band-${this.items.length}`;
    const title = fitted(band.title, band.width - TOLD);
    const head = draw(
      "g",
      {
        class: "bandhead",
        id: key,
        role: "treeitem",
        "aria-level": 1,
        "aria-expanded": String(!band.collapsed),
        "aria-label": `${band.title}: ${told}`,
        "data-band": band.key,
      },
      draw("rect", { x: 0, y: band.y, width: band.width, height: 22, rx: 6 }),
      draw(
        "text",
        { x: 8, y: band.y + 15.5 },
        draw("tspan", { class: "name" }, `${band.collapsed ? "▸" : "▾"} ${title}`),
        draw("tspan", { class: "told", dx: 8 }, told),
        this.counts(band.rows),
      ),
    );
    parent.append(head);
    this.items.push({
      key,
      band: band.key,
      x: 0,
      y: band.y,
      width: 120,
      height: 22,
      element: head,
    });
    for (const box of band.boxes) this.folded(parent, box);
    if (!band.collapsed) for (const row of band.rows) this.box(parent, row);
  }

  /** `+3 −1 ~2`, of what changed among the rows. */
  counts(rows) {
    return Object.keys(MARK).map((mark) => {
      const n = rows.filter((r) => this.marks.get(r.id) === mark).length;
      return n > 0 && draw("tspan", { class: `told ${MARK[mark]}`, dx: 8 }, `${SIGN[mark]}${n}`);
    });
  }

  folded(parent, { x, y, width, height, cell, band }) {
    const { model } = this.app;
    const inner = cell.inner.filter((r) => !this.ghosts.has(r.id));
    const ops = [...new Set(inner.map((r) => model.nodes[r.id].op))];
    const title = inner.length
      ? plural(inner.length, "op")
      : plural(cell.chips.length, cell.chips[0].role);
    const told = inner.length ? bytes(sum(inner, (r) => model.nodes[r.id].bytes)) : "";
    const below = inner.length ? ops.join(", ") : cell.chips.map((r) => r.name).join(", ");
    const changed = [...cell.rows].some((r) => this.marks.has(r.id));
    parent.append(
      draw(
        "g",
        {
          class: `box folded ${cell.part}${changed ? " changed" : ""}`,
          "aria-hidden": "true",
          "data-band": band.key,
          transform: `translate(${x} ${y})`,
        },
        draw("rect", { x: 3, y: 3, width, height, rx: 5, class: "stack" }),
        draw("rect", { width, height, rx: 5 }),
        draw("text", { class: "name", x: 8, y: 14 }, title),
        draw("text", { class: "told", x: width - 8, y: 14, "text-anchor": "end" }, told),
        draw(
          "text",
          { class: "told", x: 8, y: 27 },
          fitted(below, width - 16, "11px system-ui, sans-serif"),
        ),
      ),
    );
  }

  box(parent, row) {
    const { model } = this.app;
    const place = this.layout.at.get(row.id);
    const node = model.nodes[row.id];
    const mark = this.marks.get(row.id);
    const { width, height, chip } = place;
    const output = Object.entries(this.stage.outputs)
      .filter(([, id]) => id === row.id)
      .map(([key]) => key);
    const call = this.stage === model.last ? model.calls.get(row.id) : undefined;
    const kind = [
      "box",
      row.role,
      chip && "chip",
      node.fused && "fused",
      MARK[mark],
      this.ghosts.has(row.id) && "ghost",
    ];
    const v = model.valuesOf(row.id);
    const odd = v ? remarksOn({ op: node.op, v }).join(", ") : "";
    const label = [
      row.name,
      node.text,
      node.type,
      mark && MARK[mark],
      output.length && `output ${output.join(", ")}`,
      odd,
    ];
    const text = draw(
      "text",
      { class: "name", x: chip ? 6 : 8, y: chip ? 12.5 : 14 },
      chip
        ? fitted(shortName(row), width - 12, "11px system-ui, sans-serif")
        : fitted(shortName(row), width - (call ? 38 : 14) - (mark ? 8 : 0)),
    );
    const element = draw(
      "g",
      {
        class: kind.filter(Boolean).join(" "),
        id: `${this.id}-node-${row.id}`,
        role: "treeitem",
        "aria-level": 2,
        "aria-selected": "false",
        "aria-label": label.filter(Boolean).join(", "),
        "data-id": row.id,
        transform: `translate(${place.x} ${place.y})`,
      },
      draw("title", null, row.statement),
      output.length > 0 &&
        draw("rect", { class: "rim", x: -3, y: -3, width: width + 6, height: height + 6, rx: 7 }),
      shape(row, width, height, chip),
      text,
      !chip &&
        draw(
          "text",
          { class: "told", x: 8, y: 27 },
          fitted(`${this.operation(node)}  ${node.type}`, width - 16, "11px system-ui, sans-serif"),
        ),
      call &&
        draw(
          "text",
          { class: "told", x: width - (mark ? 16 : 8), y: 14, "text-anchor": "end" },
          `#${call.number}`,
        ),
      odd &&
        draw(
          "g",
          { class: "odd" },
          draw("title", null, odd),
          draw("circle", { cx: 0, cy: 0, r: 7.5 }),
          draw("text", { y: 4, "text-anchor": "middle" }, "!"),
        ),
      mark &&
        draw(
          "g",
          { class: "mark" },
          draw("circle", { cx: width, cy: 0, r: 7.5 }),
          draw(
            "text",
            { x: width, y: 3.8, "text-anchor": "middle" },
            SIGN[this.ghosts.has(row.id) ? "-" : mark],
          ),
        ),
    );
    parent.append(element);
    this.shapes.set(row.id, element);
    this.items.push({ ...place, key: element.id, element });
  }

  /** `multiply(·, 0.05)`: scalars stand in their readers. */
  operation(node) {
    const { model } = this.app;
    const scalar = (i) => this.app.model.row(this.stage, i)?.scalar;
    if (!node.inputs.some(scalar)) return node.op;
    const value = (i) => model.nodes[i].text.replace(/^constant\{(.*)\}$/, "$1");
    return `${node.op}(${node.inputs.map((i) => (scalar(i) ? number(Number(value(i))) : "·")).join(", ")})`;
  }

  connect(lines) {
    const { at } = this.layout;
    const drawn = new Map();
    const connected = (from, to, kind) => {
      const [a, b] = [at.get(from), at.get(to)];
      if (!a || !b || a === b) return;
      const key = `${a.x} ${a.y} ${b.x} ${b.y}`;
      let line = drawn.get(key);
      if (!line) {
        const far = Math.abs(a.y - b.y) > 6 * BOX.row ? " far" : "";
        line = draw("path", { class: `edge ${kind}${far}`, d: path(a, b, at) });
        drawn.set(key, line);
        lines.append(line);
      }
      push(this.edges, from, line);
      push(this.edges, to, line);
    };
    for (const row of this.rows.values())
      for (const i of this.operands(row.id))
        connected(i, row.id, this.rows.get(i).part === row.part ? row.part : "across");
    for (const [target, value] of this.stage.updates) connected(value, target, "writes");
  }

  /** What a node reads of what is shown, through what is not. */
  operands(id) {
    const found = new Set();
    const seen = new Set();
    const stack = [...this.app.model.nodes[id].inputs].reverse();
    while (stack.length) {
      const i = stack.pop();
      if (this.rows.has(i)) found.add(i);
      else if (!seen.has(i) && this.stage.byId.has(i))
        stack.push(...[...this.app.model.nodes[i].inputs].reverse());
      seen.add(i);
    }
    return [...found];
  }
}

/** `weight` of `fc1.weight`, in the band of fc1. */
function shortName(row) {
  return row.layer !== null && row.name.startsWith(`${row.layer}.`)
    ? row.name.slice(row.layer.length + 1)
    : row.name;
}

/** Roles are told apart by shape too: sources have cut or round ends. */
function shape(row, width, height, chip) {
  const round = { input: height / 2, state: height / 2, parameter: 2, constant: 0 }[row.role];
  return draw("rect", {
    width,
    height,
    rx: chip ? round : row.role === "backward" ? 0 : row.role === "update" ? 12 : 5,
  });
}
