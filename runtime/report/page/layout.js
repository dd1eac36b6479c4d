// Where everything of a graph stands: a band a layer; in it a column each for forward (downwards),
// backward (upwards, beside what it is about) and update; in a column rows by depth, and lanes for
// branches as in a history of versions.

const BOX = { width: 132, height: 34, row: 46, lane: 141 };
const CHIP = { width: 98, height: 17 };
/** So many nodes that read nothing of their cell stand in one row. */
const CROWD = 3;
const GAP = { column: 34, band: 14, head: 24, side: 14 };
/** Room for the head of a layer. */
const NARROWEST = 340;

/** The rows of a stage by layer. What has no layer stands before the layers where it leads to one,
 *  and else with the loss, or the outputs where there is none; what updates no layer's parameters stands below. */
function bandsOf(model, stage, rows) {
  const layered = (row) => row.layer !== null && row.part === "forward";
  const behind = "loss" in stage.outputs ? "loss" : "outputs";
  const leading = new Set();
  for (const row of [...rows].reverse())
    if (layered(row) || leading.has(row.id))
      for (const i of model.nodes[row.id].inputs) leading.add(i);
  const bandOf = (row) => {
    if (row.layer !== null) return `layer ${row.layer}`;
    if (row.part === "update" || row.role === "state") return "all layers";
    return row.part === "forward" && leading.has(row.id) ? "inputs" : behind;
  };
  const bands = new Map(
    ["inputs", ...stage.layers.map((layer) => `layer ${layer}`)].map((key) => [key, []]),
  );
  const last = new Map([
    [behind, []],
    ["all layers", []],
  ]);
  for (const row of rows) {
    const key = bandOf(row);
    push(last.has(key) ? last : bands, key, row);
  }
  const order = [...bands, ...last].filter(([, of]) => of.length);
  return order.map(([key, of]) => ({ key, title: key.replace(/^layer /, ""), rows: of }));
}

/** Rows by depth and lanes by heredity; gives {id: {row, lane}}, how many rows and lanes. */
function cell(operandsOf, rows) {
  const inside = new Set(rows.map((r) => r.id));
  const depth = new Map();
  const first = new Map(); // the rows of the first and the last reader in the cell
  const until = new Map();
  for (const { id } of rows) {
    const operands = operandsOf(id).filter((i) => inside.has(i) && depth.has(i));
    const row = operands.length ? Math.max(...operands.map((i) => depth.get(i))) + 1 : 0;
    depth.set(id, row);
    for (const i of operands) {
      first.set(i, Math.min(first.get(i) ?? row, row));
      until.set(i, Math.max(until.get(i) ?? row, row));
    }
  }
  // What reads nothing of the cell waits until it is read; few stand in one row, or all were wide.
  const alone = rows.filter(({ id }) => depth.get(id) === 0);
  const crowd = new Map();
  const room = (wished, end) => {
    for (const row of outwards(wished)) {
      if (row < end && (crowd.get(row) || 0) < CROWD) return row;
      if (row > wished + alone.length) return wished;
    }
  };
  for (const { id } of alone) {
    const row = room(Math.max(0, (first.get(id) ?? 1) - 1), first.get(id) ?? Infinity);
    crowd.set(row, (crowd.get(row) || 0) + 1);
    depth.set(id, row);
  }
  const taken = new Map(); // "row lane" is in use, or crossed by a long edge of this node
  const place = new Map();
  let lanes = 1;
  const free = (row, lane, mine) => {
    const by = taken.get(`${row} ${lane}`);
    return by === undefined || mine.includes(by);
  };
  for (const { id } of [...rows].sort((a, b) => depth.get(a.id) - depth.get(b.id))) {
    const row = depth.get(id);
    const operands = operandsOf(id).filter((i) => place.has(i));
    // The lane of an operand is inherited by its last reader: long edges run straight.
    const mine = operands.filter((i) => until.get(i) === row);
    let lane = 0;
    for (lane of outwards(place.get(mine[0] ?? operands[0])?.lane ?? 0))
      if (free(row, lane, mine)) break;
    const end = operands.length || first.get(id) !== until.get(id) ? (until.get(id) ?? 0) : 0;
    for (let r = row; r < Math.max(row + 1, end); r++) taken.set(`${r} ${lane}`, id);
    place.set(id, { row, lane });
    lanes = Math.max(lanes, lane + 1);
  }
  return { place, height: Math.max(0, ...depth.values()) + 1, lanes };
}

/** A lane and those beside it, nearest first. */
function* outwards(lane) {
  yield lane;
  for (let step = 1; ; step++) {
    yield lane + step;
    if (lane >= step) yield lane - step;
  }
}

/** All boxes, chips and bands with their places, and the edges between what is shown. */
function layout(model, stage, shown, collapsed, operandsOf) {
  const bands = bandsOf(model, stage, shown);
  const about = new Map();
  for (const row of shown) for (const f of model.aboutOf.get(row.id) || []) about.set(row.id, f);
  for (const band of bands) {
    band.collapsed = collapsed.has(band.key);
    band.cells = {};
    for (const part of PARTS) {
      const rows = band.rows.filter((r) => r.part === part);
      if (!rows.length) continue;
      const inner = rows.filter((r) => !model.nodes[r.id].source);
      const made = { part, rows, inner, chips: rows.filter((r) => model.nodes[r.id].source) };
      if (band.collapsed) Object.assign(made, { height: 1, lanes: 1, chipColumns: 0 });
      else arrange(stage, made, operandsOf);
      band.cells[part] = made;
    }
    band.height = Math.max(1, ...Object.values(band.cells).map((c) => c.height));
    if (!band.collapsed) alongside(band, about);
  }
  const parts = PARTS.filter((part) => bands.some((b) => b.cells[part]));
  return placed(bands, parts);
}

function arrange(stage, made, operandsOf) {
  Object.assign(made, cell(operandsOf, made.inner));
  // A source stands at the row of its first reader in the cell, two in a row's height.
  const slots = new Map();
  made.chipPlace = new Map();
  for (const { id } of made.chips) {
    const reader = (stage.readers.get(id) || []).find((r) => made.place.has(r));
    const row = reader === undefined ? 0 : made.place.get(reader).row;
    const k = slots.get(row) || 0;
    slots.set(row, k + 1);
    made.chipPlace.set(id, { row, k });
  }
  made.chipColumns = Math.max(0, ...[...slots.values()].map((n) => Math.ceil(n / 2)));
}

/** Turns the backward column upwards, and moves forward beside it: gradients stand beside what
 *  they are about, as far as one shift can do it; a column without such a hint is centred. */
function alongside(band, about) {
  const { forward, backward } = band.cells;
  for (const made of Object.values(band.cells)) {
    const upwards = made === backward;
    let shift = Math.floor((band.height - made.height) / 2);
    if (upwards) shift = band.height - made.height;
    const rows = [...made.place.values(), ...made.chipPlace.values()];
    for (const p of rows) p.row = shift + (upwards ? made.height - 1 - p.row : p.row);
  }
  if (!forward || !backward) return;
  const hints = [];
  for (const [id, p] of backward.place) {
    const f = forward.place.get(about.get(id));
    if (f) hints.push(p.row - f.row);
  }
  if (!hints.length) return;
  hints.sort((a, b) => a - b);
  const least = Math.min(...[...forward.place.values()].map((p) => p.row));
  const room = band.height - forward.height;
  const shift = Math.max(-least, Math.min(room - least, hints[hints.length >> 1]));
  for (const p of [...forward.place.values(), ...forward.chipPlace.values()]) p.row += shift;
}

function placed(bands, parts) {
  const width = {};
  const left = {};
  let x = GAP.side;
  for (const part of parts) {
    const cells = bands.map((b) => b.cells[part]).filter(Boolean);
    const chips = Math.max(0, ...cells.map((c) => c.chipColumns));
    const lanes = Math.max(1, ...cells.map((c) => c.lanes));
    left[part] = { chips: x, boxes: x + chips * (CHIP.width + 8) };
    width[part] = chips * (CHIP.width + 8) + lanes * BOX.lane;
    x += width[part] + GAP.column;
  }
  const total = Math.max(NARROWEST, x - GAP.column + GAP.side);
  const at = new Map();
  let y = 30;
  for (const band of bands) {
    Object.assign(band, {
      x: 0,
      y,
      width: total,
      boxes: [],
      outer: band.height * BOX.row + GAP.head + 6,
    });
    for (const part of parts) {
      const made = band.cells[part];
      if (!made) continue;
      if (band.collapsed) {
        const box = {
          x: left[part].boxes,
          y: y + GAP.head,
          width: BOX.width,
          height: BOX.height,
          cell: made,
          band,
        };
        band.boxes.push(box);
        for (const row of made.rows) at.set(row.id, box);
        continue;
      }
      for (const [id, { row, lane }] of made.place)
        at.set(id, {
          id,
          x: left[part].boxes + lane * BOX.lane,
          y: y + GAP.head + row * BOX.row,
          width: BOX.width,
          height: BOX.height,
          band,
        });
      for (const [id, { row, k }] of made.chipPlace)
        at.set(id, {
          id,
          chip: true,
          x: left[part].boxes - (Math.floor(k / 2) + 1) * (CHIP.width + 8),
          y: y + GAP.head + row * BOX.row + (k % 2) * (CHIP.height + 2) - 1,
          width: CHIP.width,
          height: CHIP.height,
          band,
        });
    }
    y += band.outer + GAP.band;
  }
  return { bands, parts, left, width, at, size: { width: total, height: y } };
}

/** The path of an edge between two places: straight down or up, or in a smooth bow; on the right
 *  around the boxes between them, where there are any. */
function path(a, b, at) {
  const middle = (p) => [p.x + p.width / 2, p.y + p.height / 2];
  const [ax, ay] = middle(a);
  const [bx, by] = middle(b);
  if (a.chip && Math.abs(ay - by) < BOX.row && bx > ax)
    return `M${a.x + a.width} ${ay}C${a.x + a.width + 14} ${ay} ${b.x - 14} ${by} ${b.x} ${by}`;
  if (Math.abs(ay - by) < 8) {
    const [from, to] = bx > ax ? [a.x + a.width, b.x] : [a.x, b.x + b.width];
    const bend = (to - from) / 2;
    return `M${from} ${ay}C${from + bend} ${ay} ${to - bend} ${by} ${to} ${by}`;
  }
  const down = by > ay;
  const [from, to] = down ? [a.y + a.height, b.y] : [a.y, b.y + b.height];
  const reach = Math.abs(to - from);
  if (Math.abs(ax - bx) < 1 && reach > BOX.row && obstructed(a, b, at)) {
    const out = ax + a.width / 2 + Math.min(26, 6 + reach / 40);
    return `M${a.x + a.width} ${ay}C${out + 8} ${ay} ${out} ${ay} ${out} ${ay + (down ? 22 : -22)}L${out} ${by + (down ? -22 : 22)}C${out} ${by} ${out + 8} ${by} ${b.x + b.width} ${by}`;
  }
  if (Math.abs(ax - bx) < 1) return `M${ax} ${from}L${bx} ${to}`;
  const bend = Math.max(12, Math.min(90, reach / 2)) * (down ? 1 : -1);
  return `M${ax} ${from}C${ax} ${from + bend} ${bx} ${to - bend} ${bx} ${to}`;
}

/** Whether a box stands between two that are one above the other. */
function obstructed(a, b, at) {
  const [low, high] = [Math.min(a.y, b.y), Math.max(a.y, b.y)];
  for (const box of at.values()) if (box.x === a.x && box.y > low && box.y < high) return true;
  return false;
}
