// The graph of a stage: what is selected in it, and walking along its edges.

class GraphPane extends Drawing {
  constructor(app, number) {
    super(`graph${number}`);
    this.app = app;
    this.root.addEventListener("keydown", (e) => this.key(e));
    this.root.addEventListener("click", (e) => this.click(e));
    this.root.addEventListener("pointerover", (e) => this.hover(e));
  }

  /** A view that the user chose, which the graph beside it follows. */
  choose(view) {
    super.choose(view);
    for (const other of this.app.panes.graphs) {
      other.view = { ...this.view };
      other.move();
    }
  }

  /** Draws a stage; `marks` are by id, `ghosts` what was taken away and is shown still. */
  show(stage, marks, ghosts) {
    const { model, state } = this.app;
    Object.assign(this, { stage, marks });
    const hidden = (row) => row.scalar || (row.bookkeeping && !state.bookkeeping);
    const rows = [...stage.nodes, ...ghosts].filter((row) => !hidden(row));
    this.ghosts = new Set(ghosts.map((row) => row.id));
    this.rows = new Map(rows.map((row) => [row.id, row]));
    this.layout = layout(model, stage, rows, this.app.collapsed(stage), (id) => this.operands(id));
    this.items = [];
    this.edges = new Map();
    this.shapes = new Map();
    const lines = draw("g", { class: "edges", "aria-hidden": "true" });
    const boxes = draw("g", { role: "presentation" });
    for (const part of this.layout.parts)
      boxes.append(
        draw(
          "text",
          { class: `head ${part}`, x: this.layout.left[part].boxes, y: 20, "aria-hidden": "true" },
          HEADS[part],
        ),
      );
    for (const band of this.layout.bands) this.band(boxes, band);
    this.connect(lines);
    const behind = draw(
      "g",
      { "aria-hidden": "true" },
      this.layout.bands.map((b) => this.ground(b)),
    );
    fill(this.scene, behind, lines, boxes);
    this.root.setAttribute("aria-label", `graph of stage ${stage.key}`);
    if (!this.view.own) this.fit(true);
    this.select(this.app.here(this), true);
  }

  // ---- what is selected --------------------------------------------------------------------

  has(id) {
    return this.rows.has(id);
  }

  select(id, reveal) {
    for (const e of this.scene.querySelectorAll(".selected, .near, .hot"))
      e.classList.remove("selected", "near", "hot");
    for (const e of this.scene.querySelectorAll('[aria-selected="true"]'))
      e.setAttribute("aria-selected", "false");
    this.scene.querySelector(".cursor")?.classList.remove("cursor");
    const place = id === null ? undefined : this.layout.at.get(id);
    this.scene.classList.toggle("chosen", Boolean(place));
    if (!place) return this.root.removeAttribute("aria-activedescendant");
    const element = this.shapes.get(id);
    if (element) {
      element.classList.add("selected", "cursor");
      element.setAttribute("aria-selected", "true");
      this.root.setAttribute("aria-activedescendant", element.id);
    } else
      this.scene
        .querySelector(`.folded[transform="translate(${place.x} ${place.y})"]`)
        ?.classList.add("selected");
    for (const line of this.edges.get(id) || []) line.classList.add("hot");
    for (const other of this.neighbours(id)) this.shapes.get(other)?.classList.add("near");
    if (reveal) this.reveal(place);
    return undefined;
  }

  neighbours(id) {
    const { model } = this.app;
    const pairs = [...(model.gradientOf.get(id) || []), ...(model.aboutOf.get(id) || [])];
    return [...model.nodes[id].inputs, ...(this.stage.readers.get(id) || []), ...pairs];
  }

  // ---- by mouse and by keyboard -----------------------------------------------------------

  click(event) {
    if (this.dragged) return;
    const target = event.target.closest("[data-id], [data-band]");
    if (!target) this.app.go({ node: null });
    else if (target.dataset.band !== undefined) this.app.toggle(this.stage, target.dataset.band);
    else this.app.choose(Number(target.dataset.id), { from: this });
  }

  hover(event) {
    const target = event.target.closest("[data-id]");
    const id = target ? Number(target.dataset.id) : null;
    if (id === this.hovered) return;
    for (const line of this.edges.get(this.hovered) || []) line.classList.remove("warm");
    this.hovered = id;
    for (const line of this.edges.get(id) || []) line.classList.add("warm");
  }

  /** Arrows go along edges where there is one in that direction, and else to what is next there. */
  key(event) {
    const ways = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
    const cursor = this.items.find((item) => item.element.classList.contains("cursor"));
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      if (cursor?.band !== undefined && cursor.id === undefined)
        this.app.toggle(this.stage, cursor.band);
      else if (cursor) byId("details").focus();
      return;
    }
    const way = ways[event.key];
    if (!way || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (!cursor) return this.go(this.items[0]);
    const near = cursor.id === undefined ? [] : this.neighbours(cursor.id);
    const linked = this.items.filter((item) => item.id !== undefined && near.includes(item.id));
    const next = nearest(cursor, linked, way) || nearest(cursor, this.items, way);
    if (next) this.go(next);
  }

  go(item) {
    if (!item) return;
    if (item.id !== undefined) return this.app.choose(item.id, { reveal: true });
    this.scene.querySelector(".cursor")?.classList.remove("cursor");
    item.element.classList.add("cursor");
    this.root.setAttribute("aria-activedescendant", item.key);
    this.reveal(item);
  }
}

function nearest(from, items, [dx, dy]) {
  let best = null;
  let least = Infinity;
  for (const item of items) {
    const x = item.x + item.width / 2 - from.x - from.width / 2;
    const y = item.y + item.height / 2 - from.y - from.height / 2;
    const along = x * dx + y * dy;
    const aside = Math.abs(x * dy) + Math.abs(y * dx);
    if (along < 6 || aside > 4 * along) continue;
    const cost = along + 2 * aside;
    if (cost < least) [best, least] = [item, cost];
  }
  return best;
}
