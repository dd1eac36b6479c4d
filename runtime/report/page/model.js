// What the page shows: the data, and what follows from it. Nothing here touches the document.

/** What a stage that changed nothing has from the stage that it names. */
const SHARED = ["nodes", "outputs", "updates", "layers", "header", "footer"];
const PARTS = ["forward", "backward", "update"];

/** Numbers as people read them. */
const count = (n) => n.toLocaleString("en-US");
const plural = (n, what) => `${count(n)} ${what}${n === 1 ? "" : "s"}`;
const signed = (n, text) => (n > 0 ? "+" : n < 0 ? "−" : "") + text(Math.abs(n));

function scaled(n, units) {
  let k = 0;
  while (n >= 999.5 && k < units.length - 1) [n, k] = [n / 1000, k + 1];
  return `${Number(n.toPrecision(3))}${units[k]}`;
}
const bytes = (n) => scaled(n, [" B", " kB", " MB", " GB", " TB"]);
const flops = (n) => scaled(n, [" flop", " kflop", " Mflop", " Gflop", " Tflop"]);

function seconds(s) {
  if (s === null || s === undefined) return "–";
  if (s === 0) return "0 s";
  if (s < 1e-3) return `${Number((1e6 * s).toPrecision(3))} µs`;
  if (s < 1) return `${Number((1e3 * s).toPrecision(3))} ms`;
  return `${Number(s.toPrecision(3))} s`;
}

function number(x) {
  if (x === null || x === undefined) return "–";
  if (typeof x !== "number") return String(x);
  const size = Math.abs(x);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return x.toExponential(2).replace("-", "−");
  return String(Number(x.toPrecision(4))).replace("-", "−");
}

/** The elements of a type: `f32[64,100]` has 6400; symbols have the sizes that the page is of. */
function elements(type, sizes) {
  const inside = /\[(.*)\]/.exec(type);
  if (!inside || inside[1] === "") return 1;
  const size = (d) => (/^\d+$/.test(d) ? Number(d) : Object.hasOwn(sizes, d) ? sizes[d] : 1);
  return inside[1].split(",").reduce((product, d) => product * size(d.trim()), 1);
}

/** The data with its stages' nodes by id and name, readers, changes, and lineage both ways. */
class Model {
  constructor(data) {
    Object.assign(this, data);
    this.stages.forEach((stage, k) => this.prepare(stage, k));
    this.earlier = new Map();
    for (const [old, steps] of Object.entries(this.lineage || {}))
      for (const [name, id, reason, number] of steps)
        push(this.earlier, id, { name, number, id: Number(old), reason });
    this.gradientOf = new Map();
    this.aboutOf = new Map();
    for (const [forward, gradient] of this.gradients || []) {
      push(this.gradientOf, forward, gradient);
      push(this.aboutOf, gradient, forward);
    }
    this.last = this.stages.findLast((s) => s.pipeline === this.stages[0].pipeline);
    this.calls = new Map();
    this.buffers = new Map();
    for (const call of this.plan?.calls || [])
      for (const id of call.nodes) this.calls.set(id, call);
    for (const buffer of this.plan?.buffers || [])
      if (!buffer.scratch) for (const id of buffer.nodes) this.buffers.set(id, buffer);
  }

  prepare(stage, index) {
    stage.index = index;
    if (stage.same !== undefined)
      for (const key of SHARED) stage[key] = this.stages[stage.same][key];
    stage.key =
      stage.pipeline === this.stages[0].pipeline ? stage.name : `${stage.pipeline}/${stage.name}`;
    const before = this.stages[index - 1];
    stage.before = before && before.pipeline === stage.pipeline ? before : null;
    stage.byId = new Map(stage.nodes.map((row) => [row.id, row]));
    stage.byName = new Map(stage.nodes.map((row) => [row.name, row]));
    stage.readers = new Map();
    for (const row of stage.nodes)
      for (const i of new Set(this.nodes[row.id].inputs)) push(stage.readers, i, row.id);
    // What became of a node: "+" added, "-" taken away, "~" rewritten or given other operands.
    stage.marks = new Map();
    stage.replaced = new Set(); // those whose namesakes of the same op are in their place
    for (const id of (stage.before && stage.added) || []) stage.marks.set(id, "+");
    for (const id of stage.removed || []) {
      const old = stage.before?.byId.get(id);
      const made = old && stage.byName.get(old.name);
      const same =
        made && stage.marks.has(made.id) && this.nodes[made.id].text === this.nodes[id].text;
      if (same) stage.marks.set(made.id, "~").set(id, "~");
      if (same) stage.replaced.add(id);
      if (!same) stage.marks.set(id, "-");
    }
    for (const { old, new: made } of stage.rewrites || []) {
      if (stage.byId.has(made)) stage.marks.set(made, "~");
      if (stage.marks.has(old)) stage.marks.set(old, "~");
    }
    stage.refusals = new Map();
    for (const { id, reason } of stage.refused || []) push(stage.refusals, id, reason);
    stage.changes = [...stage.marks.keys()].filter(
      (id) => stage.byId.has(id) || stage.before?.byId.has(id),
    );
  }

  stage(key) {
    return this.stages.find((s) => s.key === key);
  }

  /** The kernel call that computes a node of a stage: of the pipeline that the plan is of. */
  callOf(id, stage) {
    return stage.pipeline === this.last.pipeline ? this.calls.get(id) : undefined;
  }

  /** The buffer of a node of a stage, likewise. */
  bufferOf(id, stage) {
    return stage.pipeline === this.last.pipeline ? this.buffers.get(id) : undefined;
  }

  /** The row of a node in a stage, or in the one before it where this stage took it away. */
  row(stage, id) {
    return stage.byId.get(id) || stage.before?.byId.get(id);
  }

  /** What a node is called, wherever it is. */
  nameOf(id, stage) {
    const row = (stage && this.row(stage, id)) || this.anywhere(id);
    return row ? row.name : this.nodes[id].op;
  }

  /** The last stage that a node is in. */
  anyStage(id) {
    return this.stages.findLast((s) => s.byId.has(id));
  }

  anywhere(id) {
    return this.anyStage(id)?.byId.get(id);
  }

  /** Its values in the batch: its own, or those of what it was made from by rewriting. */
  valuesOf(id) {
    const queue = [id];
    for (let k = 0; k < queue.length; k++) {
      if (this.values?.[queue[k]]) return this.values[queue[k]];
      for (const step of this.earlier.get(queue[k]) || [])
        if (!queue.includes(step.id)) queue.push(step.id);
    }
    return null;
  }

  /** The steps of a node's life in a pipeline: what it was made from by rewriting, itself, and what
   *  it became; each with the stage where it is first seen, and the reason where there is one. */
  life(id, pipeline) {
    const of = this.stages.filter((s) => s.pipeline === pipeline);
    const within = (name, number) =>
      number === undefined
        ? of.some((s) => s.name === name)
        : this.stages[number].pipeline === pipeline;
    const why = new Map([[id, ""]]);
    const back = [id];
    for (let k = 0; k < back.length; k++)
      for (const step of this.earlier.get(back[k]) || []) {
        if (!within(step.name, step.number)) continue;
        why.set(back[k], why.get(back[k]) || step.reason);
        if (!why.has(step.id)) back.push(step.id);
        why.set(step.id, why.get(step.id) || "");
      }
    const on = [id];
    for (let k = 0; k < on.length; k++)
      for (const [name, next, reason, number] of this.lineage?.[on[k]] || [])
        if (within(name, number) && !why.has(next)) {
          on.push(next);
          why.set(next, reason);
        }
    const steps = [...why].map(([i, reason]) => ({
      id: i,
      reason,
      stage: of.find((s) => s.byId.has(i)),
    }));
    return steps
      .filter((s) => s.stage)
      .sort((a, b) => a.stage.index - b.stage.index || a.id - b.id);
  }

  /** The first stage of a pipeline where a node has a gradient, and that. */
  gradientStage(id, pipeline) {
    const ids = this.gradientOf.get(id) || [];
    const stage = this.stages.find(
      (s) => s.pipeline === pipeline && s.byId.has(id) && ids.some((i) => s.byId.has(i)),
    );
    return stage && { stage, id: ids.find((i) => stage.byId.has(i)) };
  }

  /** What a node is in another stage: itself, what it became, what it was, or its namesake. */
  follow(id, stage) {
    if (id === null || stage.byId.has(id)) return id;
    const next = (i) => (this.lineage?.[i] || []).map((step) => step[1]);
    const previous = (i) => (this.earlier.get(i) || []).map((step) => step.id);
    for (const way of [next, previous]) {
      const queue = [id];
      for (let k = 0; k < queue.length && k < 1000; k++) {
        if (stage.byId.has(queue[k])) return queue[k];
        for (const i of way(queue[k])) if (!queue.includes(i)) queue.push(i);
      }
    }
    const row = this.anywhere(id);
    return (row && stage.byName.get(row.name)?.id) ?? null;
  }
}

function push(map, key, value) {
  if (!map.has(key)) map.set(key, []);
  map.get(key).push(value);
}

const sum = (items, f) => items.reduce((total, item) => total + f(item), 0);
