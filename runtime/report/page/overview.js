// What is told where nothing is selected: the stage, what it rewrote and refused, the program.

function overview(app) {
  const { model, stage } = app;
  const parts = PARTS.map((part) => [
    part,
    stage.nodes.filter((r) => r.part === part && !model.nodes[r.id].source).length,
  ]);
  const sources = stage.nodes.filter((r) => r.role === "parameter");
  return [
    make(
      "header",
      null,
      make("h2", null, stage.name),
      stage.purpose && make("p", { class: "kind" }, stage.purpose),
    ),
    stage.did.summary && make("p", null, stage.did.summary),
    section(
      "This stage",
      facts([
        ...parts.map(([part, n]) => [part, n > 0 && plural(n, "op")]),
        ["parameters", count(sum(sources, (r) => elements(model.nodes[r.id].type, model.sizes)))],
        [
          "results",
          bytes(
            sum(
              stage.nodes.filter((r) => !model.nodes[r.id].source),
              (r) => model.nodes[r.id].bytes,
            ),
          ),
        ],
        ["flops", flops(sum(stage.nodes, (r) => model.nodes[r.id].flops))],
      ]),
    ),
    section("Rewritten by it", rewritesOf(app)),
    section("Refused, and why", refusalsBy(app)),
    section(
      "Notes",
      model.notes?.length > 0 &&
        make(
          "ul",
          null,
          model.notes.map((note) => make("li", null, note)),
        ),
    ),
    section(
      "The program",
      facts([
        [
          "sizes",
          Object.entries(model.sizes)
            .map(([k, v]) => `${k} = ${v}`)
            .join(", "),
        ],
        ...model.options,
        ["certificate", model.certificate && model.certificate.verdict],
        ["arena", model.plan && bytes(model.plan.bytes)],
      ]),
    ),
    make(
      "p",
      { class: "hint" },
      "Select a node to see its lineage, reasons, buffer and values. Keys: ?",
    ),
  ];
}

/** What the stage rewrote, and why; nodes of one name and reason are told once. */
function rewritesOf(app) {
  const { model, stage } = app;
  const once = new Map();
  for (const { old, new: made, reason } of stage.rewrites) {
    const id = stage.byId.has(made) ? made : old;
    push(once, `${model.nameOf(id, stage)} ${reason}`, { id, reason });
  }
  const items = [...once.values()]
    .slice(0, 60)
    .map(([{ id, reason }, ...more]) =>
      make(
        "li",
        { class: "rewritten" },
        nodeLink(app, id),
        ` ${reason}`,
        more.length > 0 && ` (${more.length + 1} times)`,
      ),
    );
  return items.length > 0 && make("ul", { class: "reasons" }, items);
}

/** What passes left as it is, pass by pass; open for this stage, and where there is little. */
function refusalsBy(app) {
  const { model, stage } = app;
  const stages = model.stages.filter((s) => s.pipeline === stage.pipeline && s.refused.length);
  return stages.map((s) =>
    make(
      "details",
      { open: s === stage || s.refused.length < 4 },
      make("summary", null, `${s.refused.length} by ${s.name}`),
      make(
        "ul",
        { class: "reasons" },
        s.refused
          .slice(0, 100)
          .map(({ id, reason }) =>
            make("li", { class: "refused" }, nodeLink(app, id, s), ": ", reason),
          ),
      ),
    ),
  );
}
