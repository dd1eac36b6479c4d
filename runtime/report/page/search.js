// Search over all stages: names, ops, types, layers, and the reasons of rewrites and refusals.

const MOST = 14;

class Search {
  constructor(app) {
    this.app = app;
    this.input = byId("search");
    this.list = byId("found");
    this.input.addEventListener("input", () => this.find());
    this.input.addEventListener("focus", () => this.find());
    this.input.addEventListener("blur", () => setTimeout(() => this.close(), 150));
    this.input.addEventListener("keydown", (e) => this.key(e));
    this.close();
  }

  entries() {
    if (this.known) return this.known;
    const { model } = this.app;
    const seen = new Map();
    for (const stage of model.stages)
      for (const row of stage.nodes) {
        const node = model.nodes[row.id];
        const entry = seen.get(row.id);
        if (entry) entry.stages.push(stage);
        else
          seen.set(row.id, {
            id: row.id,
            name: row.name,
            told: node.op,
            stages: [stage],
            text: `${row.name} ${node.text} ${node.type} ${row.layer || ""} ${row.role}`.toLowerCase(),
          });
      }
    const reasons = model.stages
      .flatMap((stage) => [
        ...stage.refused.map(({ id, reason }) => [id, stage, `✗ ${reason}`]),
        ...stage.rewrites.map(({ old, new: made, reason }) => [
          stage.byId.has(made) ? made : old,
          stage,
          `~ ${reason}`,
        ]),
      ])
      .map(([id, stage, reason]) => {
        const name = model.nameOf(id, stage);
        return {
          id,
          name,
          told: reason,
          stages: [stage],
          text: `${name} ${stage.name} ${reason}`.toLowerCase(),
        };
      });
    this.known = [...seen.values(), ...reasons];
    return this.known;
  }

  find() {
    const words = this.input.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return this.close();
    const here = this.app.stage;
    const rank = (e) =>
      (e.name.toLowerCase().startsWith(words[0]) ? 0 : 2) + (e.stages.includes(here) ? 0 : 1);
    this.results = this.entries()
      .filter((e) => words.every((w) => e.text.includes(w)))
      .sort((a, b) => rank(a) - rank(b))
      .slice(0, MOST);
    const options = this.results.map((e, k) => {
      const stage = e.stages.includes(here) ? here : e.stages[0];
      const option = make(
        "li",
        { role: "option", id: `found-${k}`, "aria-selected": "false" },
        make("b", null, `%${e.name}`),
        ` ${e.told}`,
        make("span", { class: "told" }, stage === here ? "" : stage.key),
      );
      option.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        this.take(k);
      });
      return option;
    });
    fill(
      this.list,
      options.length
        ? options
        : make(
            "li",
            { class: "told", role: "option", "aria-disabled": "true", "aria-selected": "false" },
            "nothing found",
          ),
    );
    this.list.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    this.point(options.length ? 0 : -1);
    return undefined;
  }

  point(k) {
    this.at = k;
    [...this.list.children].forEach((option, i) =>
      option.setAttribute("aria-selected", String(i === k)),
    );
    if (k >= 0) {
      this.input.setAttribute("aria-activedescendant", `found-${k}`);
      this.list.children[k].scrollIntoView({ block: "nearest" });
    } else this.input.removeAttribute("aria-activedescendant");
  }

  key(event) {
    const n = this.results?.length || 0;
    if (event.key === "Escape") {
      this.input.value = "";
      this.close();
      this.input.blur();
    } else if (event.key === "Enter" && n && this.at >= 0) this.take(this.at);
    else if (event.key === "ArrowDown" && n) this.point((this.at + 1) % n);
    else if (event.key === "ArrowUp" && n) this.point((this.at + n - 1) % n);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  take(k) {
    const entry = this.results[k];
    const stage = entry.stages.includes(this.app.stage) ? this.app.stage : entry.stages[0];
    this.app.choose(entry.id, { stage, reveal: true });
    this.input.value = "";
    this.close();
    this.app.panes.active.root.focus();
  }

  close() {
    this.results = [];
    this.at = -1;
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }
}
