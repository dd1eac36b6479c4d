// The middle: one stage or two side by side, each as graph or as text.

class Panes {
  constructor(app) {
    this.app = app;
    this.graphs = [new GraphPane(app, 0), new GraphPane(app, 1)];
    this.texts = [new TextPane(app, 0), new TextPane(app, 1)];
    this.shown = [];
  }

  /** The stage on the left: the chosen one, or the one before. */
  get other() {
    const { model, state, stage } = this.app;
    return (state.other && model.stage(state.other)) || stage.before;
  }

  show() {
    const { model, state, stage } = this.app;
    const { other } = this;
    const two = state.side && other && other !== stage;
    const kind = state.view === "text" ? this.texts : this.graphs;
    const marks = !state.changes
      ? new Map()
      : two && other !== stage.before
        ? between(model, other, stage)
        : stage.marks;
    const removed = (id) =>
      marks.get(id) === "-" ||
      (marks.get(id) === "~" && !stage.byId.has(id) && !stage.replaced.has(id));
    const ghosts =
      two || !state.changes ? [] : (stage.before?.nodes || []).filter((row) => removed(row.id));
    this.shown = two ? [kind[0], kind[1]] : [kind[1]];
    fill(
      byId("panes"),
      two && this.pane(kind[0], other, this.chooser(other)),
      this.pane(kind[1], stage, this.heading(two)),
    );
    if (two) kind[0].show(other, marks, []);
    kind[1].show(stage, marks, ghosts);
  }

  pane(pane, stage, heading) {
    return make(
      "section",
      { class: "pane", "aria-label": `stage ${stage.key}` },
      make("div", { class: "panehead" }, heading),
      pane.root,
    );
  }

  heading(two) {
    const { stage } = this.app;
    const parts = [make("h2", null, stage.key), make("span", { class: "did row" }, done(stage))];
    if (this.app.state.side && !two)
      parts.push(make("span", { class: "told" }, "the first stage: nothing is before it"));
    return parts;
  }

  chooser(other) {
    const { model, stage } = this.app;
    const options = model.stages
      .filter((s) => s !== stage)
      .map((s) => make("option", { value: s.key, selected: s === other }, s.key));
    const choose = (e) =>
      this.app.go({ other: e.target.value === stage.before?.key ? null : e.target.value });
    return make(
      "label",
      null,
      "beside ",
      make("select", { onchange: choose, "aria-label": "stage on the left" }, options),
    );
  }

  /** Selects in all panes what is selected; those that it was not chosen in bring it into view. */
  select(reveal, from = null) {
    for (const pane of this.shown)
      pane.select(this.app.here(pane), reveal || (from !== null && pane !== from));
  }

  /** The pane that keys such as + and f are about: that with the focus, or the last. */
  get active() {
    return (
      this.shown.find((pane) => pane.root.contains(document.activeElement)) || this.shown.at(-1)
    );
  }
}

/** What differs between two stages, whichever. */
function between(model, a, b) {
  const marks = new Map();
  for (const { id } of b.nodes) if (!a.byId.has(id)) marks.set(id, "+");
  for (const { id, name } of a.nodes) {
    if (b.byId.has(id)) continue;
    const made = b.byName.get(name);
    const same = made && marks.has(made.id) && model.nodes[made.id].text === model.nodes[id].text;
    if (same) marks.set(made.id, "~").set(id, "~");
    else marks.set(id, "-");
  }
  return marks;
}
