// The page: its state, which is in the address too, its keys, and what is shown again when.

/** Above so many nodes, layers are shown as one box each until they are opened. */
const MANY = 100;

class App {
  constructor(data) {
    this.model = new Model(data);
    this.unfolded = new Set(); // groups of stages that changed nothing, and are listed all the same
    this.wanted = null; // the node that is followed over stages where it is not
    this.panes = new Panes(this);
    this.search = new Search(this);
    this.state = { stage: this.model.last.key, node: null };
    makeDrawer(this);
    this.state = this.read();
    this.wanted = this.state.node;
    byId("title").textContent = this.model.graph;
    const sizes = Object.entries(this.model.sizes).map(([k, v]) => `${k} = ${v}`);
    byId("about").textContent = [`verigrad ${this.model.verigrad}`, ...sizes].join(" · ");
    document.title = `${this.model.graph} · verigrad`;
    const { certificate } = this.model;
    fill(byId("verdict"), certificate && badge(certificate.verdict));
    this.listen();
    this.show();
  }

  get stage() {
    return this.model.stage(this.state.stage);
  }

  // ---- state, and the fragment that holds it -----------------------------------------------

  /** The state that the address says; what it does not say is as at first. */
  read() {
    const { model } = this;
    const told = new URLSearchParams(location.hash.slice(1));
    const stage = model.stage(told.get("stage")) || model.last;
    const [name, gone] = [told.get("node"), told.get("gone")];
    const node = gone !== null ? stage.before?.byName.get(gone)?.id : stage.byName.get(name)?.id;
    const folds = told.getAll("fold");
    const tab = told.get("tab");
    return {
      stage: stage.key,
      node: node ?? null,
      view: told.get("view") === "text" ? "text" : "graph",
      side: told.has("side"),
      other: model.stage(told.get("other")) ? told.get("other") : null,
      changes: told.get("changes") !== "no",
      bookkeeping: told.has("bookkeeping"),
      tab:
        tab === "none"
          ? null
          : this.tabs.some(([key]) => key === tab)
            ? tab
            : (this.tabs[0]?.[0] ?? null),
      folds: folds.length ? new Set(folds.filter(Boolean)) : null,
      theme: ["dark", "light"].includes(told.get("theme")) ? told.get("theme") : null,
    };
  }

  write() {
    const { state, stage } = this;
    const told = new URLSearchParams();
    told.set("stage", state.stage);
    if (state.node !== null) {
      const here = stage.byId.get(state.node);
      const before = stage.before?.byId.get(state.node);
      if (here) told.set("node", here.name);
      else if (before) told.set("gone", before.name);
    }
    if (state.view === "text") told.set("view", "text");
    if (state.side) told.set("side", "1");
    if (state.other) told.set("other", state.other);
    if (!state.changes) told.set("changes", "no");
    if (state.bookkeeping) told.set("bookkeeping", "1");
    if (state.tab !== (this.tabs[0]?.[0] ?? null)) told.set("tab", state.tab ?? "none");
    if (state.folds)
      for (const key of state.folds.size ? state.folds : [""]) told.append("fold", key);
    if (state.theme) told.set("theme", state.theme);
    this.written = `#${told}`;
    history.replaceState(null, "", this.written);
  }

  /** Changes some of the state, and shows what that changes. */
  go(change) {
    const before = this.state;
    const moved = change.stage !== undefined && change.stage !== before.stage;
    this.state = { ...before, ...change };
    if (moved && change.node === undefined) {
      const node = this.model.follow(this.wanted, this.stage);
      this.state.node = node;
    } else if (change.node !== undefined) this.wanted = change.node;
    const redrawn = ["stage", "view", "side", "other", "changes", "bookkeeping", "folds"];
    const changed = (key) => this.state[key] !== before[key];
    if (changed("stage")) showStages(this);
    if (redrawn.some(changed)) this.panes.show();
    else if (changed("node")) this.panes.select(false);
    if (changed("stage") || changed("node")) showDetails(this);
    if (changed("tab") || changed("node")) showDrawer(this);
    this.controls();
    this.write();
  }

  show() {
    showStages(this);
    this.panes.show();
    showDetails(this);
    showDrawer(this);
    this.controls();
    this.write();
  }

  /** Selects a node: in `stage`, where that is given, or where the present one lacks it `within`. */
  choose(id, { stage = null, within = null, reveal = false, from = null } = {}) {
    const has = (s) =>
      s.byId.has(id) || (s === this.stage && this.panes.shown.some((pane) => pane.has(id)));
    if (!stage && within && !has(this.stage)) stage = within;
    const change = { node: id };
    if (stage) change.stage = stage.key;
    const target = stage || this.stage;
    const row = this.model.row(target, id);
    if (row?.bookkeeping && !row.scalar) change.bookkeeping = true;
    if (reveal && this.state.view === "graph") {
      const key = bandsOf(this.model, target, target.nodes).find((b) =>
        b.rows.some((r) => r.id === id),
      )?.key;
      const folded = this.collapsed(target);
      if (key !== undefined && folded.has(key)) {
        change.folds = new Set(folded);
        change.folds.delete(key);
      }
    }
    this.go(change);
    this.panes.select(reveal, from);
  }

  /** The selected node as a pane has it: itself, or what it is in the pane's stage. */
  here(pane) {
    const { node } = this.state;
    return node === null || pane.has(node) ? node : this.model.follow(node, pane.stage);
  }

  // ---- what is folded ----------------------------------------------------------------------

  /** The bands of a stage that are shown as one box. */
  collapsed(stage) {
    if (this.state.folds) return this.state.folds;
    const shown = stage.nodes.filter((row) => !row.scalar && !row.bookkeeping);
    return shown.length > MANY ? this.bands(stage) : new Set();
  }

  bands(stage) {
    return new Set(bandsOf(this.model, stage, stage.nodes).map((band) => band.key));
  }

  toggle(stage, key) {
    const folds = new Set(this.collapsed(stage));
    if (!folds.delete(key)) folds.add(key);
    this.go({ folds });
    const pane = this.panes.shown.find((p) => p.stage === stage);
    const item = pane?.items?.find((i) => i.band === key && i.id === undefined);
    if (item) pane.go(item);
  }

  foldAll() {
    const open = [...this.bands(this.stage)].some((key) => !this.collapsed(this.stage).has(key));
    this.go({ folds: open ? this.bands(this.stage) : new Set() });
  }

  // ---- moving ------------------------------------------------------------------------------

  /** The next stage, or the one before. */
  step(by) {
    const next = this.model.stages[this.stage.index + by];
    if (next) this.go({ stage: next.key });
  }

  /** The next change: in this stage, or the first of the next stage that has any. */
  change(by) {
    const { model } = this;
    let stage = this.stage;
    const order = (s) =>
      [...s.changes].filter((id) => !model.row(s, id).scalar && !s.replaced.has(id));
    let ids = order(stage);
    let k = ids.indexOf(this.state.node) + (by < 0 && !ids.includes(this.state.node) ? 0 : by);
    while (k < 0 || k >= ids.length) {
      stage = model.stages[stage.index + by];
      if (!stage) return;
      ids = order(stage);
      k = by > 0 ? 0 : ids.length - 1;
    }
    if (!this.state.changes) this.go({ changes: true });
    this.choose(ids[k], { stage, reveal: true });
  }

  // ---- controls and keys -------------------------------------------------------------------

  controls() {
    const { state } = this;
    const pressed = {
      graph: state.view === "graph",
      text: state.view === "text",
      side: state.side,
      changes: state.changes,
      bookkeeping: state.bookkeeping,
    };
    for (const [id, on] of Object.entries(pressed))
      byId(`${id}-button`).setAttribute("aria-pressed", String(on));
    const root = document.documentElement;
    if (state.theme) root.dataset.theme = state.theme;
    else delete root.dataset.theme;
  }

  theme() {
    const dark = this.state.theme
      ? this.state.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    this.go({ theme: dark ? "light" : "dark" });
  }

  commands() {
    return {
      j: () => this.step(1),
      k: () => this.step(-1),
      n: () => this.change(1),
      N: () => this.change(-1),
      "/": () => this.search.input.focus(),
      g: () => this.go({ view: "graph" }),
      t: () => this.go({ view: "text" }),
      s: () => this.go({ side: !this.state.side }),
      c: () => this.go({ changes: !this.state.changes }),
      b: () => this.go({ bookkeeping: !this.state.bookkeeping }),
      x: () => this.foldAll(),
      d: () => this.theme(),
      "+": () => this.panes.active.zoom(1.25),
      "=": () => this.panes.active.zoom(1.25),
      "-": () => this.panes.active.zoom(0.8),
      0: () => this.panes.active.zoom(0),
      f: () => this.panes.active.fit(false),
      m: () => this.go({ tab: this.state.tab ? null : (this.tabs[0]?.[0] ?? null) }),
      "?": () => byId("help").showModal(),
      Escape: () => this.go({ node: null }),
    };
  }

  listen() {
    const commands = this.commands();
    document.addEventListener("keydown", (e) => {
      if (e.ctrlKey || e.metaKey || e.altKey || byId("help").open) return;
      if (e.target.matches("input, select, textarea")) return;
      const command = Object.hasOwn(commands, e.key) && commands[e.key];
      if (!command) return;
      e.preventDefault();
      command();
    });
    const buttons = {
      graph: "g",
      text: "t",
      side: "s",
      changes: "c",
      bookkeeping: "b",
      fold: "x",
      fit: "f",
      theme: "d",
      help: "?",
    };
    for (const [id, key] of Object.entries(buttons))
      byId(`${id}-button`).addEventListener("click", commands[key]);
    document.querySelector(".skip").addEventListener("click", (e) => {
      e.preventDefault();
      this.panes.active.root.focus();
    });
    byId("close-help").addEventListener("click", () => byId("help").close());
    window.addEventListener("hashchange", () => {
      if (location.hash === this.written) return;
      this.state = this.read();
      this.wanted = this.state.node;
      this.show();
    });
    window.addEventListener("beforeprint", () => this.printing(true));
    window.addEventListener("afterprint", () => this.printing(false));
  }

  /** On paper a graph is as wide as the page, whatever part of it the screen shows. */
  printing(on) {
    for (const pane of this.panes.shown.filter((p) => p.layout)) {
      const { width, height } = pane.layout.size;
      if (on) {
        pane.root.setAttribute("viewBox", `0 0 ${width} ${height}`);
        pane.scene.removeAttribute("transform");
      } else {
        pane.root.removeAttribute("viewBox");
        pane.move();
      }
    }
  }
}

document.addEventListener("DOMContentLoaded", () => {
  const data = JSON.parse(byId("data").textContent);
  window.page = new App(data);
});
