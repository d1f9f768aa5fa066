// A small layer, forward and back: which product goes where.
// The functions up to `bpDescribed` have their twins in __init__.py.

const BP_PIXELS = [
  [1, 3, 2, 0],
  [0, 2, 1, 4],
  [5, 1, 0, 2],
  [2, 0, 3, 1],
];

const BP_STAGES = {
  convolution: ["forward", "scatter", "gather", "weights"],
  "max pooling": ["forward", "scatter"],
};

const BP_NAMES = {
  forward: "Forward",
  scatter: "Back to x, handed out",
  gather: "Back to x, collected",
  weights: "Back to w",
};

const bpRange = (count) => [...Array(count).keys()];

// Every pair of row and column, row by row.
const bpPairs = (side) =>
  bpRange(side * side).map((n) => [Math.floor(n / side), n % side]);

const bpMinus = (number) => String(number).replace("-", "−");

const bpSigned = (number) => (number < 0 ? `(${bpMinus(number)})` : `${number}`);

const bpList = (numbers) => numbers.map(bpMinus).join(", ");

const bpTotal = (terms) =>
  terms.reduce((sum, [left, right]) => sum + left * right, 0);

const bpWeights = (kernel) =>
  bpRange(kernel).map((a) => bpRange(kernel).map((b) => kernel * a + b + 1));

const bpUpstream = (output) =>
  bpRange(output).map((i) =>
    bpRange(output).map((j) => [1, -1, 2, -2, 3][(3 * i + j) % 5]),
  );

function bpCase({ layer, kernel, stride, padding }) {
  const size = BP_PIXELS.length;
  return {
    layer,
    pixels: BP_PIXELS,
    kernel: bpWeights(kernel),
    upstream: bpUpstream(outputSize(size, kernel, stride, padding)),
    stride,
    padding,
  };
}

// The pixel at a place, null in the padding.
const bpPixel = ({ pixels }, [row, column]) => pixels[row]?.[column] ?? null;

const bpPlaces = ({ kernel, stride, padding }, [i, j]) =>
  bpPairs(kernel.length).map(([a, b]) => [
    stride * i - padding + a,
    stride * j - padding + b,
  ]);

// Where the largest pixel under a window stands; the first one.
function bpSwitch(one, at) {
  const inside = bpPlaces(one, at).filter((p) => bpPixel(one, p) !== null);
  return inside.reduce((best, place) =>
    bpPixel(one, place) > bpPixel(one, best) ? place : best,
  );
}

// The upstream gradient on the grid of stride 1; null between, where the
// index would be a fraction.
const bpFull = ({ upstream, stride }, [row, column]) =>
  upstream[row / stride]?.[column / stride] ?? null;

function bpSteps({ pixels, kernel, upstream }, stage) {
  const side = { gather: pixels.length, weights: kernel.length }[stage];
  return (side ?? upstream.length) ** 2;
}

function bpScene(one, stage, step) {
  const pooling = one.layer === "max pooling";
  const draw = {
    forward: pooling ? bpPoolForward : bpForward,
    scatter: pooling ? bpPoolScatter : bpScatter,
    gather: bpGather,
    weights: bpToWeights,
  };
  return draw[stage](one, step);
}

function bpForward(one, step) {
  const at = bpPairs(one.upstream.length)[step];
  const taps = one.kernel.flat();
  const under = bpPlaces(one, at);
  const terms = (places) =>
    places
      .map((place, n) => [taps[n], bpPixel(one, place)])
      .filter(([, pixel]) => pixel !== null);
  const answer = (out) => bpTotal(terms(bpPlaces(one, out)));
  return {
    grids: [
      bpInput(one, "0", under),
      bpUsed("Kernel w", one.kernel, under.map((p) => bpPixel(one, p))),
      bpSoFar("Output y", one.upstream.length, step, answer),
    ],
    sum: bpSum(terms(under)),
    words:
      `${bpWindow(under)} meets the kernel: y[${at.join(", ")}] is ` +
      `${bpMinus(answer(at))}.`,
  };
}

function bpScatter(one, step) {
  const { kernel, upstream, pixels, padding } = one;
  const outputs = bpPairs(upstream.length);
  const taps = kernel.flat();
  const sums = new Map();
  for (const [i, j] of outputs.slice(0, step + 1)) {
    bpPlaces(one, [i, j]).forEach((place, n) => {
      const key = String(place);
      sums.set(key, (sums.get(key) ?? 0) + taps[n] * upstream[i][j]);
    });
  }
  const [i, j] = outputs[step];
  const g = upstream[i][j];
  const under = bpPlaces(one, [i, j]);
  const lit = new Set(under.map(String));
  const dropped = under.filter((p) => bpPixel(one, p) === null).length;
  const lost = dropped
    ? ` ${dropped} of its ${taps.length} products fall on the padding, ` +
      "outside the picture."
    : "";
  return {
    grids: [
      bpGrid("Upstream g", upstream, (a, b) => (a === i && b === j ? "h" : "")),
      bpUsed("Kernel w", kernel, under.map((p) => bpPixel(one, p))),
      bpAround(
        "Gradient for x",
        pixels.length,
        padding,
        (place) => bpMinus(sums.get(String(place)) ?? 0),
        (place) => (lit.has(String(place)) ? "t" : ""),
      ),
    ],
    sum:
      `${bpMinus(g)} · (${bpList(taps)}) = ` +
      `(${bpList(taps.map((w) => g * w))})`,
    words:
      `g[${i}, ${j}] = ${bpMinus(g)} goes back to every pixel that ` +
      `y[${i}, ${j}] read, times the weight it was read with, and is added ` +
      `there.${lost}`,
  };
}

function bpGather(one, step) {
  const { kernel, pixels, padding, stride } = one;
  const rim = kernel.length - 1 - padding;
  const turned = kernel.map((row) => [...row].reverse()).reverse();
  const under = ([m, n]) =>
    bpPairs(kernel.length).map(([a, b]) => [m + a - rim, n + b - rim]);
  const terms = (pixel) =>
    under(pixel)
      .map((place, n) => [turned.flat()[n], bpFull(one, place)])
      .filter(([, g]) => g !== null);
  const [m, n] = bpPairs(pixels.length)[step];
  const here = terms([m, n]);
  const lit = new Set(under([m, n]).map(String));
  const readers =
    { 0: "no output", 1: "1 output" }[here.length] ?? `${here.length} outputs`;
  const zeros =
    { 0: "no zeros", 1: "1 zero" }[stride - 1] ?? `${stride - 1} zeros`;
  return {
    grids: [
      bpAround(
        bpDilated(one),
        pixels.length + 2 * padding - kernel.length + 1,
        rim,
        (place) => bpMinus(bpFull(one, place) ?? 0),
        (place) =>
          (lit.has(String(place)) ? "h" : "") +
          (bpFull(one, place) === null ? "o" : ""),
      ),
      bpUsed(
        "Kernel w, turned",
        turned,
        under([m, n]).map((p) => bpFull(one, p)),
      ),
      bpSoFar("Gradient for x", pixels.length, step, (pixel) =>
        bpTotal(terms(pixel)),
      ),
    ],
    sum: bpSum(here),
    words:
      "The kernel, turned by 180°, lies on the upstream gradient " +
      `(${zeros} between neighbours, padding ${rim}). x[${m}, ${n}] was ` +
      `read by ${readers} and receives ${bpMinus(bpTotal(here))}.`,
  };
}

function bpToWeights(one, step) {
  const { kernel, pixels, upstream, padding, stride } = one;
  const outputs = bpPairs(upstream.length);
  // What a weight met on its way to each output.
  const met = ([a, b]) =>
    outputs.map(([i, j]) => [
      stride * i + a - padding,
      stride * j + b - padding,
    ]);
  const terms = (tap) =>
    met(tap)
      .map((place, n) => [bpPixel(one, place), upstream.flat()[n]])
      .filter(([pixel]) => pixel !== null);
  const [a, b] = bpPairs(kernel.length)[step];
  const many = outputs.length;
  const places = many === 1 ? "1 place" : `${many} places`;
  const apart = many > 1 ? `, ${stride} apart` : "";
  return {
    grids: [
      bpInput(one, "0", met([a, b])),
      bpAround(
        bpDilated(one),
        pixels.length + 2 * padding - kernel.length + 1,
        0,
        (place) => bpMinus(bpFull(one, place) ?? 0),
        (place) => (bpFull(one, place) === null ? "o" : "h"),
      ),
      bpSoFar("Gradient for w", kernel.length, step, (tap) =>
        bpTotal(terms(tap)),
      ),
    ],
    sum: bpSum(terms([a, b])),
    words:
      `w[${a}, ${b}] met ${places}${apart}. Each product with ` +
      "the gradient of the output it went to, added up, nothing turned: it " +
      `receives ${bpMinus(bpTotal(terms([a, b])))}.`,
  };
}

function bpPoolForward(one, step) {
  const outputs = bpPairs(one.upstream.length);
  const at = outputs[step];
  const under = bpPlaces(one, at);
  const seen = under.map((p) => bpPixel(one, p)).filter((x) => x !== null);
  const most = bpMinus(Math.max(...seen));
  const soFar = outputs.slice(0, step + 1).map((out) => bpSwitch(one, out));
  const [row, column] = bpSwitch(one, at);
  return {
    grids: [
      bpInput(one, "−∞", under, soFar),
      bpSwitches(one, step, step, "t"),
      bpSoFar("Output y", one.upstream.length, step, (out) =>
        bpPixel(one, bpSwitch(one, out)),
      ),
    ],
    sum: `max(${bpList(seen)}) = ${most}`,
    words:
      `${bpWindow(under)} lets its largest pixel through: ` +
      `y[${at.join(", ")}] is ${most}. The switch remembers where it stood, ` +
      `row ${row}, column ${column}.`,
  };
}

function bpPoolScatter(one, step) {
  const { upstream, pixels } = one;
  const outputs = bpPairs(upstream.length);
  const sums = new Map();
  for (const [i, j] of outputs.slice(0, step + 1)) {
    const key = String(bpSwitch(one, [i, j]));
    sums.set(key, (sums.get(key) ?? 0) + upstream[i][j]);
  }
  const [i, j] = outputs[step];
  const place = bpSwitch(one, [i, j]);
  const g = upstream[i][j];
  const after = sums.get(String(place));
  const rings = new Set(outputs.map((at) => String(bpSwitch(one, at))));
  return {
    grids: [
      bpGrid("Upstream g", upstream, (a, b) => (a === i && b === j ? "h" : "")),
      bpSwitches(one, outputs.length - 1, step, "h"),
      bpAround(
        "Gradient for x",
        pixels.length,
        0,
        (here) => bpMinus(sums.get(String(here)) ?? 0),
        (here) =>
          (String(here) === String(place) ? "t" : "") +
          (rings.has(String(here)) ? "s" : ""),
      ),
    ],
    sum: `${bpSigned(after - g)} + ${bpSigned(g)} = ${bpMinus(after)}`,
    words:
      `g[${i}, ${j}] = ${bpMinus(g)} goes to the pixel at the switch, row ` +
      `${place[0]}, column ${place[1]}, and is added there. The others in ` +
      "the window had no influence and receive nothing.",
  };
}

// ---- Parts of a scene ----

const bpGrid = (title, values, mark) => ({
  title,
  cells: values.map((row, a) =>
    row.map((value, b) => [bpMinus(value), mark(a, b)]),
  ),
});

// The kernel; lit is each weight that meets something.
const bpUsed = (title, kernel, met) =>
  bpGrid(title, kernel, (a, b) =>
    met[kernel.length * a + b] === null ? "" : "h",
  );

// A square with a rim around it; places count from the square's corner.
function bpAround(title, side, rim, text, mark) {
  const axis = bpRange(side + 2 * rim).map((n) => n - rim);
  const outside = (at) => at < 0 || at >= side;
  return {
    title,
    cells: axis.map((row) =>
      axis.map((column) => [
        text([row, column]),
        mark([row, column]) + (outside(row) || outside(column) ? "r" : ""),
      ]),
    ),
  };
}

const bpDilated = ({ stride }) =>
  stride > 1 ? "Upstream g, dilated" : "Upstream g";

function bpInput(one, empty, lit, switches = []) {
  const lights = new Set(lit.map(String));
  const rings = new Set(switches.map(String));
  return bpAround(
    "Input x",
    one.pixels.length,
    one.padding,
    (place) => {
      const pixel = bpPixel(one, place);
      return pixel === null ? empty : bpMinus(pixel);
    },
    (place) =>
      (lights.has(String(place)) ? "h" : "") +
      (rings.has(String(place)) ? "s" : ""),
  );
}

function bpSwitches(one, last, lit, mark) {
  const side = one.upstream.length;
  const cell = (at, n) =>
    n > last
      ? ["", ""]
      : [bpSwitch(one, at).join(", "), n === lit ? mark : ""];
  return {
    title: "Switches",
    cells: bpRange(side).map((i) =>
      bpRange(side).map((j) => cell([i, j], side * i + j)),
    ),
  };
}

// What is known by now; the last one receives.
function bpSoFar(title, side, step, value) {
  const cell = (row, column) => {
    const n = side * row + column;
    if (n > step) return ["", ""];
    return [bpMinus(value([row, column])), n === step ? "t" : ""];
  };
  return {
    title,
    cells: bpRange(side).map((row) =>
      bpRange(side).map((column) => cell(row, column)),
    ),
  };
}

const bpWindow = ([[row, column]]) =>
  `The window that starts at row ${bpMinus(row)}, column ${bpMinus(column)}`;

function bpSum(terms) {
  if (!terms.length) return "0";
  const products = terms.map(([l, r]) => `${bpSigned(l)}·${bpSigned(r)}`);
  return `${products.join(" + ")} = ${bpMinus(bpTotal(terms))}`;
}

// The numbers of a grid, row by row.
function bpDescribed({ title, cells }) {
  const rows = cells
    .map((row) => row.map(([text]) => text).filter(Boolean).join(", "))
    .filter(Boolean);
  return `${title}: ${rows.join("; ")}.`;
}

// ---- The picture ----

// A cell is 10 wide. One path for each kind of mark: fewer nodes to lay out.
function bpPicture({ cells }) {
  const paths = { plain: "", r: "", h: "", t: "", s: "" };
  let texts = "";
  cells.forEach((row, y) => {
    row.forEach(([text, kinds], x) => {
      const square = `M${10 * x} ${10 * y}h10v10h-10z`;
      if (!kinds.includes("r")) paths.plain += square;
      for (const kind of kinds) {
        if (kind === "s") {
          paths.s += `M${10 * x + 1} ${10 * y + 5}a4 4 0 0 1 8 0a4 4 0 0 1-8 0`;
        } else if (kind !== "o") paths[kind] += square;
      }
      if (!text) return;
      const names = [];
      if (/[ro]/.test(kinds)) names.push("bp-faint");
      if (text.length > 2 || kinds.includes("o")) names.push("bp-small");
      texts +=
        `<text class="${names.join(" ")}" x="${10 * x + 5}" ` +
        `y="${10 * y + 6.6}">${text}</text>`;
    });
  });
  const drawn = Object.entries(paths).map(([kind, d]) =>
    d ? `<path class="bp-${kind}" d="${d}"/>` : "",
  );
  return drawn.join("") + texts;
}

function render({ model, el }) {
  const names = ["layer", "kernel", "stride", "padding", "stage", "step"];
  const settings = () =>
    Object.fromEntries(names.map((name) => [name, model.get(name)]));
  // A stage that the layer lacks shows as the one before it.
  const stageOf = ({ layer, stage }) =>
    BP_STAGES[layer].includes(stage) ? stage : "scatter";
  const stepOf = (one, stage) =>
    Math.min(model.get("step"), bpSteps(one, stage) - 1);
  const set = (values) => change(model, { ...values, step: 0 });

  const layer = choice({
    label: "Layer",
    options: Object.keys(BP_STAGES).map((name) => [name, name]),
    value: model.get("layer"),
    onInput: (value) => set({ layer: value }),
  });
  const sliders = Object.fromEntries(
    [
      ["kernel", "Kernel F", 2, 3],
      ["stride", "Stride S", 1, 3],
      ["padding", "Padding P", 0, 1],
    ].map(([name, label, min, max]) => [
      name,
      slider({
        label,
        min,
        max,
        value: model.get(name),
        onInput: (value) => set({ [name]: value }),
      }),
    ]),
  );
  const tabs = new Map(
    Object.entries(BP_NAMES).map(([stage, name]) => [
      stage,
      button(name, () => {
        play.stop();
        set({ stage });
      }),
    ]),
  );
  const place = slider({
    label: "Step",
    min: 0,
    max: 0,
    value: 0,
    onInput: (value) => {
      play.stop();
      change(model, { step: value });
    },
  });
  // One further; after a stage's last step comes the next stage.
  const play = player({
    pause: 900,
    step: () => {
      const now = settings();
      const one = bpCase(now);
      const stages = BP_STAGES[now.layer];
      const at = stages.indexOf(stageOf(now));
      const last = bpSteps(one, stages[at]) - 1;
      if (stepOf(one, stages[at]) < last) {
        change(model, { step: stepOf(one, stages[at]) + 1 });
        return true;
      }
      set({ stage: stages[(at + 1) % stages.length] });
      return at + 1 < stages.length;
    },
  });

  const parts = bpRange(3).map(() => {
    const title = html("p", { class: "bp-title" });
    const picture = svg("svg", { role: "img" });
    return { title, picture, root: html("div", {}, title, picture) };
  });
  const stage = html("div", { class: "bp-stage" });
  stage.append(...parts.map(({ root }) => root));
  const sum = html("p", { class: "bp-sum" });
  const words = html("p", { class: "bp-words" });
  fill(
    el,
    html(
      "div",
      { class: "cnn-controls bp-controls" },
      layer.root,
      ...Object.values(sliders).map(({ root }) => root),
    ),
    html(
      "div",
      { class: "cnn-row", role: "group", "aria-label": "Direction" },
      ...tabs.values(),
    ),
    stage,
    sum,
    words,
    html("div", { class: "bp-walk" }, play.root, place.root),
  );

  const draw = () => {
    const now = settings();
    const one = bpCase(now);
    const shown = stageOf(now);
    const count = bpSteps(one, shown);
    const step = stepOf(one, shown);
    layer.set(now.layer);
    for (const [name, control] of Object.entries(sliders)) {
      control.set(now[name]);
    }
    for (const [name, tab] of tabs) {
      tab.hidden = !BP_STAGES[now.layer].includes(name);
      tab.setAttribute("aria-pressed", String(name === shown));
    }
    place.input.max = count - 1;
    place.set(step, `${step + 1} of ${count}`);
    place.input.setAttribute("aria-valuetext", `${step + 1} of ${count}`);
    const scene = bpScene(one, shown, step);
    parts.forEach(({ title, picture }, n) => {
      const grid = scene.grids[n];
      const side = grid.cells.length;
      fill(title, grid.title);
      picture.setAttribute("viewBox", `-1 -1 ${10 * side + 2} ${10 * side + 2}`);
      picture.style.setProperty("--bp-cells", side);
      picture.setAttribute("aria-label", bpDescribed(grid));
      picture.innerHTML = bpPicture(grid);
    });
    fill(sum, scene.sum);
    fill(words, scene.words);
    announce(el, `${BP_NAMES[shown]}, step ${step + 1}. ${scene.words}`);
  };

  const free = bind(model, names, batched(draw));
  draw();
  return () => {
    play.stop();
    free();
  };
}

export default { render };
