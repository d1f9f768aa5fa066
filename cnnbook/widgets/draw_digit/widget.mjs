// Draw a digit: the paper, every map of the network, and a look into a unit.

const ddRows = [
  // columns, units between two maps, width of the whole in per cent
  { columns: 6, gap: 2, wide: 100 },
  { columns: 6, gap: 1, wide: 50 },
  { columns: 8, gap: 1, wide: 86 },
  { columns: 8, gap: 1, wide: 50 },
  { columns: 30, gap: 0, wide: 72 },
  { columns: 7, gap: 0, wide: 17 },
  { columns: 10, gap: 3, wide: 76, cell: [7, 12] },
];
const ddHeads = [
  ["C1", "6 maps of 28 × 28"],
  ["S2", "6 maps of 14 × 14"],
  ["C3", "16 maps of 10 × 10"],
  ["S4", "16 maps of 5 × 5"],
  ["C5", "120 units"],
  ["F6", "84 units"],
  ["Output", "distances to ten bitmaps"],
];

// ---- Pictures ----

// The colours of the page as numbers; they differ in light and dark.
function ddColours(el) {
  const style = getComputedStyle(el);
  const pen = ddColours.pen ??= document.createElement("canvas")
    .getContext("2d");
  const read = (name) => {
    pen.fillStyle = style.getPropertyValue(name).trim() || "#000";
    return [1, 3, 5].map((at) => parseInt(pen.fillStyle.slice(at, at + 2), 16));
  };
  return {
    more: read("--w-orange"),
    less: read("--w-blue"),
    ink: read("--w-ink"),
  };
}

// Maps side by side on one canvas, and frames above them.
function ddSheet({ count, columns, gap = 0, cell: [width, height] }) {
  const rows = Math.ceil(count / columns);
  const wide = columns * (width + gap) - gap;
  const high = rows * (height + gap) - gap;
  const canvas = html("canvas", { width: wide, height: high,
    "aria-hidden": "true" });
  const frames = svg("svg", {
    viewBox: `0 0 ${wide} ${high}`, "aria-hidden": "true" });
  const root = html("div", { class: "dd-sheet" }, canvas, frames);
  const context = canvas.getContext("2d");
  const image = context.createImageData(wide, high);
  const corner = (map) => [
    (map % columns) * (width + gap),
    Math.floor(map / columns) * (height + gap),
  ];
  const places = new Int32Array(count * width * height);
  for (let i = 0; i < places.length; i += 1) {
    const [x, y] = corner(Math.floor(i / (width * height)));
    const at = i % (width * height);
    places[i] = 4 * ((y + Math.floor(at / width)) * wide + x + (at % width));
  }
  const put = (i, [r, g, b], share) => {
    const at = places[i];
    image.data[at] = r;
    image.data[at + 1] = g;
    image.data[at + 2] = b;
    image.data[at + 3] = 255 * Math.min(1, Math.max(0, share));
  };
  const signed = (values, { more, less }, full) => {
    for (let i = 0; i < places.length; i += 1) {
      const value = values[i];
      put(i, value > 0 ? more : less, Math.abs(value) / full);
    }
    context.putImageData(image, 0, 0);
  };
  const inked = (values, { ink }, white, black) => {
    for (let i = 0; i < places.length; i += 1) {
      put(i, ink, (values[i] - white) / (black - white));
    }
    context.putImageData(image, 0, 0);
  };
  // Frames: { map, row, column, high, wide, name } in units of the maps.
  const frame = (boxes) => {
    while (frames.childElementCount < boxes.length) {
      frames.append(svg("rect"));
    }
    [...frames.children].forEach((rect, i) => {
      const box = boxes[i];
      rect.style.display = box ? "" : "none";
      if (!box) return;
      const [x, y] = corner(box.map ?? 0);
      rect.setAttribute("class", box.name ?? "dd-seen");
      rect.setAttribute("x", x + (box.column ?? 0));
      rect.setAttribute("y", y + (box.row ?? 0));
      rect.setAttribute("width", box.wide ?? wide);
      rect.setAttribute("height", box.high ?? high);
    });
  };
  // The map, row and column under the mouse; a gap belongs to what is before.
  const under = ({ clientX, clientY }) => {
    const box = canvas.getBoundingClientRect();
    const x = ((clientX - box.left) / box.width) * wide;
    const y = ((clientY - box.top) / box.height) * high;
    const column = Math.floor(x / (width + gap));
    const map = Math.floor(y / (height + gap)) * columns + column;
    if (x < 0 || y < 0 || column >= columns || map >= count) return null;
    const inside = [
      Math.min(height - 1, Math.floor(y % (height + gap))),
      Math.min(width - 1, Math.floor(x % (width + gap))),
    ];
    return [map, ...inside];
  };
  return { root, signed, inked, frame, under };
}

// The table of 1998: a square where a map of C3 sees a map of S2.
function ddTable(table) {
  const squares = table.flatMap((row, m) => row.map((i) =>
    svg("rect", { x: 12 * m + 2, y: 12 * i + 14, width: 9, height: 9 })));
  const pairs = table.flatMap((row, m) => row.map((i) => [m, i]));
  const label = (x, y, text) =>
    svg("text", { x, y, "text-anchor": "middle" }, text);
  const said = table.map((row, m) => `map ${m} sees ${row.join(", ")}`);
  const root = svg(
    "svg",
    {
      class: "dd-table", viewBox: "-12 0 206 88", role: "img",
      "aria-label": `The table of 1998. Of S2, C3's ${said.join("; ")}.`,
    },
    ...table.map((_, m) => label(12 * m + 6.5, 9, m)),
    ...[...new Set(table.flat())].sort().map((i) =>
      label(-6, 12 * i + 22, i)),
    ...squares,
  );
  const light = (m, i) => squares.forEach((square, at) => {
    const lit = pairs[at][0] === m || pairs[at][1] === i;
    square.classList.toggle("dd-lit", lit);
  });
  return { root, light };
}

// ---- The paper ----

// A sheet to draw on with mouse, finger or keys. It tells of each stretch of
// the pen at once, and of each stroke when the pen is lifted.
function ddSurface({
  radius, say, onBegin, onStretch, onStroke, onUndo, onClear,
}) {
  const canvas = html("canvas", {
    width: ddPaper, height: ddPaper, "aria-hidden": "true" });
  const lines = svg("g");
  const hint = svg("text", { class: "dd-hint", x: 64, y: 67 },
    "Draw a digit here");
  const seen = svg("rect", { class: "dd-seen" });
  const pen = svg("circle", { class: "dd-pen", r: 6 });
  const sheet = svg(
    "svg",
    { viewBox: `0 0 ${ddPaper} ${ddPaper}`, "aria-hidden": "true" },
    hint, lines, seen, pen,
  );
  const root = html(
    "div",
    {
      class: "dd-paper", tabindex: 0, role: "application",
      "aria-roledescription": "sheet to draw on",
      "aria-label": "Paper. Arrow keys move the pen, Space puts it down and " +
        "lifts it, Delete clears, Control Z takes back.",
    },
    canvas, sheet,
  );
  let stroke = null;
  let shift = [0, 0];
  let [x, y] = [64, 28];

  const begin = (at) => {
    onBegin();
    stroke = [radius(), ...at];
    lines.append(ddLine(stroke));
    hint.style.display = "none";
    onStretch(stroke);
  };
  const extend = (at) => {
    if (!stroke) return;
    const [before, last] = stroke.slice(-2);
    if (Math.hypot(at[0] - before, at[1] - last) < 0.5) return;
    stroke.push(...at);
    lines.lastChild.setAttribute("points", stroke.slice(1).join(" "));
    onStretch(stroke);
  };
  const lift = () => {
    if (!stroke) return;
    const done = stroke;
    stroke = null;
    root.classList.remove("dd-down");
    onStroke(done);
  };
  const where = ({ clientX, clientY }) => {
    const box = root.getBoundingClientRect();
    const cell = (at, start, length) =>
      Math.round(((at - start) / length) * 10 * ddPaper) / 10;
    return [
      cell(clientX, box.left + root.clientLeft, root.clientWidth)
        - 4 * shift[0],
      cell(clientY, box.top + root.clientTop, root.clientHeight)
        - 4 * shift[1],
    ];
  };
  root.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !event.isPrimary) return;
    lift();
    root.setPointerCapture?.(event.pointerId);
    begin(where(event));
  });
  root.addEventListener("pointermove", (event) => {
    if (!stroke || !event.isPrimary || !event.buttons) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const one of events.length ? events : [event]) extend(where(one));
  });
  root.addEventListener("pointerup", lift);
  root.addEventListener("pointercancel", lift);
  root.addEventListener("blur", lift);

  const place = () => {
    pen.setAttribute("cx", x);
    pen.setAttribute("cy", y);
    pen.setAttribute("r", radius());
  };
  const own = () => [x - 4 * shift[0], y - 4 * shift[1]];
  const move = (right, down) => {
    x = Math.min(ddPaper, Math.max(0, x + right));
    y = Math.min(ddPaper, Math.max(0, y + down));
    place();
    extend(own());
    if (!stroke) {
      say(`Pen at ${Math.round(x / 1.28)} across, ` +
        `${Math.round(y / 1.28)} down, of 100.`);
    }
  };
  const keys = {
    ArrowLeft: (step) => move(-step, 0),
    ArrowRight: (step) => move(step, 0),
    ArrowUp: (step) => move(0, -step),
    ArrowDown: (step) => move(0, step),
    " ": () => {
      if (stroke) return lift();
      root.classList.add("dd-down");
      begin(own());
      return say("Pen down.");
    },
    Escape: lift,
    Delete: onClear,
    Backspace: onUndo,
  };
  root.addEventListener("keydown", (event) => {
    const { key, ctrlKey, metaKey, altKey, shiftKey } = event;
    if ((ctrlKey || metaKey) && key === "z") onUndo();
    else if (ctrlKey || metaKey || altKey || !keys[key]) return;
    else keys[key](shiftKey ? 1 : 4);
    event.preventDefault();
  });
  place();

  const set = (drawing, pixels, colours) => {
    shift = drawing.move;
    const empty = !drawing.picture && !drawing.strokes.length && !stroke;
    hint.style.display = empty ? "" : "none";
    const strokes = [...drawing.strokes, stroke].filter(Boolean);
    lines.replaceChildren(...strokes.map(ddLine));
    lines.setAttribute("transform",
      `translate(${4 * shift[0]} ${4 * shift[1]})`);
    const context = canvas.getContext("2d");
    const image = context.createImageData(ddPaper, ddPaper);
    if (drawing.picture) {
      const shares = new Float64Array(ddPaper ** 2);
      ddEnlarge(shares, pixels, ddPaper, 4 * shift[0], 4 * shift[1]);
      shares.forEach((share, i) =>
        image.data.set([...colours.ink, 255 * share], 4 * i));
    }
    context.putImageData(image, 0, 0);
  };
  const frame = ({ x: left, y: top, cells }, [row, column, side]) => {
    seen.setAttribute("x", left + column * cells);
    seen.setAttribute("y", top + row * cells);
    seen.setAttribute("width", side * cells);
    seen.setAttribute("height", side * cells);
  };
  return { root, set, frame, place, current: () => stroke };
}

function ddLine([radius, ...points]) {
  return svg("polyline", {
    points: [...points, ...points.slice(0, 2).filter(() => points.length < 4)]
      .join(" "),
    "stroke-width": 2 * radius,
  });
}

// ---- A look into a unit ----

// The largest weight of a layer, which has the full colour.
function ddStrongest(layer) {
  layer.strongest ??= layer.weight.reduce(
    (most, weight) => Math.max(most, Math.abs(weight)), 0);
  return layer.strongest;
}

function ddInspector() {
  const title = html("p", { class: "dd-title" });
  const sees = html("p");
  const pictures = html("div", { class: "dd-pair" });
  const lines = html("div", { class: "dd-lines" });
  const terms = html("div", { class: "dd-terms", tabindex: 0, role: "group",
    "aria-label": "Every term" });
  const more = html("details", {},
    html("summary", {}, "Every term of the sum"), terms);
  const root = html(
    "section",
    { class: "dd-unit", "aria-label": "The unit that is looked into" },
    title, sees, pictures, lines, more,
  );
  let form = "";
  let sheets = [];
  let last = null;

  const rebuild = (names, options) => {
    sheets = names.map(() => ddSheet(options));
    pictures.replaceChildren(...names.map((name, i) =>
      html("div", {}, html("span", {}, name), sheets[i].root)));
  };
  const fit = (layer, inputs) => {
    const side = layer.kernel;
    const names = layer.kind === "rbf" ? ["F6", "bitmap", "difference"]
      : layer.kind === "pool" ? ["inputs x"] : ["inputs x", "weights w"];
    const columns = layer.kind === "rbf" ? 7
      : inputs.length > 16 ? 15 : Math.min(inputs.length, 4);
    const next = `${names} ${inputs.length} ${side}`;
    if (next === form) return;
    form = next;
    rebuild(names, { count: inputs.length, columns,
      gap: side > 1 ? 1 : 0, cell: [side, side] });
    pictures.dataset.side = side;
  };
  const paint = (layer, inputs, colours) => {
    const values = inputs.flatMap((input) => input.values);
    const weights = inputs.flatMap((input) => input.weights);
    if (layer.kind === "rbf") {
      sheets[0].inked(values, colours, -1, 1);
      sheets[1].inked(weights, colours, -1, 1);
      sheets[2].signed(values.map((v, i) => v - weights[i]), colours, 1);
      return;
    }
    sheets[0].signed(values, colours, layer.name === "c1" ? 1.175 : 1.7159);
    sheets[1]?.signed(weights, colours, ddStrongest(layer));
  };
  const write = () => {
    if (!more.open || !last) return;
    const [layer, inputs] = last;
    terms.replaceChildren(...ddTerms(layer, inputs).map(({ map, text }) =>
      html("p", {}, html("b", {}, layer.kind === "pool" ? "x " : `${map}: `),
        text)));
  };
  more.addEventListener("toggle", write);
  const set = (layers, inputs, unit, colours) => {
    const layer = layers[unit[0]];
    const said = ddExplain(layers, inputs, unit);
    last = [layer, inputs];
    fill(title, said.title);
    fill(sees, said.sees);
    lines.replaceChildren(...said.lines.map((line) => html("p", {}, line)));
    fit(layer, inputs);
    paint(layer, inputs, colours);
    write();
    return said;
  };
  return { root, set };
}

// ---- The page ----

function ddThumb(pixels, attributes, ...children) {
  const sheet = ddSheet({ count: 1, columns: 1, cell: [ddSide, ddSide] });
  const root = html("button", { type: "button", class: "dd-thumb",
    ...attributes }, sheet.root, ...children);
  return { root, paint: (colours) => sheet.inked(pixels, colours, 0, 1) };
}

// A layer of the network: its name, its sheet, its keys.
function ddLayer(layer, level, listeners) {
  const { columns, gap, wide, cell } = ddRows[level];
  const sheet = ddSheet({ count: layer.maps, columns, gap,
    cell: cell ?? [layer.to, layer.to] });
  const [name, what] = ddHeads[level];
  const field = html(
    "div",
    {
      class: "dd-maps", role: "application", tabindex: -1,
      style: `--wide: ${wide}%`,
      "aria-roledescription": "maps of a layer",
      "aria-label": `${name}: ${what}. Arrow keys go from unit to unit, ` +
        "with Shift from map to map, Page Up and Page Down from layer to " +
        "layer.",
    },
    sheet.root,
  );
  const place = (event) => {
    const found = sheet.under(event);
    if (!found) return null;
    const [map, row, column] = found;
    return cell ? [level, map, 0, 0] : [level, map, row, column];
  };
  field.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "touch") listeners.onHover(place(event));
  });
  field.addEventListener("pointerleave", () => listeners.onHover(null));
  field.addEventListener("click", (event) => {
    const found = place(event);
    if (found) listeners.onHold(found);
  });
  field.addEventListener("keydown", listeners.onKey);
  const root = html("div", { class: `dd-layer dd-${layer.name}` },
    html("p", { class: "dd-head" }, html("b", {}, name), ` ${what}`), field);
  return { root, field, sheet };
}

// Where a key leads from a unit; null for a key that leads nowhere.
function ddStep(layers, [level, map, row, column], { key, shiftKey }) {
  const jump = { PageUp: -1, PageDown: 1 }[key];
  if (jump) {
    const next = Math.min(layers.length - 1, Math.max(0, level + jump));
    const from = layers[level];
    const to = layers[next];
    const scale = (n, count, of) => Math.floor(((n + 0.5) * of) / count);
    return [next, scale(map, from.maps, to.maps),
      scale(row, from.to, to.to), scale(column, from.to, to.to)];
  }
  const by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0],
    ArrowDown: [1, 0] }[key];
  if (!by) return null;
  const { to, maps } = layers[level];
  const { columns } = ddRows[level];
  const step = shiftKey ? to : 1;
  const y = Math.floor(map / columns) * to + row + by[0] * step;
  const x = (map % columns) * to + column + by[1] * step;
  const next = Math.floor(y / to) * columns + Math.floor(x / to);
  if (x < 0 || y < 0 || x >= columns * to || next >= maps) {
    return [level, map, row, column];
  }
  return [level, next, y % to, x % to];
}

// What to begin with: test digits, and a failure behind each button.
function ddStart(samples, cases, load) {
  const thumbs = samples.map(({ label, read, digit, picture }) =>
    ddThumb(
      ddPixels(picture),
      {
        "aria-label": `Test digit ${digit}, ${ddDigit(label)}` +
          (label === read ? "" : `: it reads ${read}`),
        onclick: () => load({ picture }),
      },
      label === read ? null : html("span", {}, `reads ${read}`),
    ));
  const buttons = cases.map((one) =>
    button(one.title, () => load(one.drawing)));
  const why = html("p", { class: "dd-why" });
  const row = (name, title, ...children) =>
    html("div", { class: `dd-${name}`, role: "group", "aria-label": title },
      html("span", { class: "cnn-name" }, `${title}:`),
      html("div", {}, ...children));
  const root = html("div", { class: "dd-start" },
    row("thumbs", "Draw, or start from a test digit",
      ...thumbs.map((thumb) => thumb.root)),
    row("fails", "See it fail", ...buttons),
    why);
  const set = (drawing) => {
    const press = (node, is) => node.setAttribute("aria-pressed", String(is));
    thumbs.forEach((thumb, i) => press(thumb.root,
      drawing.picture === samples[i].picture && !drawing.strokes.length));
    const shown = cases.findIndex((one) => ddSame(one.drawing, drawing));
    buttons.forEach((node, i) => press(node, i === shown));
    fill(why, cases[shown]?.words ?? "");
  };
  const paint = (colours) => thumbs.forEach((thumb) => thumb.paint(colours));
  return { root, set, paint, words: () => why.textContent };
}

// Whether two drawings are the same.
function ddSame(one, other) {
  const keys = ["picture", "strokes", "move", "centred"];
  return keys.every((key) =>
    JSON.stringify(one[key]) === JSON.stringify(other[key]));
}

// The ten distances below their bitmaps, and the answer in words.
function ddAnswer(limit) {
  const rows = Array.from({ length: 10 }, (_, digit) => {
    const far = html("span");
    const bar = html("i");
    const row = html("li", {}, html("b", {}, String(digit)), far, bar);
    return { row, far, bar };
  });
  const list = html("ol", { class: "dd-distances", "aria-label": "Distances" },
    ...rows.map(({ row }) => row));
  const digit = html("b", { class: "dd-digit", "aria-hidden": "true" });
  const words = html("span");
  const root = html("figcaption", { class: "dd-answer" }, digit, words);
  const set = (distances) => {
    const [first, second] = ddOrder(distances);
    rows.forEach(({ row, far, bar }, i) => {
      const value = distances[i];
      fill(far, ddNumber(value, value < 99.95 ? 1 : 0));
      bar.style.width = `${Math.min(100, value / 2)}%`;
      row.className = i === first ? "dd-first"
        : i === second ? "dd-second" : "";
    });
    fill(digit, String(first));
    fill(words, ddSentence(distances, limit));
  };
  return { root, list, set, words: () => words.textContent };
}

// Pen, undo and clear; how the drawing lies, and what the network makes of it.
function ddControls({ drawing, redraw, slide }) {
  const pen = slider({ label: "Pen", min: 2, max: 12, value: 6,
    onInput: () => pen.onInput() });
  const centring = html("input", {
    type: "checkbox",
    onchange: () => redraw({ centred: centring.checked }),
  });
  const moves = ["Move right", "Move down"].map((label, axis) =>
    slider({
      label, min: -10, max: 10, value: 0,
      onInput: (value) => {
        const move = [...drawing().move];
        move[axis] = value;
        slide({ move });
      },
    }));
  const root = html("div", { class: "dd-controls" },
    html("label", { class: "dd-check" }, centring,
      "Scale and centre it, as the data set was"),
    ...moves.map((move) => move.root));
  const set = (now) => {
    centring.checked = now.centred;
    moves.forEach((control, axis) => control.set(now.move[axis]));
  };
  return { root, pen, set };
}

// Call when the page turns dark or light, or goes to the printer.
function ddWatch(recolour) {
  const media = ["(prefers-color-scheme: dark)", "print"].map((query) =>
    matchMedia(query));
  const watch = new MutationObserver(recolour);
  for (const node of [document.documentElement, document.body]) {
    watch.observe(node, { attributes: true, attributeFilter: ["class",
      "data-theme", "data-mode", "data-jp-theme-light"] });
  }
  for (const one of media) one.addEventListener("change", recolour);
  return () => {
    watch.disconnect();
    for (const one of media) one.removeEventListener("change", recolour);
  };
}

function ddLegend() {
  return html("p", { class: "dd-legend" },
    html("i", { class: "dd-less" }), "below 0", html("i"), "0",
    html("i", { class: "dd-more" }),
    "above 0; full colour at ±1.7159. " +
    "F6 and its bitmaps: ink +1, paper −1.");
}

// The seven layers, the field before them, and the look into a unit: they
// show what the network makes of the field, and frame what a unit sees.
function ddNetwork(layers, table, listeners) {
  const parts = layers.map((layer, level) => ddLayer(layer, level, listeners));
  const input = ddSheet({ count: 1, columns: 1, cell: [ddField, ddField] });
  const lit = ddTable(table);
  const inspector = ddInspector();
  const prototypes = layers[6].prototypes.flatMap((signs) => [...signs]);
  parts[1].root.append(html("div", { class: "dd-which" },
    html("p", { class: "dd-head" }, "Which of these C3 sees"), lit.root));
  parts.forEach(({ root }, level) =>
    root.style.setProperty("--after", 10 + 2 * level));

  const paint = (field, colours) => {
    input.inked(field, colours, -0.1, 1.175);
    parts.forEach(({ sheet }, level) => {
      const { out } = layers[level];
      if (level < 5) sheet.signed(out, colours, 1.7159);
      else sheet.inked(level === 5 ? out : prototypes, colours, -1, 1);
    });
  };
  const look = (field, unit, colours) => {
    const [level, map, row, column] = unit;
    const { kernel } = layers[level];
    const inputs = ddInputs(layers, field, unit);
    const [top, left, side] = ddSees(level, row, column);
    const boxes = inputs.length > 16 ? [{}]
      : inputs.map((one) => ({ map: one.map, row: one.row,
        column: one.column, high: kernel, wide: kernel }));
    const [wide, high] = ddRows[level].cell ?? [1, 1];
    const own = { map, row, column, high, wide, name: "dd-own" };
    parts.forEach(({ sheet, root }, at) => {
      sheet.frame(at === level ? [own] : at === level - 1 ? boxes : []);
      root.classList.toggle("dd-looked", at === level);
    });
    input.frame([{ row: top, column: left, high: side, wide: side }]);
    lit.light(level === 2 ? map : -1, level === 1 ? map : -1);
    inspector.root.style.setProperty("--after", 11 + 2 * level);
    return inspector.set(layers, inputs, unit, colours);
  };
  // One layer at a time is reached by Tab.
  const rove = (level) => parts.forEach(({ field }, at) =>
    field.setAttribute("tabindex", at === level ? 0 : -1));
  const focus = (level) => {
    parts[level].field.focus({ preventScroll: true });
    parts[level].root.scrollIntoView({ block: "nearest" });
  };
  return { parts, input, inspector, paint, look, rove, focus };
}

function render({ model, el }) {
  const { table } = model.get("net");
  const layers = ddLayers(model.get("net"));
  const names = layers.map((layer) => layer.name);
  const field = new Float64Array(ddField ** 2);
  const ink = new Float64Array(ddPaper ** 2);
  const history = [];
  let colours = ddColours(el);
  let pixels = null; // of the stored digit that lies on the paper
  let hover = null;
  let place = null; // of the field on the paper

  // What lies on the paper, and how that changes.
  const drawing = () => model.get("drawing");
  const slide = (next) =>
    change(model, { drawing: { ...drawing(), ...next } });
  const redraw = (next) => {
    history.push(drawing());
    slide(next);
  };
  const clear = () => redraw({ picture: "", strokes: [], move: [0, 0] });
  const undo = () => {
    if (history.length) change(model, { drawing: history.pop() });
  };
  const load = (next) => redraw({ strokes: [], picture: "", move: [0, 0],
    centred: true, ...next });
  const whole = () => ({
    ...drawing(),
    strokes: [...drawing().strokes, paper.current()].filter(Boolean),
  });

  // Which unit is looked into: that under the mouse, else the held one.
  const held = () => {
    const [name, ...numbers] = model.get("unit").split(".");
    return [names.indexOf(name), ...numbers.map(Number)];
  };
  const hold = (unit) =>
    change(model, { unit: [names[unit[0]], ...unit.slice(1)].join(".") });
  const network = ddNetwork(layers, table, {
    onHover: (unit) => {
      hover = unit;
      look();
    },
    onHold: hold,
    onKey: (event) => {
      const next = ddStep(layers, held(), event);
      if (!next) return;
      event.preventDefault();
      hover = null;
      hold(next);
      network.focus(next[0]);
      const { title, answer: value, sees, lines } = look();
      announce(el, `${title}: ${ddNumber(value)}. ${sees} ` +
        lines.join(". "));
    },
  });
  const start = ddStart(model.get("samples"), model.get("cases"), load);
  const answer = ddAnswer(model.get("limit"));
  const controls = ddControls({ drawing, redraw, slide });
  const paper = ddSurface({
    radius: () => Number(controls.pen.input.value),
    say: (text) => announce(el, text),
    // The digit that the page begins with makes room for the first stroke.
    onBegin: () => {
      if (!history.length && drawing().picture) redraw({ picture: "" });
    },
    onStretch: ([radius, ...points]) => {
      ddStroke(ink, [radius, ...points.slice(-4)], drawing().move);
      react();
    },
    onStroke: (stroke) => redraw({ strokes: [...drawing().strokes, stroke] }),
    onUndo: undo,
    onClear: clear,
  });
  const undoButton = button("Undo", undo);
  controls.pen.onInput = paper.place;

  const look = () => {
    const unit = hover ?? held();
    paper.frame(place, ddSees(unit[0], unit[2], unit[3]));
    return network.look(field, unit, colours);
  };
  const react = () => {
    place = ddRead(field, ink, whole(), pixels);
    answer.set([...ddForward(layers, field)]);
    network.paint(field, colours);
    look();
  };
  const draw = () => {
    const now = drawing();
    pixels = now.picture ? ddPixels(now.picture) : null;
    ddInk(ink, whole(), pixels);
    paper.set(now, pixels, colours);
    controls.set(now);
    start.set(now);
    undoButton.disabled = history.length === 0;
    react();
  };
  const recolour = () => {
    colours = ddColours(el);
    start.paint(colours);
    draw();
  };

  network.parts[6].root.append(answer.list);
  el.replaceChildren(html(
    "figure",
    { class: "dd dd-bench" },
    start.root,
    html("div", { class: "dd-left" },
      html("div", { class: "dd-desk" }, paper.root,
        html("div", { class: "dd-tools" }, undoButton,
          button("Clear", clear), controls.pen.root)),
      answer.root, network.inspector.root),
    html("div", { class: "dd-right" },
      html("div", { class: "dd-layer dd-read" },
        html("p", { class: "dd-head" },
          html("b", {}, "Field"), " 32 × 32, what the network reads"),
        network.input.root, controls.root),
      ...network.parts.map(({ root }) => root),
      ddLegend()),
  ));
  recolour();
  network.rove(held()[0]);
  const stop = [
    bind(model, ["drawing"], batched(() => {
      draw();
      announce(el, `${answer.words()} ${start.words()}`.trim());
    })),
    bind(model, ["unit"], batched(() => {
      network.rove(held()[0]);
      look();
    })),
    ddWatch(recolour),
  ];
  return () => stop.forEach((one) => one());
}

export default { render };
