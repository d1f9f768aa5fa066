// Layers on layers: how much of the picture one unit sees.
// The functions up to `fieldMiddle` have their twins in __init__.py.

const FIELD_WIDEST = 100_000;
const FIELD_MOST_LAYERS = 32;

const FIELD_CONTROLS = [
  ["kernel", "Kernel", 1, 11],
  ["stride", "Stride", 1, 4],
  ["padding", "Padding", 0, 8],
  ["dilation", "Dilation", 1, 8],
];

function fieldsOf(rows) {
  const fields = receptiveFields(rows);
  if (fields.some(({ size, jump }) => Math.max(size, jump) > FIELD_WIDEST)) {
    throw new Error(
      `The field is wider than ${grouped(FIELD_WIDEST)} pixels; take a ` +
        "layer away or make a stride smaller.",
    );
  }
  return fields;
}

// Which units one unit of the last layer hears, input first.
function fieldReads(rows) {
  const levels = [[0]];
  for (const { kernel, stride, dilation } of [...rows].reverse()) {
    const heard = new Set();
    for (const unit of levels[0]) {
      for (let tap = 0; tap < kernel; tap += 1) {
        heard.add(unit * stride + tap * dilation);
      }
    }
    levels.unshift([...heard].sort((a, b) => a - b));
  }
  return levels;
}

const fieldName = (row, index) => row.name || `layer ${index + 1}`;

function fieldNumber(value) {
  if (Math.abs(value) >= 1e5) return "far";
  const [whole, part] = String(Math.abs(value)).split(".");
  return (
    (value < 0 ? "−" : "") + grouped(whole) + (part ? `.${part}` : "")
  );
}

function fieldWords(rows, selected, inputSize) {
  if (!rows.length) {
    return "Without a layer, a unit is a pixel: its field is 1 × 1.";
  }
  const index = Math.min(selected, rows.length - 1);
  const chain = rows.slice(0, index + 1);
  const found = [{ size: 1, jump: 1, start: 0.5 }, ...fieldsOf(chain)];
  const [before, field] = found.slice(-2);
  const row = rows[index];
  const rate = row.dilation > 1 ? `·${row.dilation}` : "";
  const size = grouped(field.size);
  let said =
    `A unit of ${fieldName(row, index)} sees ${size} × ${size} pixels: ` +
    `${grouped(before.size)} + (${row.kernel} − 1)${rate}·` +
    `${grouped(before.jump)} = ${size}. The fields of neighbours lie ` +
    `${grouped(field.jump)} pixel${field.jump === 1 ? "" : "s"} apart; the ` +
    `first has its centre at ${fieldNumber(field.start)}.`;
  if (field.size > inputSize) {
    said += " That is more than the picture: the rest is padding.";
  }
  const read = field.size <= 2000 ? fieldReads(chain)[0].length : 0;
  if (read > 0 && read < field.size) {
    said += ` Of its ${size} rows and columns it reads only ${grouped(read)}.`;
  }
  return said;
}

function fieldMiddle({ jump, start }, inputSize) {
  const unit = (inputSize / 2 - start) / jump;
  return start + (unit > 0 ? Math.floor(unit + 0.5) : 0) * jump;
}

// ---- Pictures ----

function fieldInk(digit, inputSize) {
  const scale = Math.max(1, Math.floor(inputSize / 32));
  const edge = (inputSize - 20 * scale) / 2;
  const levels = new Map();
  digit
    .trim()
    .split("\n")
    .forEach((line, y) => {
      [...line].forEach((level, x) => {
        if (level === ".") return;
        const at = `M${edge + x * scale} ${edge + y * scale}`;
        const square = `${at}h${scale}v${scale}h-${scale}z`;
        levels.set(level, (levels.get(level) ?? "") + square);
      });
    });
  return [...levels]
    .map(
      ([level, d]) =>
        `<path class="rf-ink" fill-opacity="${parseInt(level, 16) / 15}" ` +
        `d="${d}"/>`,
    )
    .join("");
}

function fieldSquares(fields, selected, inputSize) {
  return fields
    .slice(0, selected + 1)
    .map((field, i) => {
      const at = fieldMiddle(field, inputSize) - field.size / 2;
      return (
        `<rect class="rf-field${i === selected ? " rf-here" : ""}" ` +
        `x="${at}" y="${at}" width="${field.size}" height="${field.size}"/>`
      );
    })
    .join("");
}

// The side view: a level for the input and for each layer, the unit on top.
// Units that are too many for dots become a bar, links a shade.
function fieldTree(rows, fields, gap) {
  const levels = fieldReads(rows);
  const all = [{ size: 1, jump: 1 }, ...fields];
  const top = all[rows.length].size;
  const x = (level, unit) =>
    ((unit * all[level].jump + all[level].size / 2) / top) * 100;
  const y = (level) => (rows.length - level + 0.5) * gap;
  const fixed = (value) => value.toFixed(2);
  let [shades, links, dots, bars] = ["", "", "", ""];
  levels.forEach((units, level) => {
    const [first, last] = [units[0], units.at(-1)];
    if (units.length <= 60) {
      for (const unit of units) {
        dots += `M${fixed(x(level, unit))} ${y(level)}h0`;
      }
    } else {
      bars += `M${fixed(x(level, first))} ${y(level)}H${fixed(x(level, last))}`;
    }
    if (!level) return;
    const { kernel, stride, dilation } = rows[level - 1];
    if (units.length * kernel <= 120) {
      for (const unit of units) {
        const from = `M${fixed(x(level, unit))} ${y(level)}`;
        for (let tap = 0; tap < kernel; tap += 1) {
          const to = unit * stride + tap * dilation;
          links += `${from}L${fixed(x(level - 1, to))} ${y(level - 1)}`;
        }
      }
      return;
    }
    const below = levels[level - 1];
    shades +=
      `M${fixed(x(level, first))} ${y(level)}H${fixed(x(level, last))}` +
      `L${fixed(x(level - 1, below.at(-1)))} ${y(level - 1)}` +
      `H${fixed(x(level - 1, below[0]))}z`;
  });
  return (
    `<path class="rf-shade" d="${shades}"/><path class="rf-link" ` +
    `d="${links}"/><path class="rf-bar" d="${bars}"/>` +
    `<path class="rf-dot" d="${dots}"/>`
  );
}

function render({ model, el }) {
  const presets = model.get("presets");
  const rows = () => model.get("layers");
  const selected = () =>
    Math.max(0, Math.min(model.get("selected"), rows().length - 1));
  const presetNow = () => {
    const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
    const plain = (list) =>
      list.map((r) => [r.kernel, r.stride, r.padding, r.dilation, r.name]);
    const found = Object.entries(presets).find(([, preset]) =>
      same(plain(preset.layers), plain(rows())),
    );
    return found ? found[0] : "own";
  };

  const network = choice({
    label: "Network",
    options: [
      ...Object.entries(presets).map(([key, { label }]) => [key, label]),
      ["own", "Your own"],
    ],
    value: presetNow(),
    onInput: (key) => {
      if (key === "own") return;
      const { layers, input_size } = presets[key];
      play.stop();
      change(model, { layers, input_size, selected: layers.length - 1 });
    },
  });
  const inputSize = slider({
    label: "Input",
    min: 16,
    max: 256,
    value: model.get("input_size"),
    onInput: (value) => change(model, { input_size: value }),
  });
  const layer = slider({
    label: "Layer",
    min: 1,
    max: 1,
    value: 1,
    onInput: (value) => {
      play.stop();
      change(model, { selected: value - 1 });
    },
  });
  const play = player({
    label: "Grow",
    pause: 700,
    step: () => {
      const last = rows().length - 1;
      if (last < 0) return false;
      const next = selected() >= last ? 0 : selected() + 1;
      change(model, { selected: next });
      return next < last;
    },
  });
  const edit = (values) => {
    play.stop();
    const next = rows().map((row, i) =>
      i === selected() ? { ...row, ...values } : row,
    );
    change(model, { layers: next });
  };
  const sliders = Object.fromEntries(
    FIELD_CONTROLS.map(([name, label, min, max]) => [
      name,
      slider({
        label,
        min,
        max,
        value: min,
        onInput: (value) => edit({ [name]: value }),
      }),
    ]),
  );
  const nameInput = html("input", {
    type: "text",
    maxlength: 16,
    oninput: () => edit({ name: nameInput.value }),
  });
  const name = html(
    "div",
    { class: "cnn-control" },
    html("label", {}, html("span", { class: "cnn-name" }, "Name"), nameInput),
  );
  const add = button("Add a layer", () => {
    play.stop();
    const at = rows().length ? selected() + 1 : 0;
    const fresh = { kernel: 3, stride: 1, padding: 1, dilation: 1, name: "" };
    change(model, { layers: rows().toSpliced(at, 0, fresh), selected: at });
  });
  const remove = button("Remove it", () => {
    play.stop();
    const at = selected();
    const left = rows().toSpliced(at, 1);
    change(model, { layers: left, selected: Math.max(0, at - 1) });
  });

  const ink = svg("g");
  const ground = svg("rect", { class: "rf-ground" });
  const squares = svg("g");
  const image = svg("svg", { class: "rf-picture", role: "img" });
  image.append(ground, ink, squares);
  const labels = svg("svg", { class: "rf-labels", "aria-hidden": "true" });
  const plot = svg("svg", {
    class: "rf-plot",
    preserveAspectRatio: "none",
    role: "img",
  });
  const body = html("tbody");
  const heads = [
    ["Layer"],
    ["Kernel", "K"],
    ["Stride", "S"],
    ["Padding", "P"],
    ["Dilation", "D"],
    ["Field"],
    ["Jump"],
    ["Start"],
  ].map(([long, short]) =>
    html(
      "th",
      { scope: "col" },
      html("span", { class: short ? "rf-long" : "" }, long),
      short
        ? html("span", { class: "rf-short", "aria-hidden": "true" }, short)
        : null,
    ),
  );
  const table = html(
    "table",
    { class: "rf-table" },
    html("thead", {}, html("tr", {}, ...heads)),
    body,
  );
  const words = html("figcaption");
  const message = html("p", { class: "cnn-message", hidden: true });
  const figure = html(
    "figure",
    {},
    html(
      "div",
      { class: "rf-stage" },
      image,
      html("div", { class: "rf-tree" }, labels, plot),
    ),
    words,
    table,
  );
  const editor = html(
    "div",
    { class: "cnn-controls" },
    ...Object.values(sliders).map((control) => control.root),
    name,
    html("div", { class: "cnn-row" }, add, remove),
  );
  fill(
    el,
    html(
      "div",
      { class: "rf" },
      html("div", { class: "cnn-controls" }, network.root, inputSize.root),
      html("div", { class: "rf-walk" }, play.root, layer.root),
      editor,
      message,
      figure,
    ),
  );

  // One row of the table for each layer, made once and then filled.
  const lines = [];
  const lineOf = (i) => {
    if (lines[i]) return lines[i];
    const choose = button("", () => {
      play.stop();
      change(model, { selected: i });
    });
    const cells = heads.slice(1).map(() => html("td"));
    const root = html(
      "tr",
      {},
      html("th", { scope: "row" }, choose),
      ...cells,
    );
    lines[i] = { root, choose, cells };
    return lines[i];
  };

  let inked = null;
  const drawControls = (list, at) => {
    network.set(presetNow());
    inputSize.set(model.get("input_size"));
    layer.input.max = Math.max(1, list.length);
    const some = list.length > 0;
    layer.input.disabled = remove.disabled = play.root.disabled = !some;
    add.disabled = list.length >= FIELD_MOST_LAYERS;
    nameInput.disabled = !some;
    for (const control of Object.values(sliders)) {
      control.input.disabled = !some;
    }
    if (!some) {
      layer.set(1, "none");
      return;
    }
    const row = list[at];
    const shown = `${fieldName(row, at)}, ${at + 1} of ${list.length}`;
    layer.set(at + 1, shown);
    layer.input.setAttribute("aria-valuetext", shown);
    if (nameInput.value !== row.name) nameInput.value = row.name;
    for (const [key, control] of Object.entries(sliders)) control.set(row[key]);
  };

  const drawImage = (fields, at) => {
    const size = model.get("input_size");
    const widest = Math.max(size, ...fields.slice(0, at + 1).map((f) => f.size));
    const room = (Math.min(widest, Math.trunc(1.4 * size)) - size) / 2 + 1;
    const side = size + 2 * Math.max(1, room);
    const start = (size - side) / 2;
    image.setAttribute("viewBox", `${start} ${start} ${side} ${side}`);
    if (inked !== size) {
      ink.innerHTML = fieldInk(model.get("digit"), size);
      ground.setAttribute("width", size);
      ground.setAttribute("height", size);
      inked = size;
    }
    squares.innerHTML = fieldSquares(fields, at, size);
    image.setAttribute(
      "aria-label",
      `A handwritten 2 of ${size} × ${size} pixels with the field of one ` +
        "unit of each layer, one square in another",
    );
  };

  const drawTree = (list, fields, at) => {
    const chain = list.slice(0, at + 1);
    const drawn = fields.length > 0 && fields[at].size <= 2000;
    labels.toggleAttribute("hidden", !drawn);
    plot.toggleAttribute("hidden", !drawn);
    if (!drawn) return;
    const gap = Math.min(44, 300 / (chain.length + 1));
    const height = gap * (chain.length + 1);
    labels.setAttribute("height", height);
    plot.setAttribute("height", height);
    plot.setAttribute("viewBox", `-1 0 102 ${height}`);
    plot.innerHTML = fieldTree(chain, fields.slice(0, at + 1), gap);
    const names = ["input", ...chain.map(fieldName)];
    fill(
      labels,
      ...names.map((text, level) =>
        svg(
          "text",
          { x: 0, y: (chain.length - level + 0.5) * gap, dy: ".36em" },
          text,
        ),
      ),
    );
    plot.setAttribute(
      "aria-label",
      `Side view: one unit of ${names.at(-1)} on top, and the units below ` +
        "that it hears, down to the input",
    );
  };

  const drawTable = (list, fields, at) => {
    if (body.childElementCount !== list.length) {
      fill(body, ...list.map((_, i) => lineOf(i).root));
    }
    list.forEach((row, i) => {
      const { root, choose, cells } = lineOf(i);
      const { size, jump, start } = fields[i];
      fill(choose, fieldName(row, i));
      choose.setAttribute("aria-pressed", String(i === at));
      root.className = i === at ? "rf-row rf-here" : "rf-row";
      [
        row.kernel,
        row.stride,
        row.padding,
        row.dilation,
        grouped(size),
        grouped(jump),
        fieldNumber(start),
      ].forEach((value, c) => fill(cells[c], String(value)));
    });
  };

  const draw = () => {
    const list = rows();
    const at = selected();
    drawControls(list, at);
    let fields = null;
    try {
      fields = fieldsOf(list);
      fill(message, "");
    } catch (error) {
      fill(message, error.message);
      play.stop();
    }
    message.hidden = fields !== null;
    figure.hidden = fields === null;
    if (!fields) {
      announce(el, message.textContent);
      return;
    }
    fill(words, fieldWords(list, at, model.get("input_size")));
    drawImage(fields, at);
    drawTree(list, fields, at);
    drawTable(list, fields, at);
    announce(el, words.textContent);
  };

  const free = bind(model, ["layers", "input_size", "selected"], batched(draw));
  draw();
  return () => {
    play.stop();
    free();
  };
}

export default { render };
