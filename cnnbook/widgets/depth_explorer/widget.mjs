// Deeper, plain or residual: errors, gradients and paths of recorded nets.
// The Python twins of the functions before the view stand in __init__.py.

const dpKinds = ["plain", "residual"];
const dpShown = 1000;

function dpDepths(data) {
  const found = new Set(
    Object.keys(data.nets).map((name) => Number(name.split("-")[1])),
  );
  return [...found].sort((a, b) => a - b);
}

function dpPercent(wrong) {
  const total = wrong.reduce((sum, seed) => sum + seed.at(-1), 0);
  const count = wrong.length;
  const tenths = Math.floor((2 * total + count) / (2 * count));
  return `${Math.floor(tenths / 10)}.${tenths % 10} %`;
}

function dpTimes(decades) {
  const ratio = 10 ** (decades / 100);
  if (ratio >= 9.95) return grouped(Math.floor(ratio + 0.5));
  const tenths = Math.floor(10 * ratio + 0.5);
  return `${Math.floor(tenths / 10)}.${tenths % 10}`;
}

// How many paths go through 0, 1, 2, … of the blocks.
function dpPaths(blocks) {
  const counts = [1];
  for (let k = 1; k <= blocks; k += 1) {
    counts.push((counts[k - 1] * (blocks - k + 1)) / k);
  }
  return counts;
}

function dpMiddle(blocks) {
  const counts = dpPaths(blocks);
  let [low, high] = [Math.floor(blocks / 2), Math.floor((blocks + 1) / 2)];
  const held = () =>
    counts.slice(low, high + 1).reduce((sum, count) => sum + count, 0);
  while (10 * held() < 9 * 2 ** blocks) [low, high] = [low - 1, high + 1];
  return [low, high];
}

function dpSentence(data, kind, depth, moment) {
  const net = data.nets[`${kind}-${depth}`];
  const steep = net.steep[data.moments.indexOf(moment)];
  const [start, end] = [steep[0], steep.at(-1)];
  const when = moment
    ? `After ${moment} epoch${moment === 1 ? "" : "s"}`
    : "Before the first step";
  const [first, last] = start >= end ? ["first", "last"] : ["last", "first"];
  const blocks = (depth - 2) / 2;
  const [low, high] = dpMiddle(blocks);
  const ways =
    kind === "residual"
      ? `${grouped(2 ** blocks)} paths lead through its ${blocks} blocks, ` +
        `nine in ten of them through ${low} to ${high}.`
      : `One path leads through its ${blocks} pairs of layers, and all ` +
        `${blocks} are on it.`;
  return (
    `${kind}-${depth}: at the end ${dpPercent(net.train)} of the training ` +
    `digits are read wrong, ${dpPercent(net.test)} of the test digits. ` +
    `${when} the loss is ${dpTimes(Math.abs(start - end))} times as steep ` +
    `in the ${first} layer as in the ${last}. ${ways}`
  );
}

function dpPicture(data, kind, depth, moment) {
  const place = data.moments.indexOf(moment);
  const here = data.nets[`${kind}-${depth}`];
  const other = data.nets[`${dpOther(kind)}-${depth}`];
  const [low, high] = data.decades;
  const decades = (layers) =>
    dpLine(
      layers.map((value) => 100 * high - value),
      100 * (high - low),
    );
  const blocks = (depth - 2) / 2;
  const counts =
    kind === "plain" ? [...Array(blocks).fill(0), 1] : dpPaths(blocks);
  const most = Math.max(...counts);
  return {
    seeds: here.train.map((seed) => dpMean([seed])).join(""),
    train: dpMean(here.train),
    test: dpMean(here.test),
    others: dpMean(other.train),
    steep: decades(here.steep[place]),
    calm: decades(other.steep[place]),
    bars: counts
      .map(
        (count, k) =>
          `M${dpShare(k, blocks + 1)} 100V${dpShare(most - count, most)}` +
          `H${dpShare(k + 1, blocks + 1)}V100`,
      )
      .join(""),
  };
}

function dpOther(kind) {
  return dpKinds[kind === "plain" ? 1 : 0];
}

function dpMean(wrong) {
  const whole = dpShown * wrong.length;
  return dpLine(
    wrong[0].map(
      (_, epoch) => whole - wrong.reduce((sum, seed) => sum + seed[epoch], 0),
    ),
    whole,
  );
}

function dpLine(drops, whole) {
  const last = Math.max(1, drops.length - 1);
  const points = drops.map(
    (drop, i) => `${dpShare(i, last)} ${dpShare(drop, whole)}`,
  );
  return `M${points.join("L")}`;
}

function dpShare(part, whole) {
  return Math.floor((20_000 * part + whole) / (2 * whole)) / 100;
}

// ---- The view ----

function dpPower(exponent) {
  const signs = { "-": "⁻" };
  [..."⁰¹²³⁴⁵⁶⁷⁸⁹"].forEach((sign, digit) => {
    signs[digit] = sign;
  });
  return `10${[...String(exponent)].map((sign) => signs[sign]).join("")}`;
}

// A chart: its note, its paths by name, and the four ends of its axes.
function dpChart(title, names, rules = 0) {
  const note = html("span");
  const paths = Object.fromEntries(
    names.map((name) => [
      name,
      svg("path", {
        class: `dp-${name}`,
        "vector-effect": "non-scaling-stroke",
      }),
    ]),
  );
  const lines = Array.from({ length: rules && rules + 1 }, (_, i) => {
    const y = `${dpShare(i, rules)}%`;
    return svg("line", { class: "dp-rule", x2: "100%", y1: y, y2: y });
  });
  const inside = svg(
    "svg",
    {
      width: "100%",
      height: "100%",
      viewBox: "0 0 100 100",
      preserveAspectRatio: "none",
      overflow: "visible",
    },
    ...Object.values(paths),
  );
  const axis = svg("line", {
    class: "dp-axis",
    x2: "100%",
    y1: "100%",
    y2: "100%",
  });
  const ends = [
    { y: 11 },
    { x: "100%", y: 126, "text-anchor": "end" },
    { y: 146 },
    { x: "100%", y: 146, "text-anchor": "end" },
  ].map((place) => svg("text", place));
  const area = svg(
    "svg",
    { y: 16, width: "100%", height: 114, overflow: "visible" },
    ...lines,
    inside,
    axis,
  );
  const drawing = svg(
    "svg",
    { width: 220, height: 152, overflow: "visible", "aria-hidden": "true" },
    area,
    ...ends,
  );
  const head = html("p", {}, html("strong", {}, title), " ", note);
  const root = html("div", { class: "dp-chart" }, head, drawing);
  const set = (said, drawn, marks) => {
    fill(note, said);
    for (const [name, line] of Object.entries(drawn)) {
      paths[name].setAttribute("d", line);
    }
    marks.forEach((mark, i) => fill(ends[i], mark));
  };
  return { root, set };
}

function dpTable(data) {
  const cells = {};
  const rows = dpDepths(data).map((depth) => {
    const columns = dpKinds.flatMap((kind) => {
      const net = data.nets[`${kind}-${depth}`];
      cells[`${kind}-${depth}`] = [net.train, net.test].map((wrong) =>
        html("td", {}, dpPercent(wrong)),
      );
      return cells[`${kind}-${depth}`];
    });
    const head = html("th", { scope: "row" }, `${depth} layers`);
    return html("tr", {}, head, ...columns);
  });
  const heads = dpKinds.flatMap((kind) =>
    ["training", "test"].map((part) => `${kind}, ${part}`),
  );
  const root = html(
    "table",
    { class: "dp-table" },
    html(
      "thead",
      {},
      html(
        "tr",
        {},
        ...["wrong", ...heads].map((head) =>
          html("th", { scope: "col" }, head),
        ),
      ),
    ),
    html("tbody", {}, ...rows),
  );
  const set = (chosen) => {
    for (const [name, both] of Object.entries(cells)) {
      for (const cell of both) {
        cell.classList.toggle("dp-on", name === chosen);
      }
    }
  };
  return { root, set };
}

function render({ model, el }) {
  const data = model.get("data");
  const { moments } = data;
  const all = dpDepths(data);
  const names = ["kind", "depth", "moment"];
  const read = () => names.map((name) => model.get(name));

  const kinds = choice({
    label: "Kind",
    options: dpKinds.map((kind) => [kind, kind]),
    value: model.get("kind"),
    onInput: (kind) => change(model, { kind }),
  });
  const pull = (label, values, name) =>
    slider({
      label,
      min: 0,
      max: values.length - 1,
      value: 0,
      onInput: (place) => change(model, { [name]: values[place] }),
    });
  const deep = pull("Depth", all, "depth");
  const late = pull("Gradients after", moments, "moment");

  const [low, high] = data.decades;
  const errors = dpChart("Wrong digits", ["seeds", "other", "here", "test"]);
  const steep = dpChart("‖W‖ · ‖gradient‖", ["other", "here"], high - low);
  const paths = dpChart("Paths", ["bars"]);
  const errorTable = dpTable(data);
  const words = html("figcaption");
  fill(
    el,
    html(
      "div",
      { class: "cnn-controls" },
      kinds.root,
      deep.root,
      late.root,
    ),
    html(
      "figure",
      { class: "dp" },
      html("div", { class: "dp-charts" }, errors.root, steep.root, paths.root),
      errorTable.root,
      words,
    ),
  );

  const draw = () => {
    const [kind, depth, moment] = read();
    const drawn = dpPicture(data, kind, depth, moment);
    const grey = `grey: ${dpOther(kind)}`;
    kinds.set(kind);
    deep.set(all.indexOf(depth), `${depth} layers`);
    late.set(
      moments.indexOf(moment),
      `${moment} epoch${moment === 1 ? "" : "s"}`,
    );
    for (const { input, shown } of [deep, late]) {
      input.setAttribute("aria-valuetext", shown.textContent);
    }
    errors.set(
      `dots: test; ${grey}`,
      {
        other: drawn.others,
        seeds: drawn.seeds,
        here: drawn.train,
        test: drawn.test,
      },
      ["100 %", "", "epoch 1", String(drawn.train.split("L").length)],
    );
    steep.set(grey, { other: drawn.calm, here: drawn.steep }, [
      dpPower(high),
      dpPower(low),
      "layer 1",
      String(depth - 1),
    ]);
    paths.set("by the blocks on them", { bars: drawn.bars }, [
      "",
      "",
      "0",
      String((depth - 2) / 2),
    ]);
    errorTable.set(`${kind}-${depth}`);
    fill(words, dpSentence(data, kind, depth, moment));
  };
  draw();
  return bind(
    model,
    names,
    batched(() => {
      draw();
      announce(el, words.textContent);
    }),
  );
}

export default { render };
