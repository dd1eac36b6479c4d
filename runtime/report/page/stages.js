// The list of stages on the left: what each pass did, how long it took, and whether it is proved.

function showStages(app) {
  const { model } = app;
  const items = [];
  let quiet = [];
  const flush = () => {
    if (quiet.length) items.push(...quietItems(app, quiet));
    quiet = [];
  };
  let pipeline = null;
  for (const stage of model.stages) {
    if (stage.pipeline !== pipeline) {
      flush();
      pipeline = stage.pipeline;
      items.push(make("li", { class: "pipeline" }, pipeline));
    }
    const refused = stage.refused.length > 0;
    if (stage.changed || stage.index === 0 || stage === app.stage || refused) {
      flush();
      items.push(stageItem(app, stage));
    } else quiet.push(stage);
  }
  flush();
  fill(byId("stages"), items);
  byId("stages").querySelector('[aria-current="step"]')?.scrollIntoView({ block: "nearest" });
}

function quietItems(app, stages) {
  const key = stages[0].key;
  const open = app.unfolded.has(key);
  const toggle = () => {
    if (open) app.unfolded.delete(key);
    else app.unfolded.add(key);
    showStages(app);
    byId("stages")
      .querySelector(`[data-quiet="${CSS.escape(key)}"]`)
      ?.focus();
  };
  const text = `${plural(stages.length, "pass").replace(/passs$/, "passes")} changed nothing`;
  const names = stages.map((s) => s.name).join(", ");
  const button = make(
    "button",
    {
      type: "button",
      class: "quiet",
      "aria-expanded": String(open),
      "data-quiet": key,
      onclick: toggle,
      title: names,
    },
    `${open ? "▾" : "▸"} ${text}`,
    !open && make("span", { class: "names" }, names),
  );
  return [make("li", null, button), ...(open ? stages.map((s) => stageItem(app, s)) : [])];
}

function stageItem(app, stage) {
  const current = stage === app.stage;
  return make(
    "li",
    null,
    make(
      "button",
      {
        type: "button",
        class: stage.changed ? "stage" : "stage unchanged",
        "aria-current": current ? "step" : null,
        "data-stage": stage.key,
        title: stage.purpose,
        onclick: () => app.go({ stage: stage.key }),
      },
      make(
        "span",
        { class: "row" },
        make("span", { class: "name" }, stage.name),
        badge(stage.certificate, true),
        make("span", { class: "time" }, stage.seconds > 0 && seconds(stage.seconds)),
      ),
      make("span", { class: "row did" }, done(stage)),
      current && stage.purpose && make("span", { class: "purpose" }, stage.purpose),
    ),
  );
}

/** What a stage did: nodes added, removed and rewritten, then the balance. */
function done(stage) {
  if (!stage.before) return [make("span", null, plural(stage.nodes.length, "node"))];
  const counted = Object.entries(MARK).map(([mark, kind]) => {
    const n = stage.changes.filter(
      (id) => stage.marks.get(id) === mark && (mark !== "~" || stage.byId.has(id)),
    ).length;
    return n > 0 && make("span", { class: kind, title: `${n} ${kind}` }, `${SIGN[mark]}${n}`);
  });
  const { bytes: more, flops: work } = stage.did;
  return [
    counted,
    more !== 0 && make("span", null, signed(more, bytes)),
    work !== 0 && make("span", null, signed(work, flops)),
    stage.refused.length > 0 &&
      make("span", { class: "refusals" }, `${stage.refused.length} refused`),
    !stage.changes.length &&
      !stage.refused.length &&
      make("span", null, stage.did.summary || "nothing"),
  ];
}

/** The verdict of the certificate; in a list as a sign alone. */
function badge(verdict, small = false) {
  const sign = { proved: "✓", refuted: "✗", skipped: "–" }[verdict];
  if (!sign) return null;
  const word = make("span", { class: small ? "unseen" : null }, ` ${verdict}`);
  return make("span", { class: `badge ${verdict}`, title: `certificate: ${verdict}` }, sign, word);
}
