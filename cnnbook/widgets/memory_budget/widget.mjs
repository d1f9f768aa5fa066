// What VGG needs of a machine's memory: where it goes, whether it fits.
// The functions up to `mbNote` have their twins in __init__.py.

const MB_HIDDEN = 4096;
const MB_CLASSES = 1000;
const MB_STATE = { sgd: 0, momentum: 1, adam: 2 };
const MB_FIXED = ["weights", "half copies", "gradients", "optimiser"];
const MB_EACH = [
  "images",
  ...[1, 2, 3, 4, 5].map((b) => `block ${b}`),
  "head",
  "places of maxima",
  "gradients of maps",
];

const mbSum = (numbers) => numbers.reduce((all, one) => all + one, 0);

const mbWidth = (entry) => Number(entry.replace("1x", ""));

// Bytes by what they are for: whatever the batch, and for each image.
function mbBudget(column, settings) {
  const { size, head, use, precision, optimiser, checkpoints } = settings;
  const weights = mbParameters(column, size, head);
  const half = precision === "half";
  const value = half ? 2 : 4;
  let fixed = [weights * value, 0, 0, 0];
  let each = null;
  if (use === "inference") {
    each = mbInInference(column, size, value);
  } else {
    const state = 4 * MB_STATE[optimiser];
    fixed = [4, half ? 2 : 0, 4, state].map((bytes) => bytes * weights);
    each =
      checkpoints === "block"
        ? mbBackInBlock1(column, size, value)
        : mbKept(column, size, value, head);
    // Mixed, the images as they came stay beside their copy.
    if (half) each.images += 3 * size ** 2 * 4;
  }
  return {
    parameters: weights,
    fixed: Object.fromEntries(MB_FIXED.map((name, i) => [name, fixed[i]])),
    each: Object.fromEntries(MB_EACH.map((name) => [name, each[name] ?? 0])),
  };
}

function mbParameters(column, size, head) {
  let [total, maps] = [0, 3];
  for (const entry of column.split(/[ ,]+/)) {
    const width = mbWidth(entry);
    total += (maps * (entry.includes("x") ? 1 : 9) + 1) * width;
    maps = width;
  }
  if (head === "mean") return total + (maps + 1) * MB_CLASSES;
  total += (maps * (size / 32) ** 2 + 1) * MB_HIDDEN;
  return total + (MB_HIDDEN + 1) * (MB_HIDDEN + MB_CLASSES);
}

// What each block's convolutions give in all, and what its pooling.
function mbValues(column, size) {
  return column.split(/ +/).map((block, b) => {
    const widths = block.split(",").map(mbWidth);
    const side = size / 2 ** b;
    return [mbSum(widths) * side ** 2, widths.at(-1) * (side / 2) ** 2];
  });
}

function mbKept(column, size, value, head) {
  const blocks = mbValues(column, size);
  const each = { images: 3 * size ** 2 * value };
  blocks.forEach(([maps, pooled], b) => {
    // What pool5 gives only dense layers ask for again; a mean does not.
    const asked = b + 1 < blocks.length || head === "dense";
    each[`block ${b + 1}`] = (maps + (asked ? pooled : 0)) * value;
  });
  // A dense layer's values, the mask, and their product, twice.
  each.head = (head === "dense" ? 6 * MB_HIDDEN : 512) * value;
  each["places of maxima"] = 8 * mbSum(blocks.map(([, pooled]) => pooled));
  return each;
}

function mbBackInBlock1(column, size, value) {
  const [[maps, pooled]] = mbValues(column, size);
  const one = 4 * pooled; // what one convolution of the block gives
  const [gradients, places] = mbMost([
    [2 * one * value, 0], // the last ReLU: its gradient in and out
    [(pooled + one) * value, 8 * pooled], // the pooling: the same
  ]);
  return {
    images: 3 * size ** 2 * value,
    "block 1": maps * value,
    "places of maxima": places,
    "gradients of maps": gradients,
  };
}

function mbInInference(column, size, value) {
  const [[maps, pooled]] = mbValues(column, size);
  const [block, places] = mbMost([
    [maps * value, 0], // the last convolution: input and output
    [5 * pooled * value, 8 * pooled], // the pooling
  ]);
  return {
    images: 3 * size ** 2 * value,
    "block 1": block,
    "places of maxima": places,
  };
}

const mbMost = (moments) =>
  moments.reduce((a, b) => (mbSum(b) > mbSum(a) ? b : a));

const mbAll = (part) => mbSum(Object.values(part));

const mbTotal = ({ fixed, each }, batch) => mbAll(fixed) + batch * mbAll(each);

function mbLargest({ fixed, each }, limit) {
  return Math.max(0, Math.floor((limit - mbAll(fixed)) / mbAll(each)));
}

function mbParts({ fixed, each }, batch) {
  const images = Object.entries(each).map(([name, n]) => [name, batch * n]);
  return { ...fixed, ...Object.fromEntries(images) };
}

// ---- In words ----

const mbRounded = (count, unit) => Math.floor((2 * count + unit) / (2 * unit));

function mbDecimal(count, places) {
  const digits = String(count).padStart(places + 1, "0");
  return `${grouped(digits.slice(0, -places))}.${digits.slice(-places)}`;
}

function mbGigabytes(count) {
  const [gb, gib] = [1e9, 2 ** 30].map((unit) => mbRounded(100 * count, unit));
  return `${mbDecimal(gb, 2)} GB = ${mbDecimal(gib, 2)} GiB`;
}

function mbShort(count) {
  for (const [unit, name] of [
    [1e9, "GB"],
    [1e6, "MB"],
    [1e3, "kB"],
  ]) {
    if (count < unit) continue;
    return `${mbDecimal(mbRounded(10 * count, unit), 1)} ${name}`;
  }
  return `${count} B`;
}

function mbShare(part, whole) {
  const tenths = mbRounded(1000 * part, whole);
  return part && !tenths ? "< 0.1 %" : `${mbDecimal(tenths, 1)} %`;
}

function mbWords(column, settings) {
  const { size, batch, head, limit } = settings;
  const found = mbBudget(column, settings);
  const total = mbTotal(found, batch);
  const largest = mbLargest(found, limit * 1e9);
  const fits = total <= limit * 1e9 ? "It fits" : "It does not fit";
  let said = `${mbGigabytes(total)}. ${fits} into ${limit} GB; `;
  said += largest
    ? `the largest batch that would is ${grouped(largest)}.`
    : `one image alone needs ${mbShort(mbTotal(found, 1))}.`;
  const [most, part] = Object.entries(mbParts(found, batch)).reduce((a, b) =>
    b[1] > a[1] ? b : a,
  );
  said += ` The largest part: ${most}, ${mbShare(part, total)}.`;
  const parameters = grouped(found.parameters);
  if (head === "mean") {
    return (
      `${said} The network has ${parameters} parameters, whatever the ` +
      "input size."
    );
  }
  const side = size / 32;
  const fc6 = grouped((512 * side ** 2 + 1) * MB_HIDDEN);
  return (
    `${said} fc6 looks at ${side} × ${side} places: ${fc6} of the ` +
    `${parameters} parameters.`
  );
}

function mbNote({ use, precision, checkpoints }) {
  const half = precision === "half";
  let said =
    "Counted when the backward pass begins: all that the layers have kept " +
    "for it. Gradients of maps come as kept maps go.";
  if (use === "inference") {
    said =
      "Counted: the weights, the images, and the layer of block 1 that " +
      `holds most while it works, ${half ? 2 : 4} bytes a value.`;
  } else if (checkpoints === "block") {
    said =
      "Counted when the backward pass is back in block 1: its maps are " +
      "computed anew, their gradients are on their way, and the other " +
      "blocks are done.";
  }
  if (use === "training") {
    said += half
      ? " Mixed precision: 2 bytes a value for maps and for a copy of the " +
        "weights, 4 for weights, gradients and optimiser."
      : " 4 bytes a value.";
  }
  return (
    `${said} The place of a maximum takes 8. Not counted: the loss, the ` +
    "libraries' workspaces, the driver. A T4's 16 GB are those of its data " +
    "sheet; lower the limit to leave room."
  );
}

// ---- The view ----

function mbKind(place) {
  let family = place < 4 ? "mb-fixed" : "mb-each";
  if (place > 10) family = "mb-other";
  return place % 2 ? `${family} mb-even` : family;
}

// Where a name fits into a part of the bar.
function mbFits(name, width) {
  const room = 6.5 * name.length;
  return 3.2 * width > room ? "all" : 5.4 * width > room ? "wide" : "none";
}

function render({ model, el }) {
  const columns = model.get("columns");
  const choices = model.get("choices");
  const ranges = model.get("ranges");
  const names = [...Object.keys(choices), ...Object.keys(ranges)];
  const read = () =>
    Object.fromEntries(names.map((name) => [name, model.get(name)]));
  const set = (values) => change(model, values);

  const choose = (name, label) =>
    choice({
      label,
      options: Object.entries(choices[name]),
      value: model.get(name),
      onInput: (value) => set({ [name]: value }),
    });
  const pull = (name, label) => {
    const [min, max, step] = ranges[name];
    const onInput = (value) => set({ [name]: value });
    return slider({ label, min, max, step, value: model.get(name), onInput });
  };
  const powers = Math.log2(ranges.batch[1]);
  const controls = {
    network: choose("network", "Network"),
    size: pull("size", "Input size"),
    batch: slider({
      label: "Batch",
      min: 0,
      max: powers,
      value: 0,
      onInput: (power) => set({ batch: 2 ** power }),
    }),
    use: choose("use", "For"),
    precision: choose("precision", "Precision"),
    optimiser: choose("optimiser", "Optimiser"),
    checkpoints: choose("checkpoints", "Checkpoints"),
    head: choose("head", "Head"),
    limit: pull("limit", "Limit"),
  };
  const fit = button("Take the largest batch that fits", () => {
    const settings = read();
    const found = mbBudget(columns[settings.network], settings);
    const largest = mbLargest(found, settings.limit * 1e9);
    set({ batch: Math.min(largest, ranges.batch[1]) });
  });

  const verdict = html("strong");
  const rest = html("span");
  const words = html("p", { class: "mb-words" }, verdict, "; ", rest);
  const note = html("figcaption");
  const room = svg("rect", { class: "mb-room", height: 40 });
  const over = svg("rect", { class: "mb-over", height: 40 });
  const bars = svg("g");
  const line = svg("line", { class: "mb-limit", y1: -4, y2: 46 });
  const mark = svg("text", { class: "mb-limit", y: 58 });
  const bar = svg("svg", { class: "mb-bar", height: 62, role: "img" });
  bar.append(room, bars, over, line, mark);
  const parts = [...MB_FIXED, ...MB_EACH].map((name, place) => {
    const cells = [0, 1, 2].map(() => html("td"));
    const kind = mbKind(place);
    const rect = svg("rect", { class: `mb-part ${kind}`, height: 40 });
    const text = svg(
      "text",
      { y: 20, dy: ".36em", "text-anchor": "middle" },
      name,
    );
    bars.append(rect, text);
    const head = html("th", { scope: "row" }, name);
    const row = html("tr", { class: kind }, head, ...cells);
    return { name, cells, rect, text, row };
  });
  const sums = [0, 1, 2].map(() => html("td"));
  const heads = ["Part", "An image", "In all", "Share"].map((head) =>
    html("th", { scope: "col" }, head),
  );
  const table = html(
    "table",
    { class: "mb-table" },
    html("thead", {}, html("tr", {}, ...heads)),
    html("tbody", {}, ...parts.map(({ row }) => row)),
    html(
      "tfoot",
      {},
      html("tr", {}, html("th", { scope: "row" }, "together"), ...sums),
    ),
  );
  const figure = html("figure", { class: "mb" }, words, bar, table, note);
  fill(
    el,
    html(
      "div",
      { class: "cnn-controls" },
      ...Object.values(controls).map(({ root }) => root),
    ),
    html("div", { class: "cnn-row" }, fit),
    figure,
  );

  const setAll = (node, values) => {
    for (const [name, value] of Object.entries(values)) {
      node.setAttribute(name, value);
    }
  };

  const drawControls = (settings) => {
    for (const [name, control] of Object.entries(controls)) {
      if (name === "batch") continue;
      control.set(settings[name]);
    }
    const { size, batch, limit, use } = settings;
    controls.size.set(size, `${size} × ${size}`);
    controls.limit.set(limit, `${limit} GB`);
    controls.batch.set(Math.round(Math.log2(batch)), grouped(batch));
    for (const name of ["size", "limit", "batch"]) {
      const { input, shown } = controls[name];
      input.setAttribute("aria-valuetext", shown.textContent);
    }
    for (const name of ["optimiser", "checkpoints"]) {
      controls[name].select.disabled = use === "inference";
    }
  };

  const percent = (value) => `${value.toFixed(3)}%`;

  const drawBar = (found, { batch, limit }) => {
    const total = mbTotal(found, batch);
    const end = Math.max(total, limit * 1e9);
    const sizes = mbParts(found, batch);
    let start = 0;
    for (const { name, rect, text } of parts) {
      const width = (100 * sizes[name]) / end;
      setAll(rect, { x: percent(start), width: percent(width) });
      rect.toggleAttribute("hidden", !width);
      setAll(text, {
        x: percent(start + width / 2),
        class: `mb-${mbFits(name, width)}`,
      });
      start += width;
    }
    const at = (100 * limit * 1e9) / end;
    setAll(room, { width: percent(at) });
    setAll(over, { x: percent(at), width: percent(100 - at) });
    setAll(line, { x1: percent(at), x2: percent(at) });
    setAll(mark, { x: percent(at), "text-anchor": at > 50 ? "end" : "start" });
    fill(mark, `${limit} GB`);
    bar.setAttribute(
      "aria-label",
      "The parts of the memory as one bar beside the limit of " +
        `${limit} GB; the numbers are in the table`,
    );
  };

  const drawTable = (found, { batch }) => {
    const total = mbTotal(found, batch);
    const sizes = mbParts(found, batch);
    for (const { name, cells, row } of parts) {
      const one = found.each[name];
      const none = sizes[name] === 0;
      row.classList.toggle("mb-zero", none);
      fill(cells[0], one === undefined ? "–" : mbShort(one));
      fill(cells[1], mbShort(sizes[name]));
      fill(cells[2], mbShare(sizes[name], total));
    }
    fill(sums[0], mbShort(mbAll(found.each)));
    fill(sums[1], mbShort(total));
    fill(sums[2], mbShare(total, total));
  };

  const draw = () => {
    const settings = read();
    const column = columns[settings.network];
    const found = mbBudget(column, settings);
    const limit = settings.limit * 1e9;
    drawControls(settings);
    drawBar(found, settings);
    drawTable(found, settings);
    figure.dataset.fits = String(mbTotal(found, settings.batch) <= limit);
    fit.disabled = mbLargest(found, limit) === 0;
    const [first, ...others] = mbWords(column, settings).split("; ");
    fill(verdict, first);
    fill(rest, others.join("; "));
    fill(note, mbNote(settings));
    announce(el, words.textContent);
  };

  const free = bind(model, names, batched(draw));
  draw();
  return free;
}

export default { render };
