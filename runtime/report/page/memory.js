// The memory plan as a picture: kernel calls across, addresses up, a rectangle a buffer.

function memoryPanel(app) {
  const { model } = app;
  const { plan } = model;
  if (!plan?.calls.length) return null;
  const told = make(
    "p",
    { class: "told", id: "buffer-told", "aria-live": "polite" },
    memorySummary(plan),
  );
  return make(
    "div",
    { class: "split" },
    make(
      "div",
      { class: "wide" },
      told,
      sized(
        (w, h) => memoryPicture(app, told, w, h),
        () => markBuffer(app),
      ),
    ),
    make("div", { class: "side" }, peakList(app)),
  );
}

function memorySummary(plan) {
  return `arena of ${bytes(plan.bytes)}, ${plural(plan.buffers.length, "buffer")}, ${plural(plan.calls.length, "kernel call")}; the most alive at once: ${bytes(plan.peak.bytes)}, at call #${plan.peak.call}${plan.unplanned ? `; without a plan ${bytes(plan.unplanned)}` : ""}`;
}

const EDGE = { left: 58, right: 8, top: 6, bottom: 18 };

function memoryPicture(app, told, width, height) {
  const { plan } = app.model;
  const position = new Map(plan.calls.map((call, k) => [call.number, k]));
  const calls = Math.max(1, plan.calls.length);
  const [across, up] = [width - EDGE.left - EDGE.right, height - EDGE.top - EDGE.bottom];
  const scale = {
    at: (number, otherwise) => position.get(number) ?? otherwise,
    calls,
    x: (k) => EDGE.left + (across * k) / calls,
    y: (address) => height - EDGE.bottom - (up * address) / Math.max(1, plan.bytes),
  };
  const rects = plan.buffers.map((_, k) => bufferRect(app, told, k, scale));
  const field = { x: EDGE.left, y: EDGE.top, width: across, height: up };
  const [from, to] = [0, 1].map((k) => scale.x(scale.at(plan.peak.call, 0) + k));
  const after = to < width - 60;
  const inside = !after && from < EDGE.left + 40;
  const svg = draw(
    "svg",
    {
      class: "memory",
      viewBox: `0 0 ${width} ${height}`,
      role: "group",
      "aria-label": `memory plan: ${memorySummary(plan)}`,
    },
    draw("rect", { class: "field", ...field }),
    memoryAxes(plan, scale, height),
    rects,
    draw("rect", { class: "peak", ...field, x: from, width: to - from }),
    draw(
      "text",
      {
        class: "peaktext",
        x: after ? to + 4 : inside ? from + 4 : from - 4,
        y: EDGE.top + 11,
        "text-anchor": after || inside ? "start" : "end",
      },
      "peak",
    ),
  );
  svg.addEventListener("keydown", (e) => roving(rects, e));
  svg.addEventListener("pointerleave", () => fill(told, memorySummary(plan)));
  return svg;
}

function memoryAxes(plan, { x, y, calls }, height) {
  const addresses = [0, 0.5, 1].map((share) => {
    const place = { x: EDGE.left - 6, y: y(share * plan.bytes) + 4 };
    return draw(
      "text",
      { class: "tick", ...place, "text-anchor": "end" },
      bytes(share * plan.bytes),
    );
  });
  const every = Math.ceil((calls * 34) / (x(calls) - x(0)));
  const numbers = plan.calls.map((call, k) => {
    const place = { x: (x(k) + x(k + 1)) / 2, y: height - 5 };
    const shown = k % every === 0;
    return shown && draw("text", { class: "tick", ...place, "text-anchor": "middle" }, call.number);
  });
  return [addresses, numbers];
}

function bufferRect(app, told, k, { x, y, at, calls }) {
  const { model } = app;
  const b = model.plan.buffers[k];
  const nodes = b.nodes.map((i) => `%${model.nameOf(i, model.last)}`).join(", ");
  const names = b.scratch || !nodes ? `scratch of ${nodes}` : nodes;
  const text = `${names}: ${bytes(b.size)} at ${count(b.offset)}, calls ${b.first} to ${b.last}`;
  const part = (!b.scratch && model.anywhere(b.nodes[0])?.part) || "scratch";
  const [first, last] = [x(at(b.first, 0)), x(at(b.last, calls - 1) + 1)];
  const tell = () => fill(told, text);
  const choose = () =>
    b.nodes.length && app.choose(b.nodes.at(-1), { within: model.last, reveal: true });
  return draw(
    "rect",
    {
      class: `buffer ${part}`,
      x: first + 0.4,
      y: y(b.offset + b.size),
      width: Math.max(1, last - first - 0.8),
      height: Math.max(1.2, y(b.offset) - y(b.offset + b.size) - 0.6),
      role: "button",
      tabindex: k === 0 ? "0" : "-1",
      "aria-label": text,
      "data-buffer": k,
      onpointerenter: tell,
      onfocus: tell,
      onclick: choose,
      onkeydown: (e) => {
        if (e.key !== "Enter" && e.key !== " ") return;
        e.preventDefault();
        choose();
      },
    },
    draw("title", null, text),
  );
}

/** Marks the selected node's buffer. */
function markBuffer(app) {
  const { model, state } = app;
  const root = byId("panels");
  for (const e of root.querySelectorAll(".buffer.selected")) e.classList.remove("selected");
  const buffer =
    state.node !== null && model.bufferOf(model.follow(state.node, model.last), app.stage);
  if (buffer)
    root
      .querySelector(`[data-buffer="${model.plan.buffers.indexOf(buffer)}"]`)
      ?.classList.add("selected");
}

/** Which buffers are alive at the peak, the largest first. */
function peakList(app) {
  const { model } = app;
  const alive = model.plan.buffers.filter((b) => atPeak(model, b)).sort((a, b) => b.size - a.size);
  const names = (b) => [
    b.scratch || !b.nodes.length ? "scratch " : "",
    listed(b.nodes.map((i) => nodeLink(app, i, model.last))),
  ];
  return [
    make("h3", null, `Alive at the peak, call #${model.plan.peak.call}`),
    table(
      ["buffer of", "bytes", "calls"],
      alive.map((b) =>
        make(
          "tr",
          null,
          make("td", null, names(b)),
          make("td", { class: "n" }, bytes(b.size)),
          make("td", { class: "n" }, `${b.first}–${b.last}`),
        ),
      ),
    ),
  ];
}
