// A stage as IR text: a line a node, what changed marked in front of it.

class TextPane {
  constructor(app, number) {
    this.app = app;
    this.id = `text${number}`;
    this.root = make("div", { class: "ir", id: this.id, tabindex: "0", role: "listbox" });
    this.root.addEventListener("click", (e) => {
      const line = e.target.closest("[data-id]");
      if (line) app.choose(Number(line.dataset.id), { from: this });
    });
    this.root.addEventListener("keydown", (e) => this.key(e));
  }

  show(stage, marks, ghosts) {
    this.stage = stage;
    this.lines = new Map();
    const after = new Map(); // removed lines stand where they stood: behind what they followed
    let last = null;
    const gone = new Set(ghosts.map((row) => row.id));
    for (const row of stage.before?.nodes || []) {
      if (gone.has(row.id)) push(after, last, row);
      else if (stage.byId.has(row.id)) last = row.id;
    }
    const rows = [...(after.get(null) || [])];
    for (const row of stage.nodes) rows.push(row, ...(after.get(row.id) || []));
    const plain = (text) => make("div", { class: "line", "aria-hidden": "true" }, text);
    fill(
      this.root,
      plain(stage.header),
      rows.map((row) => this.line(row, marks.get(row.id), gone.has(row.id))),
      stage.footer.map(plain),
    );
    this.root.setAttribute("aria-label", `text of stage ${stage.key}`);
    this.select(this.app.here(this), true);
  }

  line(row, mark, gone) {
    const classes = ["line", mark && MARK[mark], gone && "ghost"].filter(Boolean).join(" ");
    const sign = gone ? "−" : mark ? SIGN[mark] : " ";
    const line = make(
      "div",
      {
        class: classes,
        role: "option",
        id: `${this.id}-${row.id}`,
        "data-id": row.id,
        "aria-selected": "false",
      },
      make("span", { class: "sign" }, sign),
      " ",
      this.tokens(row.statement),
    );
    this.lines.set(row.id, line);
    return line;
  }

  /** The statement with its names, type and op told apart. */
  tokens(statement) {
    const parts = /^(%[^\s:]+)(: )(\S+)( = )([a-z_0-9]+)([^]*)$/.exec(statement);
    if (!parts) return statement;
    const [, name, colon, type, equals, op, rest] = parts;
    const span = (kind, text) => make("span", { class: kind }, text);
    return [span("tname", name), colon, span("ttype", type), equals, span("top", op), rest];
  }

  has(id) {
    return this.lines.has(id);
  }

  select(id, reveal) {
    for (const line of this.root.querySelectorAll(".selected, .near"))
      line.classList.remove("selected", "near");
    for (const line of this.root.querySelectorAll('[aria-selected="true"]'))
      line.setAttribute("aria-selected", "false");
    const line = this.lines.get(id);
    if (!line) return this.root.removeAttribute("aria-activedescendant");
    line.classList.add("selected");
    line.setAttribute("aria-selected", "true");
    this.root.setAttribute("aria-activedescendant", line.id);
    for (const i of this.app.model.nodes[id].inputs) this.lines.get(i)?.classList.add("near");
    if (reveal) line.scrollIntoView({ block: "nearest" });
    return undefined;
  }

  key(event) {
    const ids = [...this.lines.keys()];
    const at = ids.indexOf(this.app.state.node);
    const to = { ArrowDown: at + 1, ArrowUp: Math.max(0, at - 1), Home: 0, End: ids.length - 1 }[
      event.key
    ];
    if (event.key === "Enter") byId("details").focus();
    if (to === undefined) return;
    event.preventDefault();
    this.app.choose(ids[Math.min(to, ids.length - 1)], { reveal: true });
  }

  fit() {}
  zoom(factor) {
    const size =
      factor === 0
        ? 12
        : Math.min(20, Math.max(8, (this.size || 12) * (factor > 1 ? 1.1 : 1 / 1.1)));
    this.size = size;
    this.root.style.fontSize = `${size}px`;
  }
}
