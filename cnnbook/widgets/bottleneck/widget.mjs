// A bottleneck beside the layer that it replaces: when does it pay?
// The functions up to `bkRows` have their twins in __init__.py.

const bkSum = (numbers) => numbers.reduce((all, one) => all + one, 0);

const bkLayer = (window, mapsIn, mapsOut) => ({
  name: `${window} × ${window}, ${mapsIn} → ${mapsOut}`,
  weights: window ** 2 * mapsIn * mapsOut,
  maps: mapsOut,
});

const bkDirect = ({ window, maps_in, maps_out }) =>
  bkLayer(window, maps_in, maps_out);

function bkBottleneck({ window, maps_in, maps_out, neck, kind }) {
  if (kind === "reduce") {
    return [bkLayer(1, maps_in, neck), bkLayer(window, neck, maps_out)];
  }
  return [
    bkLayer(1, maps_in, neck),
    bkLayer(window, neck, neck),
    bkLayer(1, neck, maps_out),
  ];
}

const bkWeights = (settings) =>
  bkSum(bkBottleneck(settings).map(({ weights }) => weights));

function bkBreakEven({ window, maps_in, maps_out, kind }) {
  const [area, ends] = [window ** 2, maps_in + maps_out];
  if (kind === "reduce") {
    return (area * maps_in * maps_out) / (maps_in + area * maps_out);
  }
  const root = Math.sqrt(ends ** 2 + 4 * area ** 2 * maps_in * maps_out);
  return (root - ends) / (2 * area);
}

function bkLargest(settings) {
  let neck = Math.floor(bkBreakEven(settings)) + 1;
  const most = bkDirect(settings).weights;
  while (bkWeights({ ...settings, neck }) >= most) neck -= 1;
  return neck;
}

// ---- In words ----

function bkShare(part, whole) {
  const tenths = Math.floor((2000 * part + whole) / (2 * whole));
  return `${grouped(Math.floor(tenths / 10))}.${tenths % 10} %`;
}

function bkTenths(number) {
  const whole = Math.floor(10 * number + 0.5);
  return `${Math.floor(whole / 10)}.${whole % 10}`;
}

function bkWords(settings) {
  const pixels = settings.side ** 2;
  const [here, there] = [bkWeights(settings), bkDirect(settings).weights];
  return (
    `${here < there ? "It pays" : "It does not pay"}: ` +
    `${grouped(pixels * here)} multiplications, ${bkShare(here, there)} of ` +
    `the direct layer's ${grouped(pixels * there)}. The break-even lies at ` +
    `${bkTenths(bkBreakEven(settings))} maps; up to ${bkLargest(settings)} ` +
    "pay."
  );
}

function bkNote({ neck, maps_in }) {
  return (
    "Stride 1, the size kept, biases not counted: so the weights and the " +
    "multiplications break even together. Behind the 1 × 1 layer " +
    `${neck} numbers stand at each pixel for ${maps_in}. The values of the ` +
    "layers between are kept too when the network learns."
  );
}

function bkMark(settings) {
  return `break-even: ${bkTenths(bkBreakEven(settings))} maps`;
}

function bkLabel(settings) {
  return (
    "The cost of the bottleneck rises with the width of its neck, from 0, " +
    "and meets that of the layer itself at " +
    `${bkTenths(bkBreakEven(settings))} maps; the dot is at ` +
    `${settings.neck} maps`
  );
}

// ---- Where things stand, in per cent of the picture's sides ----

const bkTwo = (number) => Math.floor(100 * number + 0.5) / 100;

function bkCurve(settings) {
  const even = bkBreakEven(settings);
  const there = bkDirect(settings).weights;
  const wide = Math.max(1.25 * even, settings.neck);
  const { window, maps_in, maps_out, kind } = settings;
  const [ends, area] = [maps_in + maps_out, window ** 2];
  const cost = (neck) =>
    kind === "reduce"
      ? (neck * (maps_in + area * maps_out)) / there
      : (neck * (ends + area * neck)) / there;
  const high = cost(wide);
  const points = Array.from({ length: 21 }, (_, i) => [
    bkTwo((100 * i) / 20),
    bkTwo(100 - (100 * cost((wide * i) / 20)) / high),
  ]);
  return {
    points,
    even: bkTwo((100 * even) / wide),
    over: bkTwo(100 - (100 * even) / wide),
    level: bkTwo(100 - 100 / high),
    here: [
      bkTwo((100 * settings.neck) / wide),
      bkTwo(100 - (100 * cost(settings.neck)) / high),
    ],
  };
}

// ---- The table ----

function bkRows(settings) {
  const pixels = settings.side ** 2;
  const alone = bkDirect(settings);
  const parts = bkBottleneck(settings);
  const row = ({ name, weights, maps }) => [
    name,
    grouped(pixels * weights),
    grouped(weights),
    grouped(pixels * maps),
  ];
  const weights = bkWeights(settings);
  const maps = bkSum(parts.map((part) => part.maps));
  const share = bkShare(weights, alone.weights);
  return [
    row({ ...alone, name: `itself: ${alone.name}` }),
    ...parts.map(row),
    row({ name: "bottleneck", weights, maps }),
    ["share", share, share, bkShare(maps, alone.maps)],
  ];
}

// ---- The view ----

function render({ model, el }) {
  const ranges = model.get("ranges");
  const names = [...Object.keys(ranges), "kind"];
  const read = () =>
    Object.fromEntries(names.map((name) => [name, model.get(name)]));
  const set = (values) => change(model, values);

  const pull = (name, label) => {
    const [min, max, step] = ranges[name];
    const onInput = (value) => set({ [name]: value });
    return slider({ label, min, max, step, value: model.get(name), onInput });
  };
  const controls = {
    maps_in: pull("maps_in", "Maps in"),
    neck: pull("neck", "Neck"),
    maps_out: pull("maps_out", "Maps out"),
    window: pull("window", "Window"),
    side: pull("side", "Size of the maps"),
    kind: choice({
      label: "Bottleneck",
      options: Object.entries(model.get("kinds")),
      value: model.get("kind"),
      onInput: (value) => set({ kind: value }),
    }),
  };
  const widest = button("Take the widest neck that pays", () => {
    set({ neck: Math.min(bkLargest(read()), ranges.neck[1]) });
  });

  const verdict = html("strong");
  const rest = html("span");
  const words = html("p", { class: "bk-words" }, verdict, ": ", rest);
  const note = html("figcaption");
  const over = svg("rect", { class: "bk-over", height: "100%" });
  const cost = svg("path", {
    class: "bk-cost",
    "vector-effect": "non-scaling-stroke",
  });
  const level = svg("line", { class: "bk-direct", x2: "100%" });
  const levelText = svg(
    "text",
    { class: "bk-level", dy: "-.4em" },
    "the layer itself",
  );
  const even = svg("line", { class: "bk-even", y2: "100%" });
  const here = svg("circle", { class: "bk-here", r: 5 });
  const mark = svg("text", { class: "bk-mark", y: 178 });
  const plot = svg(
    "svg",
    { class: "bk-plot", height: 204, role: "img" },
    svg(
      "svg",
      { width: "100%", height: 160, overflow: "visible" },
      over,
      svg(
        "svg",
        {
          width: "100%",
          height: "100%",
          viewBox: "0 0 100 100",
          preserveAspectRatio: "none",
          overflow: "visible",
        },
        cost,
      ),
      level,
      levelText,
      even,
      here,
    ),
    svg("line", { class: "bk-axis", x2: "100%", y1: 160, y2: 160 }),
    mark,
    svg(
      "text",
      { class: "bk-name", y: 198 },
      "up: cost; to the right: width of the neck",
    ),
  );
  const heads = ["Layer", "Multiplications", "Weights", "Values out"];
  const body = html("tbody");
  const foot = html("tfoot");
  const table = html(
    "table",
    { class: "bk-table" },
    html(
      "thead",
      {},
      html("tr", {}, ...heads.map((head) => html("th", { scope: "col" }, head))),
    ),
    body,
    foot,
  );
  const figure = html(
    "figure",
    { class: "bk" },
    words,
    plot,
    table,
    note,
  );
  fill(
    el,
    html(
      "div",
      { class: "cnn-controls" },
      ...Object.values(controls).map(({ root }) => root),
    ),
    html("div", { class: "cnn-row" }, widest),
    figure,
  );

  const setAll = (node, values) => {
    for (const [name, value] of Object.entries(values)) {
      node.setAttribute(name, value);
    }
  };

  const drawControls = (settings) => {
    for (const [name, control] of Object.entries(controls)) {
      control.set(settings[name]);
    }
    const { side, window } = settings;
    controls.side.set(side, `${side} × ${side}`);
    controls.window.set(window, `${window} × ${window}`);
    for (const { input, shown } of Object.values(controls)) {
      input?.setAttribute("aria-valuetext", shown.textContent);
    }
  };

  const drawPlot = (settings) => {
    const drawn = bkCurve(settings);
    const [x, y] = drawn.here;
    const at = `${drawn.even}%`;
    setAll(over, { x: at, width: `${drawn.over}%` });
    cost.setAttribute(
      "d",
      `M${drawn.points.map((point) => point.join(" ")).join("L")}`,
    );
    setAll(level, { y1: `${drawn.level}%`, y2: `${drawn.level}%` });
    levelText.setAttribute("y", `${drawn.level}%`);
    setAll(even, { x1: at, x2: at });
    setAll(here, { cx: `${x}%`, cy: `${y}%` });
    setAll(mark, { x: at, "text-anchor": drawn.even > 50 ? "end" : "start" });
    fill(mark, bkMark(settings));
    plot.setAttribute("aria-label", bkLabel(settings));
  };

  let lines = [];
  const drawTable = (settings) => {
    const rows = bkRows(settings);
    if (rows.length !== lines.length) {
      lines = rows.map(([, ...counts]) => [
        html("th", { scope: "row" }),
        ...counts.map(() => html("td")),
      ]);
      const made = lines.map((cells) => html("tr", {}, ...cells));
      body.replaceChildren(...made.slice(0, -2));
      foot.replaceChildren(...made.slice(-2));
    }
    rows.forEach((texts, i) => {
      texts.forEach((text, j) => fill(lines[i][j], text));
    });
  };

  const draw = () => {
    const settings = read();
    drawControls(settings);
    drawPlot(settings);
    drawTable(settings);
    figure.dataset.pays = String(
      bkWeights(settings) < bkDirect(settings).weights,
    );
    const [first, ...others] = bkWords(settings).split(": ");
    fill(verdict, first);
    fill(rest, others.join(": "));
    fill(note, bkNote(settings));
    announce(el, words.textContent);
  };

  const free = bind(model, names, batched(draw));
  draw();
  return free;
}

export default { render };
