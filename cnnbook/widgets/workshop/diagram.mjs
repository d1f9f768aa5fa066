// The workshop's diagram: blocks from left to right, branches above each
// other, in as many rows as it takes.

const wbDrawn = { conv: "conv", pool: "pool", global: "pool", dense: "dense" };
const wbTall = 130; // the side of the largest maps, in pixels
const wbSlant = 22; // how far a box's far side is off, at most
const wbStep = 9; // the least gap between blocks
const wbRowsMost = 6;
const wbMost = 600; // so many blocks are drawn

// Rows as a tree: a row, or a fork { lanes, row } with its join.
function wbTree(rows) {
  let at = 0;
  const sequence = (depth) => {
    const items = [];
    const inside = rows[at]?.path.slice(0, 2 * depth).join();
    while (at < rows.length) {
      const { path } = rows[at];
      if (path.slice(0, 2 * depth).join() !== inside) break;
      if (path.length > 2 * depth) items.push(fork(depth));
      else {
        if (wbDrawn[rows[at].op]) items.push(rows[at]);
        at += 1;
      }
    }
    return items;
  };
  const fork = (depth) => {
    const number = rows[at].path[2 * depth];
    const lanes = [];
    while (rows[at]?.path[2 * depth] === number) {
      lanes[rows[at].path[2 * depth + 1]] = sequence(depth + 1);
    }
    const join = rows[at];
    const joins = join && ["add", "concat"].includes(join.op);
    if (joins) at += 1;
    const count = Math.max(lanes.length, joins ? join.inputs.length : 0);
    return {
      join: joins ? join : null,
      lanes: Array.from({ length: count }, (_, lane) => lanes[lane] ?? []),
    };
  };
  return sequence(0);
}

// Roots, so that maps of 7 can be seen beside maps of 224.
function wbBlock(row, scale) {
  const [maps, height, width] = row.shape ?? [];
  const side = row.shape?.length === 3 ? Math.max(height ?? 0, width ?? 0) : 1;
  const tall = Math.max(4, wbTall * Math.sqrt(Math.min(1, side / scale)));
  return {
    row,
    wide: 1.5 + Math.sqrt(Math.min(maps ?? 16, 1e4)) * 0.75,
    tall,
    gaps: 0,
    up: tall / 2 + wbDeep(tall),
    down: tall / 2,
  };
}

// How wide the blocks of a sequence are, how many gaps are between them, and
// how far it reaches above and below its axis.
function wbMeasure(items, scale) {
  return wbSequence(
    items.map((item) => {
      if (!item.lanes) return wbBlock(item, scale);
      const lanes = item.lanes.map((lane) => wbMeasure(lane, scale));
      return { join: item.join, lanes, ...wbStack(item.join, lanes) };
    }),
  );
}

function wbSequence(parts) {
  const sum = (key) => parts.reduce((all, part) => all + part[key], 0);
  return {
    parts,
    wide: sum("wide"),
    gaps: sum("gaps") + Math.max(0, parts.length - 1),
    up: Math.max(2, ...parts.map(({ up }) => up)),
    down: Math.max(2, ...parts.map(({ down }) => down)),
  };
}

// Lanes that are added leave the first on the axis, the way past it above;
// lanes that are concatenated stand around the axis.
function wbStack(join, lanes) {
  const gap = 7;
  const wide = Math.max(...lanes.map((lane) => lane.wide));
  const gaps = Math.max(...lanes.map((lane) => lane.gaps)) + 1.4;
  const tall = lanes.map((lane) => lane.up + lane.down + gap);
  const total = tall.reduce((all, one) => all + one, -gap);
  const down = join?.op === "add" ? lanes[0].down : total / 2;
  return { wide, gaps, up: total - down, down, gap };
}

// What does not fit into one row of the picture goes on in the next.
function wbRows(tree, room) {
  const natural = (room - tree.wide) / (tree.gaps || 1);
  if (natural >= wbStep / 2) {
    return { rows: [tree], step: Math.min(32, natural), tight: 1 };
  }
  const total = tree.wide + tree.gaps * wbStep;
  const tight = Math.min(1, (0.8 * wbRowsMost * room) / total);
  const step = wbStep * tight;
  const rows = [];
  let [row, used] = [[], 0];
  for (const part of tree.parts) {
    const long = part.wide * tight + (part.gaps + 1) * step;
    if (row.length && used + long > room) {
      rows.push(wbSequence(row));
      [row, used] = [[], 0];
    }
    row.push(part);
    used += long;
  }
  rows.push(wbSequence(row));
  return { rows, step, tight };
}

// Put everything in its place: blocks, and the wires between them.
function wbPlace(tree, width) {
  const room = width - 16 - wbSlant;
  const { rows, step, tight } = wbRows(tree, room);
  const drawn = { blocks: [], wires: [], axes: [] };
  const along = (sequence, x, y) => {
    sequence.parts.forEach((part, index) => {
      if (index) {
        drawn.wires.push(`M${wbAt(x)} ${wbAt(y)}h${wbAt(step)}`);
        x += step;
      }
      x = part.lanes ? fork(part, x, y) : block(part, x, y);
    });
    return x;
  };
  const block = ({ row, wide, tall }, x, y) => {
    const box = { row, x, y: y - tall / 2, wide: wide * tight, tall };
    drawn.blocks.push({ ...box, axis: y });
    return x + wide * tight;
  };
  const fork = (part, x, y) => {
    const reach = 0.7 * step;
    const end = x + part.wide * tight + part.gaps * step;
    const adds = part.join?.op === "add";
    const order = adds ? [...part.lanes].reverse() : part.lanes;
    let top = y - part.up;
    for (const lane of order) {
      const axis = adds && lane === part.lanes[0] ? y : top + lane.up;
      top += lane.up + lane.down + part.gap;
      const inside = end - x - 2 * reach;
      const spare = inside - lane.wide * tight - lane.gaps * step;
      const from = x + reach + spare / 2;
      const to = along(lane, from, axis);
      drawn.wires.push(
        wbBend(x, y, from, axis, reach),
        wbBend(end, y, to, axis, -reach),
      );
    }
    return end;
  };
  let bottom = 0;
  for (const row of rows) {
    const axis = bottom + 16 + row.up;
    const total = row.wide * tight + row.gaps * step;
    const start = 8 + (rows.length > 1 ? 0 : (room - total) / 2);
    const end = along(row, start, axis);
    if (row !== rows.at(-1)) drawn.wires.push(wbOn(end, axis));
    if (row !== rows[0]) drawn.wires.push(wbOn(start - 8, axis));
    drawn.axes.push({ axis, low: axis + row.down + 14 });
    bottom = axis + row.down + 18;
  }
  return { ...drawn, height: Math.ceil(bottom) };
}

// The wire goes on in another row.
function wbOn(x, y) {
  return `M${wbAt(x)} ${wbAt(y)}h8m-3 -3l3 3l-3 3`;
}

function wbAt(number) {
  return number.toFixed(1);
}

function wbBend(x, y, toX, toY, reach) {
  const bend = `C${wbAt(x + reach / 2)} ${wbAt(y)} ${wbAt(x + reach / 2)} `;
  return (
    `M${wbAt(x)} ${wbAt(y)}${bend}${wbAt(toY)} ` +
    `${wbAt(x + reach)} ${wbAt(toY)}H${wbAt(toX)}`
  );
}

// A box seen from the front, the right and above.
function wbBox({ x, y, wide, tall }) {
  const deep = wbDeep(tall);
  const [left, top, w, h, d] = [x, y, wide, tall, deep].map(wbAt);
  return {
    front: `M${left} ${top}h${w}v${h}h-${w}z`,
    side:
      `M${left} ${top}l${d} -${d}h${w}v${h}l-${d} ${d}` +
      `M${wbAt(x + wide)} ${top}l${d} -${d}M${left} ${top}h${w}v${h}`,
  };
}

function wbDeep(tall) {
  return Math.min(wbSlant, tall * 0.22);
}

// Under a row the number of maps, above the blocks their side, where these
// change and where there is room.
function wbLabels(blocks, { axis, low }) {
  const labels = [];
  const end = { low: -8, high: -8 };
  const write = (level, text, x, y) => {
    const half = 3.2 * text.length;
    if (x - half < end[level] + 6) return false;
    end[level] = x + half;
    labels.push({ text, x, y });
    return true;
  };
  let [maps, side] = [null, null];
  for (const { row, x, y, wide, tall, axis: own } of blocks) {
    if (own !== axis || !row.shape) continue;
    const [count, height] = row.shape;
    const shown = height > 1 ? String(height) : "";
    const top = y - wbDeep(tall) - 4;
    if (count && count !== maps) {
      if (write("low", grouped(count), x + wide / 2, low)) maps = count;
    }
    if (shown && shown !== side) {
      if (write("high", shown, x + wide / 2 + 6, top)) side = shown;
    }
  }
  return labels;
}

function wbDiagram({ over, pick }) {
  const wires = svg("path", { class: "wb-wires" });
  const boxes = svg("g");
  const words = svg("g");
  const drawing = svg(
    "svg",
    { class: "wb-diagram", "aria-hidden": "true" },
    wires,
    boxes,
    words,
  );
  const many = html("p", { class: "wb-many", hidden: true });
  const root = html("div", {}, drawing, many);
  let placed = { blocks: [] };

  const draw = ({ rows, input }, width) => {
    const side = Math.max(...(input?.shape ?? [0]).slice(1));
    const sides = rows.map(({ shape }) => shape?.[1] ?? 1);
    const blocks = rows.filter(({ op }) => wbDrawn[op]).length;
    const shows = blocks > 0 && blocks <= wbMost;
    drawing.style.display = shows ? "" : "none";
    many.hidden = blocks <= wbMost;
    fill(many, `${grouped(blocks)} layers are too many to draw.`);
    if (!shows) return;
    const scale = Math.max(...sides.slice(0, wbMost), side || 1, 7);
    const first = { op: "input", index: -1, shape: input?.shape ?? null };
    const items = [...(input ? [first] : []), ...wbTree(rows)];
    placed = wbPlace(wbMeasure(items, scale), width);
    drawing.setAttribute("viewBox", `0 0 ${width} ${placed.height}`);
    wires.setAttribute("d", placed.wires.join(""));
    wbPool(boxes, placed.blocks, wbMakeBox, (node, block) => {
      const { front, side: edge } = wbBox(block);
      const kind = wbDrawn[block.row.op] ?? "input";
      wbSet(node, "class", `wb-block wb-${kind}`);
      wbSet(node.firstChild, "d", edge);
      wbSet(node.lastChild, "d", front);
    });
    const shown = placed.axes.flatMap((at) => wbLabels(placed.blocks, at));
    wbPool(words, shown, () => svg("text", { "text-anchor": "middle" }), write);
  };
  const write = (node, { text, x, y }) => {
    wbSet(node, "x", wbAt(x));
    wbSet(node, "y", wbAt(y));
    fill(node, text);
  };
  const light = (lit) => {
    placed.blocks.forEach(({ row }, place) => {
      boxes.children[place].classList.toggle("wb-on", lit.has(row.index));
    });
  };
  const blockAt = (event) => {
    const area = drawing.getBoundingClientRect();
    const zoom = drawing.viewBox.baseVal.width / area.width;
    const x = (event.clientX - area.left) * zoom;
    const y = (event.clientY - area.top) * zoom;
    const near = ({ x: left, y: top, wide, tall }) =>
      x >= left - 3 && x <= left + wide + 3 && y >= top - 8 && y <= top + tall;
    const found = placed.blocks.findLast(near)?.row;
    return found?.index >= 0 ? found : null;
  };
  drawing.addEventListener("pointermove", (event) => over(blockAt(event)));
  drawing.addEventListener("pointerleave", () => over(null));
  drawing.addEventListener("click", (event) => pick(blockAt(event)));
  return { root, draw, light };
}

function wbMakeBox() {
  return svg(
    "g",
    {},
    svg("path", { class: "wb-edge" }),
    svg("path", { class: "wb-front" }),
  );
}
