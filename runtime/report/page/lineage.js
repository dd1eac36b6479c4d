// What became of a node, stage by stage, and the reasons of what was done to it or was not.

/** Every rewrite and refusal that concerns the node or what it was and became. */
function reasons(app, id) {
  const { model } = app;
  const mine = new Set(model.life(id, app.stage.pipeline).map((step) => step.id));
  const found = [];
  for (const stage of model.stages.filter((s) => s.pipeline === app.stage.pipeline)) {
    const go = () => app.go({ stage: stage.key });
    for (const { old, new: made, reason } of stage.rewrites)
      if (mine.has(old) || mine.has(made))
        found.push([stage, "rewritten", "~ rewrote", reason, go]);
    for (const { id: of, reason } of stage.refused)
      if (mine.has(of)) found.push([stage, "refused", "✗ refused", reason, go]);
  }
  const once = new Map(found.map((f) => [f[0].key + f[2] + f[3], f]));
  return (
    once.size > 0 &&
    make(
      "ul",
      { class: "reasons" },
      [...once.values()].map(([stage, kind, verb, reason, go]) =>
        make("li", { class: kind }, link(stage.name, go), ` ${verb}: `, reason),
      ),
    )
  );
}

/** Declared, differentiated, rewritten, and at last its kernel call and its buffer. */
function lineage(app, id) {
  const { model, stage } = app;
  const life = model.life(id, stage.pipeline);
  const steps = worthTelling(model, life, id);
  if (!steps.length) return null;
  const items = [];
  let gradient = null;
  for (const step of life) {
    const born = model.gradientStage(step.id, stage.pipeline);
    if (born && (!gradient || born.stage.index < gradient.stage.index)) gradient = born;
  }
  for (const step of steps) {
    if (gradient && step.stage.index > gradient.stage.index) {
      items.push(gradientItem(app, gradient));
      gradient = null;
    }
    const here = step.id === id;
    const go = () => app.choose(step.id, { stage: step.stage, reveal: true });
    items.push(
      make(
        "li",
        { class: here ? "here" : null },
        link(step.stage.name, go, { class: "link step", "aria-current": here ? "true" : null }),
        ` %${step.stage.byId.get(step.id).name} `,
        make("code", null, model.nodes[step.id].op),
        step.reason && make("p", { class: "reason" }, step.reason),
      ),
    );
  }
  if (gradient) items.push(gradientItem(app, gradient));
  const last = model.follow(id, model.last) ?? id;
  const call = model.callOf(last, stage);
  if (call)
    items.push(
      make(
        "li",
        null,
        "kernel call ",
        make("b", null, `#${call.number}`),
        ` ${call.text}, ${call.part}`,
      ),
    );
  const buffer = model.bufferOf(last, stage);
  if (buffer)
    items.push(
      make(
        "li",
        null,
        "buffer ",
        make("b", null, `${count(buffer.offset)}:${count(buffer.offset + buffer.size)}`),
        `, calls ${buffer.first} to ${buffer.last}`,
      ),
    );
  return make("ol", { class: "lineage" }, items);
}

/** The steps worth telling: not those at which a node only reads something else than before. */
function worthTelling(model, steps, id) {
  const seen = new Set();
  return steps.filter((step) => {
    const key = `${step.stage.byId.get(step.id).name} ${model.nodes[step.id].text}`;
    const again = seen.has(key) && !step.reason && step.id !== id;
    seen.add(key);
    return !again;
  });
}

function gradientItem(app, { stage, id }) {
  const go = () => app.choose(id, { stage, reveal: true });
  return make(
    "li",
    null,
    link(stage.name, go, { class: "link step" }),
    ` its gradient %${stage.byId.get(id).name}`,
  );
}
