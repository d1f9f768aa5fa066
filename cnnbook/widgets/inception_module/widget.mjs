// GoogLeNet's module: four branches over the same maps, and what they cost.
// The functions up to `incLabel` have their twins in __init__.py.

const INC_FIELDS = ["side", "maps_in", "n1", "r3", "n3", "r5", "n5", "p"];
const INC_NAMES = ["1 × 1", "3 × 3", "5 × 5", "pooling"];
const INC_BOX = 23;
const INC_ROWS = [56, 130];
const INC_BAR = 204;

const incSum = (numbers) => numbers.reduce((all, one) => all + one, 0);

const incConv = (window, mapsIn, maps) => ({
  window: `${window} × ${window}`,
  maps,
  weights: window ** 2 * mapsIn * maps,
});

function incBranches({ maps_in, n1, r3, n3, r5, n5, p, kind }) {
  const pool = { window: "max 3 × 3", maps: maps_in, weights: 0 };
  if (kind === "naive") {
    return [
      [incConv(1, maps_in, n1)],
      [incConv(3, maps_in, n3)],
      [incConv(5, maps_in, n5)],
      [pool],
    ];
  }
  return [
    [incConv(1, maps_in, n1)],
    [incConv(1, maps_in, r3), incConv(3, r3, n3)],
    [incConv(1, maps_in, r5), incConv(5, r5, n5)],
    [pool, incConv(1, maps_in, p)],
  ];
}

const incWay = (way) => incSum(way.map(({ weights }) => weights));

const incWeights = (settings) => incSum(incBranches(settings).map(incWay));

const incMapsOut = (settings) =>
  incSum(incBranches(settings).map((way) => way.at(-1).maps));

const incOther = (settings) => ({
  ...settings,
  kind: settings.kind === "naive" ? "reduced" : "naive",
});

// ---- In words ----

function incShare(part, whole) {
  const tenths = Math.floor((2000 * part + whole) / (2 * whole));
  return `${grouped(Math.floor(tenths / 10))}.${tenths % 10} %`;
}

const incVolume = ({ side }, maps) => `${side} × ${side} × ${maps}`;

function incModule(modules, settings) {
  const found = Object.entries(modules).find(([, given]) =>
    given.every((value, i) => value === settings[INC_FIELDS[i]]),
  );
  return found ? found[0] : "";
}

function incWords(settings) {
  const there = incOther(settings);
  const pixels = settings.side ** 2;
  const here = incWeights(settings);
  const ways = incBranches(settings).map(incWay);
  const most = ways.indexOf(Math.max(...ways));
  return (
    `${incVolume(settings, incMapsOut(settings))} out: ` +
    `${grouped(pixels * here)} multiplications, ` +
    `${incShare(here, incWeights(there))} of the ${there.kind} module's ` +
    `${grouped(pixels * incWeights(there))}. Most are in the ` +
    `${INC_NAMES[most]} branch, ${incShare(ways[most], here)}. The ` +
    `${there.kind} module would put out ${incMapsOut(there)} maps.`
  );
}

function incNote({ kind }) {
  const said =
    kind === "naive"
      ? " The pooling hands on all its maps: a module gives more maps than " +
        "it reads."
      : " The first 1 × 1 layer of a branch narrows the stack before the " +
        "large window reads it.";
  return (
    `The band in a box is as long as it has maps.${said} All branches keep ` +
    "the size; that is why their maps can stand side by side. Biases and " +
    "the comparisons of the pooling are not counted."
  );
}

function incRows(settings) {
  const pixels = settings.side ** 2;
  const there = incOther(settings);
  const row = (name, maps, weights) => [
    name,
    grouped(maps),
    grouped(weights),
    grouped(pixels * weights),
  ];
  const [here, maps] = [incWeights(settings), incMapsOut(settings)];
  const share = incShare(here, incWeights(there));
  return [
    ...incBranches(settings).map((way, i) =>
      row(INC_NAMES[i], way.at(-1).maps, incWay(way)),
    ),
    row(settings.kind, maps, here),
    row(there.kind, incMapsOut(there), incWeights(there)),
    ["share", incShare(maps, incMapsOut(there)), share, share],
  ];
}

// ---- Where things stand: across in per cent, down in pixels ----

const incTwo = (number) => Math.floor(100 * number + 0.5) / 100;

function incScheme(settings) {
  const ways = incBranches(settings);
  const total = incMapsOut(settings);
  const widest = Math.max(...ways.flat().map(({ maps }) => maps));
  const [boxes, lines, parts] = [[], [], []];
  let start = 0;
  ways.forEach((way, place) => {
    const middle = 12.5 + 25 * place;
    let above = 30;
    way.forEach((step, i) => {
      const y = INC_ROWS.at(i - way.length);
      const band = incTwo((INC_BOX * step.maps) / widest);
      const text = incVolume(settings, step.maps).replaceAll(" ", "");
      boxes.push([place, y, step.window, text, band]);
      lines.push([middle, above, middle, y]);
      above = y + 48;
    });
    const { maps } = way.at(-1);
    const x = incTwo((100 * start) / total);
    const width = incTwo((100 * maps) / total);
    start += maps;
    parts.push([place, x, width, maps]);
    lines.push([middle, above, incTwo(x + width / 2), INC_BAR]);
  });
  return { boxes, lines, parts };
}

function incLabel(settings) {
  const ways = incBranches(settings).map((way) =>
    way.map(({ window, maps }) => `${window} to ${maps} maps`).join(" then "),
  );
  return (
    `${incVolume(settings, settings.maps_in)} go into four branches: ` +
    `${ways.join("; ")}. Side by side they make ` +
    `${incVolume(settings, incMapsOut(settings))}`
  );
}

// ---- The view ----

function render({ model, el }) {
  const ranges = model.get("ranges");
  const modules = model.get("modules");
  const names = [...INC_FIELDS, "kind"];
  const read = () =>
    Object.fromEntries(names.map((name) => [name, model.get(name)]));
  const set = (values) => change(model, values);

  const take = (name) => {
    if (!modules[name]) return;
    set(Object.fromEntries(modules[name].map((v, i) => [INC_FIELDS[i], v])));
  };
  const table1 = choice({
    label: "Module of Table 1",
    options: [
      ...Object.keys(modules).map((name) => [name, name]),
      ["", "your own"],
    ],
    value: incModule(modules, read()),
    onInput: take,
  });
  const kind = choice({
    label: "Kind",
    options: Object.entries(model.get("kinds")),
    value: model.get("kind"),
    onInput: (value) => set({ kind: value }),
  });
  const pull = (name, label) => {
    const [min, max, step] = ranges[name];
    const onInput = (value) => set({ [name]: value });
    return slider({ label, min, max, step, value: model.get(name), onInput });
  };
  const pulls = {
    maps_in: pull("maps_in", "Maps in"),
    side: pull("side", "Size of the maps"),
    n1: pull("n1", "1 × 1"),
    r3: pull("r3", "1 × 1 before 3 × 3"),
    n3: pull("n3", "3 × 3"),
    r5: pull("r5", "1 × 1 before 5 × 5"),
    n5: pull("n5", "5 × 5"),
    p: pull("p", "1 × 1 after pooling"),
  };

  const verdict = html("strong");
  const rest = html("span");
  const words = html("p", { class: "inc-words" }, verdict, ": ", rest);
  const note = html("figcaption");
  const flow = svg("svg", { class: "inc-flow", height: 262, role: "img" });
  const body = html("tbody");
  const foot = html("tfoot");
  const heads = ["Branch", "Maps out", "Weights", "Multiplications"];
  const table = html(
    "table",
    { class: "inc-table" },
    html(
      "thead",
      {},
      html("tr", {}, ...heads.map((head) => html("th", { scope: "col" }, head))),
    ),
    body,
    foot,
  );
  fill(
    el,
    html(
      "div",
      { class: "cnn-controls" },
      ...[table1, kind, ...Object.values(pulls)].map(({ root }) => root),
    ),
    html("figure", { class: "inc" }, words, flow, table, note),
  );

  const drawControls = (settings) => {
    table1.set(incModule(modules, settings));
    kind.set(settings.kind);
    for (const [name, { input, shown, set: show }] of Object.entries(pulls)) {
      const value = settings[name];
      show(value, name === "side" ? `${value} × ${value}` : String(value));
      input.setAttribute("aria-valuetext", shown.textContent);
      input.disabled =
        settings.kind === "naive" && ["r3", "r5", "p"].includes(name);
    }
  };

  const setAll = (node, values) => {
    for (const [name, value] of Object.entries(values)) {
      node.setAttribute(name, value);
    }
  };

  // Nodes stay while a slider moves: a new set comes with the kind alone.
  const write = (x, y, name = null) =>
    svg("text", { class: name, x: `${x}%`, y, "text-anchor": "middle" });
  const into = write(50, 19, "inc-end");
  const out = write(50, INC_BAR + 52, "inc-end");
  let drawn = { boxes: [], lines: [], parts: [] };

  const makeFlow = ({ boxes, lines, parts }) => {
    const box = ([place, y]) => {
      const middle = 25 * place + 12.5;
      const band = svg("rect", { class: "inc-band", y: y + 42, height: 6 });
      const frame = svg("rect", { class: "inc-box", y, height: 48 });
      for (const node of [frame, band]) {
        setAll(node, { x: `${25 * place + 1}%`, width: `${INC_BOX}%` });
      }
      const texts = [write(middle, y + 17), write(middle, y + 34)];
      const name = { class: `inc-${place}` };
      return { band, texts, root: svg("g", name, frame, band, ...texts) };
    };
    const part = ([place]) => {
      const bar = svg("rect", { class: "inc-part", y: INC_BAR, height: 32 });
      const text = write(0, INC_BAR + 20);
      return { bar, text, root: svg("g", { class: `inc-${place}` }, bar) };
    };
    drawn = {
      lines: lines.map(() => svg("line")),
      boxes: boxes.map(box),
      parts: parts.map(part),
    };
    flow.replaceChildren(
      svg("rect", { class: "inc-in", width: "100%", height: 30 }),
      ...drawn.lines,
      ...[...drawn.boxes, ...drawn.parts].map(({ root }) => root),
      into,
      out,
    );
  };

  const drawFlow = (settings) => {
    const scheme = incScheme(settings);
    if (scheme.boxes.length !== drawn.boxes.length) makeFlow(scheme);
    scheme.lines.forEach(([x1, y1, x2, y2], i) => {
      setAll(drawn.lines[i], { x1: `${x1}%`, y1, x2: `${x2}%`, y2 });
    });
    scheme.boxes.forEach(([, , window, text, width], i) => {
      const { band, texts } = drawn.boxes[i];
      setAll(band, { width: `${width}%` });
      fill(texts[0], window);
      fill(texts[1], text);
    });
    scheme.parts.forEach(([, x, width, maps], i) => {
      const { bar, text, root } = drawn.parts[i];
      setAll(bar, { x: `${x}%`, width: `${width}%` });
      setAll(text, { x: `${incTwo(x + width / 2)}%` });
      fill(text, String(maps));
      if (width >= 8) root.append(text);
      else text.remove();
    });
    fill(into, `in: ${incVolume(settings, settings.maps_in)}`);
    fill(out, `out: ${incVolume(settings, incMapsOut(settings))}`);
    flow.setAttribute("aria-label", incLabel(settings));
  };

  const cells = INC_NAMES.concat("here", "there", "share").map((_, place) => {
    const row = [
      html("th", { scope: "row" }),
      ...heads.slice(1).map(() => html("td")),
    ];
    const name = place < 4 ? `inc-${place}` : null;
    (place < 4 ? body : foot).append(html("tr", { class: name }, ...row));
    return row;
  });
  const drawTable = (settings) => {
    incRows(settings).forEach((texts, i) => {
      texts.forEach((text, j) => fill(cells[i][j], text));
    });
  };

  const draw = () => {
    const settings = read();
    drawControls(settings);
    drawFlow(settings);
    drawTable(settings);
    const [first, ...others] = incWords(settings).split(": ");
    fill(verdict, first);
    fill(rest, others.join(": "));
    fill(note, incNote(settings));
    announce(el, words.textContent);
  };

  const free = bind(model, names, batched(draw));
  draw();
  return free;
}

export default { render };
