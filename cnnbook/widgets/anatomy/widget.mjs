// A traced network: where its parameters, activations and MACs lie.
// The Python twin of everything above `render` stands in __init__.py.

const anMeasures = {
  parameters: "Parameters",
  activations: "Activations",
  macs: "MACs",
};
const anNames = {
  parameters: "parameters",
  activations: "activations",
  macs: "MACs",
};

function anBars(data, depth, opened = []) {
  const result = [];
  let heaviest = null;
  data.rows.forEach((row, index) => {
    const [name, kind, shape, parameters, activations, macs] = row;
    const group = anGroup(name, depth, opened);
    const last = result.at(-1);
    if (depth && last && last.group === group) {
      last.name = group;
      last.count += 1;
      last.kind = `${last.count} layers`;
      last.shape = data.shapes[shape];
      last.parameters += parameters;
      last.activations += activations;
      last.macs += macs;
    } else {
      heaviest = null;
      result.push({
        name,
        kind: data.kinds[kind],
        shape: data.shapes[shape],
        first: index,
        count: 1,
        parameters,
        activations,
        macs,
        group,
      });
    }
    const heavier =
      heaviest === null ||
      macs > heaviest[5] ||
      (macs === heaviest[5] && parameters > heaviest[3]);
    if (heavier) {
      heaviest = row;
      result.at(-1).family = anFamily(data.kinds[kind]);
    }
  });
  for (const item of result) delete item.group;
  return result;
}

// The first parts of a name; one more for each group that is open.
function anGroup(name, depth, opened) {
  const parts = name.split(".");
  let length = depth;
  while (
    length < parts.length &&
    opened.includes(parts.slice(0, length).join("."))
  ) {
    length += 1;
  }
  return parts.slice(0, length).join(".");
}

function anFamily(kind) {
  if (kind.includes("Conv")) return "conv";
  return kind.includes("Linear") ? "dense" : "other";
}

function anOrder(items, sort, descending) {
  const places = [...items.keys()];
  if (sort === "order") return descending ? places.reverse() : places;
  const sign = descending ? -1 : 1;
  return places.sort((a, b) => sign * (items[a][sort] - items[b][sort]));
}

function anTotals(data) {
  const sum = (column) => data.rows.reduce((all, row) => all + row[column], 0);
  return { parameters: sum(3), activations: sum(4), macs: sum(5) };
}

function anShare(value, total) {
  if (!value || !total) return "0 %";
  const tenths = Math.floor((2000 * value + total) / (2 * total));
  return tenths ? `${Math.floor(tenths / 10)}.${tenths % 10} %` : "< 0.1 %";
}

function anTicks(top, scale) {
  const result = [];
  if (scale === "log") {
    const decades = String(Math.max(top, 1)).length;
    const step = Math.ceil(decades / 5);
    for (let p = 0; p < decades; p += step) result.push(10 ** p);
    return result;
  }
  let step = 1;
  while (step * 4 < top) {
    step = String(step)[0] === "2" ? (step * 5) / 2 : step * 2;
  }
  for (let tick = 0; tick <= top; tick += step) result.push(tick);
  return result;
}

function anHeight(value, top, scale) {
  if (value <= 0 || top <= 0) return 0;
  if (scale !== "log") return (100 * value) / top;
  return top > 1 ? (100 * Math.log10(value)) / Math.log10(top) : 100;
}

function anShort(number) {
  const units = [
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ];
  for (const [size, unit] of units) {
    if (number >= size && (number * 10) % size === 0) {
      return `${(number * 10) / size / 10} ${unit}`;
    }
  }
  return grouped(number);
}

function anSentence(data, depth, measure, selected, opened = []) {
  const sums = anTotals(data);
  const items = anBars(data, depth, opened);
  if (selected < 0) {
    const tallest = items.reduce((a, b) => (b[measure] > a[measure] ? b : a));
    return (
      `${data.name}, input ${data.input}: ` +
      `${grouped(sums.parameters)} parameters, ` +
      `${grouped(sums.activations)} activations and ` +
      `${grouped(sums.macs)} MACs for one example. ` +
      `Most ${anNames[measure]}: ${tallest.name}, ` +
      `${anShare(tallest[measure], sums[measure])}.`
    );
  }
  const item = items[anPlaceOf(items, selected)];
  const parts = Object.entries(anNames).map(
    ([m, name]) =>
      `${grouped(item[m])} ${name} (${anShare(item[m], sums[m])})`,
  );
  return `${item.name} (${item.kind}) gives ${item.shape}: ${parts.join(", ")}.`;
}

function anPlaceOf(items, row) {
  return items.findIndex(
    ({ first, count }) => first <= row && row < first + count,
  );
}

// The depths at which some names fall together, each with its number of bars
// and the first name that stands for several layers.
function anDepths(data) {
  const parts = Math.max(...data.rows.map(([name]) => name.split(".").length));
  const result = [[0, `every layer (${data.rows.length})`]];
  for (let depth = parts - 1; depth > 0; depth -= 1) {
    const items = anBars(data, depth);
    const first = items.find(({ count }) => count > 1);
    const known = result.some(([, text]) => text.endsWith(`(${items.length})`));
    if (!first || items.length < 3 || known) continue;
    result.push([depth, `parts such as ${first.name} (${items.length})`]);
  }
  return result;
}

// Where the names fit below the bars.
function anLabels(items) {
  const longest = Math.max(...items.map(({ name }) => name.length));
  const room = 8 * items.length * longest;
  return room <= 230 ? "all" : room <= 600 ? "wide" : "";
}

// ---- The view ----

const anEnd = { "text-anchor": "end", "font-size": 12 };

function anRadios(legend, options, onInput) {
  anRadios.count = (anRadios.count ?? 0) + 1;
  const name = `an-radios-${anRadios.count}-${Date.now()}`;
  const inputs = Object.entries(options).map(([value, text]) => {
    const input = html("input", { type: "radio", name, value });
    input.addEventListener("change", () => onInput(value));
    return [input, html("label", {}, input, html("span", {}, text))];
  });
  const root = html(
    "fieldset",
    { class: "an-radios" },
    html("legend", { class: "cnn-name" }, legend),
    html("div", {}, ...inputs.map(([, label]) => label)),
  );
  const set = (value) => {
    for (const [input] of inputs) input.checked = input.value === value;
  };
  return { root, set };
}

function anRow(item, open) {
  const number = (m) => html(
      "td",
      { "data-measure": m, class: item[m] ? null : "an-zero" },
      grouped(item[m]),
    );
  const share = html("td", { class: "an-share" });
  const group = { type: "button", class: "an-group", "aria-expanded": "false" };
  const name = html(
    "th",
    { scope: "row" },
    item.count > 1
      ? html("button", { ...group, onclick: open }, item.name)
      : item.name,
    " ",
    html("small", {}, item.kind),
  );
  const row = html(
    "tr",
    { "data-first": item.first },
    name,
    html("td", { class: "an-shape" }, item.shape),
    ...Object.keys(anMeasures).map(number),
    share,
  );
  return { row, share };
}

function render({ model, el }) {
  if (!el.closest(".cnn-widget")) el.classList.add("cnn-widget");
  const get = (name) => model.get(name);
  const set = (values) => change(model, values);
  const data = get("data");
  const sums = anTotals(data);
  let items = [];
  let sorted = [];
  let shown = -2;
  let hovered = -1;

  // Controls
  const measure = anRadios("Measure", anMeasures, (m) => set({ measure: m }));
  const scale = anRadios("Scale", { linear: "linear", log: "log" }, (s) =>
    set({ scale: s }),
  );
  const depths = anDepths(data);
  const depth = choice({
    label: "Show",
    options: depths,
    value: get("depth"),
    onInput: (value) => set({ depth: Number(value), opened: [] }),
  });
  depth.root.hidden = depths.length < 2;
  const walk = slider({
    label: "Layer",
    min: 0,
    max: 0,
    value: 0,
    onInput: (place) => set({ selected: items[sorted[place]].first }),
  });

  // Chart
  const grid = svg("g");
  const mark = svg("rect", { class: "an-mark", height: "100%", y: 0 });
  const columns = svg("g");
  const names = svg("g");
  const chart = svg(
    "svg",
    { class: "an-chart", width: 600, height: 200, "aria-hidden": "true" },
    mark,
    grid,
    columns,
    names,
  );
  const legend = html(
    "p",
    { class: "an-legend" },
    html("span", { class: "an-conv" }, "convolution"),
    html("span", { class: "an-dense" }, "fully connected"),
    html("span", { class: "an-other" }, "other"),
  );

  // Table
  const heads = Object.entries({
    order: "Layer",
    shape: "Output",
    ...anMeasures,
    share: "Share",
  }).map(([key, text]) => {
    const sorts = key === "order" || key in anMeasures;
    const press = html("button", { type: "button" }, text);
    press.addEventListener("click", () => sortBy(key));
    const head = html("th", { scope: "col" }, sorts ? press : text);
    if (sorts) head.dataset.sort = key;
    if (key in anMeasures) head.dataset.measure = key;
    if (key === "shape") head.className = "an-shape";
    return head;
  });
  const body = html("tbody");
  const totalShare = html("td", {});
  const table = html(
    "table",
    { class: "an-table" },
    html("thead", {}, html("tr", {}, ...heads)),
    body,
    html(
      "tfoot",
      {},
      html(
        "tr",
        {},
        html("th", { scope: "row" }, "Total"),
        html("td", { class: "an-shape" }),
        ...Object.keys(anMeasures).map((m) =>
          html("td", { "data-measure": m }, grouped(sums[m])),
        ),
        totalShare,
      ),
    ),
  );
  const box = html(
    "div",
    {
      class: "an-box",
      role: "region",
      tabindex: 0,
      "aria-label": `Layers of ${data.name}`,
    },
    table,
  );
  const words = html("p", { class: "an-words" });
  const closers = html("p", { class: "an-closers", hidden: true });
  const note = html("p", { class: "an-note" });
  note.hidden = !data.left_out;
  if (data.left_out) {
    fill(
      note,
      "Without a row, as they add no parameters, activations or MACs: " +
        `${data.left_out}.`,
    );
  }
  el.replaceChildren(
    html(
      "figure",
      { class: "an an-live" },
      html(
        "div",
        { class: "an-controls" },
        measure.root,
        scale.root,
        depth.root,
      ),
      legend,
      chart,
      walk.root,
      words,
      closers,
      box,
      note,
    ),
  );

  // A group opens in its place; what closes it stands above the table. The
  // focus goes from one to the other, as the button that was pressed is gone.
  const open = (event, name) => {
    event.stopPropagation();
    set({ opened: [...get("opened"), name] });
    closers.lastElementChild?.focus();
  };
  const close = (name) => {
    const inside = (other) => `${other}.`.startsWith(`${name}.`);
    set({ opened: get("opened").filter((other) => !inside(other)) });
    const place = items.findIndex((item) => item.name === name);
    parts[place]?.row.querySelector(".an-group")?.focus();
  };
  const closer = (name) =>
    button(`${name} ✕`, () => close(name), { "aria-label": `Close ${name}` });

  // Press once for the largest first, again for the smallest first; the
  // layers' own order starts at the input.
  const sortBy = (key) => {
    const again = get("sort") === key;
    set({ sort: key, descending: again ? !get("descending") : key !== "order" });
  };

  let parts = [];
  const build = () => {
    items = anBars(data, get("depth"), get("opened"));
    closers.hidden = !get("opened").length;
    closers.replaceChildren("Opened: ", ...get("opened").map(closer));
    parts = items.map((item) => ({
      ...anRow(item, (event) => open(event, item.name)),
      bar: svg("rect", { class: `an-bar an-${item.family}` }),
    }));
    body.replaceChildren();
    columns.replaceChildren(...parts.map(({ bar }) => bar));
    walk.input.max = items.length - 1;
    walk.root.hidden = items.length < 2;
    depth.set(get("depth"));
    arrange();
  };
  const arrange = () => {
    sorted = anOrder(items, get("sort"), get("descending"));
    const ordered = sorted.map((place) => parts[place].row);
    if (ordered.some((row, x) => row !== body.rows[x])) body.append(...ordered);
    for (const head of heads) {
      const on = head.dataset.sort === get("sort");
      const way = get("descending") ? "descending" : "ascending";
      if (on) head.setAttribute("aria-sort", way);
      else head.removeAttribute("aria-sort");
    }
    draw();
  };
  const draw = () => {
    const m = get("measure");
    const top = Math.max(...items.map((item) => item[m]));
    const slot = 100 / items.length;
    sorted.forEach((place, x) => {
      const tall = anHeight(items[place][m], top, get("scale"));
      const { bar, share } = parts[place];
      bar.setAttribute("x", `${(x * slot + 0.1 * slot).toFixed(3)}%`);
      bar.setAttribute("y", `${(100 - tall).toFixed(3)}%`);
      bar.setAttribute("width", `${(0.8 * slot).toFixed(3)}%`);
      bar.setAttribute("height", `${tall.toFixed(3)}%`);
      const part = (100 * items[place][m]) / (sums[m] || 1);
      share.style.setProperty("--an-part", `${part.toFixed(2)}%`);
      fill(share, anShare(items[place][m], sums[m]));
    });
    mark.setAttribute("width", `${slot.toFixed(3)}%`);
    const fits = anLabels(items);
    chart.classList.toggle("an-named", fits !== "");
    names.replaceChildren(
      ...(fits ? sorted : []).map((place, x) =>
        svg(
          "text",
          {
            class: `an-label-${fits}`,
            x: `${((x + 0.5) * slot).toFixed(3)}%`,
            y: "100%",
            dy: 18,
            "text-anchor": "middle",
          },
          items[place].name,
        ),
      ),
    );
    grid.replaceChildren(
      ...anTicks(top, get("scale")).flatMap((tick) => {
        const y = `${(100 - anHeight(tick, top, get("scale"))).toFixed(3)}%`;
        return [
          svg("line", { x1: 0, x2: "100%", y1: y, y2: y }),
          svg("text", { x: -8, y, dy: ".36em", ...anEnd }, anShort(tick)),
        ];
      }),
    );
    fill(totalShare, anShare(sums[m], sums[m]));
    table.dataset.chosen = m;
    for (const head of heads) {
      head.classList.toggle("an-chosen", head.dataset.measure === m);
    }
    measure.set(m);
    scale.set(get("scale"));
    shown = -2;
    light();
  };
  const saying = (row) =>
    anSentence(data, get("depth"), get("measure"), row, get("opened"));
  const light = () => {
    const row = hovered >= 0 ? hovered : get("selected");
    const place = row < 0 ? -1 : anPlaceOf(items, row);
    if (place === shown) return;
    for (const { row, bar } of parts) {
      if (!row.classList.contains("an-on")) continue;
      row.classList.remove("an-on");
      bar.classList.remove("an-on");
    }
    if (place >= 0) {
      parts[place].row.classList.add("an-on");
      parts[place].bar.classList.add("an-on");
      const x = (sorted.indexOf(place) * 100) / items.length;
      mark.setAttribute("x", `${x.toFixed(3)}%`);
      if (hovered < 0) show(parts[place].row);
    }
    chart.classList.toggle("an-some", place >= 0);
    fill(words, saying(row));
    shown = place;
  };
  // Bring a row into the box's view without moving the page.
  const show = (row) => {
    const head = table.tHead.offsetHeight;
    const foot = table.tFoot.offsetHeight;
    const above = row.offsetTop - head;
    const below = row.offsetTop + row.offsetHeight + foot - box.clientHeight;
    if (box.scrollTop > above) box.scrollTop = above;
    else if (box.scrollTop < below) box.scrollTop = below;
  };
  const select = () => {
    const row = get("selected");
    const place = row < 0 ? -1 : anPlaceOf(items, row);
    walk.set(
      Math.max(0, sorted.indexOf(place)),
      place < 0 ? "none" : items[place].name,
    );
    walk.input.setAttribute(
      "aria-valuetext",
      place < 0 ? "none" : items[place].name,
    );
    hovered = -1;
    light();
    announce(el, words.textContent);
  };

  // The mouse: over a bar's column, over a row.
  const columnAt = (event) => {
    const area = chart.getBoundingClientRect();
    const x = Math.floor(
      ((event.clientX - area.left) / area.width) * items.length,
    );
    const place = sorted[Math.max(0, Math.min(items.length - 1, x))];
    return items[place].first;
  };
  const rowAt = (event) => {
    const row = event.target.closest("tr[data-first]");
    return row ? Number(row.dataset.first) : -1;
  };
  const follow = (part, at) => {
    part.addEventListener("pointermove", (event) => {
      if (event.pointerType === "touch") return;
      hovered = at(event);
      light();
    });
    part.addEventListener("pointerleave", () => {
      hovered = -1;
      light();
    });
    part.addEventListener("click", (event) => {
      const row = at(event);
      if (row < 0) return;
      hovered = -1;
      set({ selected: row === get("selected") ? -1 : row });
    });
  };
  follow(chart, columnAt);
  follow(body, rowAt);
  el.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && get("selected") >= 0) set({ selected: -1 });
  });

  build();
  select();
  const unbind = [
    bind(model, ["depth", "opened"], () => {
      build();
      select();
    }),
    bind(model, ["sort", "descending"], () => {
      arrange();
      select();
    }),
    bind(model, ["measure", "scale"], draw),
    bind(model, ["selected"], select),
  ];
  return () => {
    for (const stop of unbind) stop();
  };
}

export default { render };
