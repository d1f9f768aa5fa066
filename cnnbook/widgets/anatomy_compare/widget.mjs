// Two networks side by side, layer by layer: what agrees, what differs.
// The functions up to `acBars` have their twins in __init__.py.

const acMeasures = {
  parameters: "Parameters",
  activations: "Activations",
  macs: "MACs",
};
const acNames = {
  parameters: "parameters",
  activations: "activations",
  macs: "MACs",
};
const acShows = {
  layers: "every layer",
  differences: "only differences",
  blocks: "blocks",
};
const acSigns = { same: "=", differs: "≠", left: "−", right: "+" };

function acItems(data, left, right, show) {
  const sides = [left, right].map(
    (name) => new Map(data.networks[name].map((row) => [row[0], row])),
  );
  const layers = [];
  data.places.forEach(([name, block], place) => {
    const pair = sides.map((side) => acSide(data, side.get(place)));
    if (!pair[0] && !pair[1]) return;
    layers.push({
      name,
      block,
      first: place,
      fares: acFares(...pair),
      left: pair[0],
      right: pair[1],
    });
  });
  if (show === "differences") {
    return layers.filter(({ fares }) => fares !== "same");
  }
  if (show !== "blocks") return layers;
  return data.blocks.flatMap((label, block) => {
    const inside = layers.filter((item) => item.block === block);
    return inside.length ? [acJoined(block, label, inside)] : [];
  });
}

function acSide(data, row) {
  if (!row) return null;
  const [, what, shape, parameters, activations, macs] = row;
  return {
    what: data.kinds[what],
    shape: data.shapes[shape],
    parameters,
    activations,
    macs,
  };
}

function acFares(left, right) {
  if (!left) return "right";
  if (!right) return "left";
  const keys = Object.keys(left);
  return keys.every((key) => left[key] === right[key]) ? "same" : "differs";
}

// A block as one row: its layers counted, their figures added up.
function acJoined(block, label, inside) {
  const [left, right] = ["left", "right"].map((side) => {
    const there = inside.map((item) => item[side]).filter(Boolean);
    if (!there.length) return null;
    const joined = {
      what: `${there.length} layer${there.length === 1 ? "" : "s"}`,
      shape: there.at(-1).shape,
    };
    for (const measure of Object.keys(acMeasures)) {
      joined[measure] = there.reduce((all, one) => all + one[measure], 0);
    }
    return joined;
  });
  const alike = inside.every(({ fares }) => fares === "same");
  const fares = acFares(left, right);
  return {
    name: label,
    block,
    first: inside[0].first,
    fares: fares === "same" && !alike ? "differs" : fares,
    left,
    right,
  };
}

function acTotals(data, name) {
  const sum = (column) =>
    data.networks[name].reduce((all, row) => all + row[column], 0);
  return { parameters: sum(3), activations: sum(4), macs: sum(5) };
}

function acSignOf(left, right) {
  return right > left ? "+" : right < left ? "−" : "";
}

function acChange(left, right) {
  return `${acSignOf(left, right)}${grouped(Math.abs(right - left))}`;
}

function acPercent(left, right) {
  if (!left || left === right) return "";
  const change = Math.abs(right - left);
  const tenths = Math.floor((2000 * change + left) / (2 * left));
  const sign = acSignOf(left, right);
  if (!tenths) return `${sign}< 0.1 %`;
  return `${sign}${grouped(Math.floor(tenths / 10))}.${tenths % 10} %`;
}

function acShort(number) {
  for (const [size, unit] of [
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ]) {
    if (number < size) continue;
    const tenths = Math.floor((20 * number + size) / (2 * size));
    return `${grouped(Math.floor(tenths / 10))}.${tenths % 10} ${unit}`;
  }
  return String(number);
}

function acSentence(data, left, right) {
  const all = acItems(data, left, right, "layers");
  const number = (how) => all.filter(({ fares }) => fares === how).length;
  const [alike, differ] = [number("same"), number("differs")];
  const counts = [
    [1, `${alike} layer${alike === 1 ? " is" : "s are"} the same`],
    [differ, `${differ} differ${differ === 1 ? "s" : ""}`],
    [number("left"), `${number("left")} only in ${left}`],
    [number("right"), `${number("right")} only in ${right}`],
  ];
  const counted = counts.filter(([n]) => n).map(([, words]) => words);
  const [one, other] = [acTotals(data, left), acTotals(data, right)];
  const parts = Object.entries(acNames).map(([measure, name]) => {
    const [a, b] = [one[measure], other[measure]];
    const more = `${grouped(Math.abs(b - a))} ${b > a ? "more" : "fewer"}`;
    const part = acPercent(a, b);
    return `${a === b ? "as many" : more} ${name}${part && ` (${part})`}`;
  });
  return (
    `${left} beside ${right}: ${counted.join(", ")}. ${right} has ` +
    `${parts[0]}, ${parts[1]} and ${parts[2]}.`
  );
}

function acAbout(item, left, right) {
  const { name, fares, left: one, right: other } = item;
  if (fares === "same") {
    return `${name} is the same in both: ${acGives(one)}.`;
  }
  if (!one) return `${name} is only in ${right}: ${acGives(other)}.`;
  if (!other) return `${name} is only in ${left}: ${acGives(one)}.`;
  return (
    `${name} differs. ${left}: ${acGives(one)}. ` +
    `${right}: ${acGives(other)}.`
  );
}

function acGives(side) {
  const figures = Object.entries(acNames).map(
    ([measure, name]) => `${grouped(side[measure])} ${name}`,
  );
  return `${side.what} to ${side.shape}, ${figures.join(", ")}`;
}

function acPlaceOf(items, selected) {
  return items.findLastIndex(({ first }) => first <= selected);
}

// Two bars for each block, in per cent of the chart.
function acBars(data, left, right, measure) {
  const blocks = acItems(data, left, right, "blocks");
  const pairs = blocks.map((item) => [
    item.left ? item.left[measure] : 0,
    item.right ? item.right[measure] : 0,
  ]);
  const top = Math.max(...pairs.flat()) || 1;
  const slot = 100 / blocks.length;
  return blocks.map(({ name }, i) => ({
    name,
    middle: (i + 0.5) * slot,
    sides: pairs[i].map((value, side) => ({
      x: (i + [0.12, 0.52][side]) * slot,
      width: 0.36 * slot,
      height: (100 * value) / top,
      value: acShort(value),
    })),
  }));
}

// ---- The view ----

function render({ model, el }) {
  const get = (name) => model.get(name);
  const set = (values) => change(model, values);
  const data = get("data");
  const names = Object.keys(data.networks);
  let items = [];
  let rows = [];
  let lit = null;

  const choose = (name, label, options) =>
    choice({
      label,
      options,
      value: get(name),
      onInput: (value) => set({ [name]: value }),
    });
  const networks = names.map((name) => [name, name]);
  const controls = {
    left: choose("left", "Network", networks),
    right: choose("right", "beside", networks),
    measure: choose("measure", "Measure", Object.entries(acMeasures)),
    show: choose("show", "Show", Object.entries(acShows)),
  };
  const swap = button("Swap", () =>
    set({ left: get("right"), right: get("left") }),
  );
  const walk = slider({
    label: "Layer",
    min: 0,
    max: 0,
    value: 0,
    onInput: (place) => set({ selected: items[place].first }),
  });

  const legend = ["one", "other"].map((kind) =>
    html("span", { class: `ac-${kind}` }),
  );
  const chart = svg("svg", {
    class: "ac-chart",
    width: 600,
    height: 160,
    "aria-hidden": "true",
  });
  const words = html("p", { class: "ac-words" });
  const heads = ["Layer", "", "", "Change"].map((text) =>
    html("th", { scope: "col" }, text),
  );
  const foot = html("tr");
  const table = html(
    "table",
    { class: "ac-table" },
    html("thead", {}, html("tr", {}, ...heads)),
    html("tfoot", {}, foot),
  );
  const box = html(
    "div",
    { class: "ac-box", role: "region", tabindex: 0 },
    table,
  );
  const caption = html("figcaption");
  fill(
    el,
    html(
      "div",
      { class: "cnn-controls ac-controls" },
      ...Object.values(controls).map(({ root }) => root),
    ),
    html("div", { class: "cnn-row" }, swap),
    html(
      "figure",
      { class: "ac" },
      html("p", { class: "ac-legend" }, ...legend),
      chart,
      walk.root,
      words,
      box,
      caption,
    ),
  );

  const rowOf = (item, measure) => {
    const sides = [item.left, item.right];
    const sign = html("span", { class: "ac-sign" }, acSigns[item.fares]);
    const figures = sides.map((side) => (side ? side[measure] : 0));
    const what = (side) => html("small", {}, `${side.what} → ${side.shape}`);
    return html(
      "tr",
      { class: `ac-${item.fares}` },
      html("th", { scope: "row" }, sign, ` ${item.name}`),
      ...sides.map((side) =>
        side
          ? html("td", {}, `${grouped(side[measure])} `, what(side))
          : html("td", {}, "–"),
      ),
      html("td", {}, acChange(...figures)),
    );
  };

  const drawTable = ([left, right], measure) => {
    const show = get("show");
    items = acItems(data, left, right, show);
    rows = items.map((item) => rowOf(item, measure));
    for (const body of [...table.tBodies]) body.remove();
    const bodies = new Map();
    items.forEach(({ block }, i) => {
      if (!bodies.has(block)) {
        const body = html("tbody");
        const head = { colspan: 4, scope: "rowgroup" };
        if (show !== "blocks") {
          body.append(
            html(
              "tr",
              { class: "ac-block" },
              html("th", head, data.blocks[block]),
            ),
          );
        }
        bodies.set(block, body);
      }
      bodies.get(block).append(rows[i]);
    });
    table.tHead.after(...bodies.values());
    const sums = [left, right].map((name) => acTotals(data, name)[measure]);
    foot.replaceChildren(
      html("th", { scope: "row" }, "in all"),
      ...sums.map((sum) => html("td", {}, grouped(sum))),
      html(
        "td",
        {},
        `${acChange(...sums)} `,
        html("small", {}, acPercent(...sums)),
      ),
    );
    fill(heads[1], left);
    fill(heads[2], right);
    walk.input.max = Math.max(0, items.length - 1);
    walk.root.hidden = items.length < 2;
  };

  const percent = (value) => `${value.toFixed(3)}%`;
  const drawChart = ([left, right], measure) => {
    const groups = acBars(data, left, right, measure);
    const few = groups.length <= 8;
    const text = (x, y, dy, words, name) =>
      svg("text", { class: name, x: percent(x), y, dy, "text-anchor": "middle" },
        words);
    chart.replaceChildren(
      ...groups.flatMap(({ name, middle, sides }) => [
        ...sides.flatMap(({ x, width, height, value }, i) => [
          svg("rect", {
            class: `ac-bar ac-${["one", "other"][i]}`,
            x: percent(x),
            y: percent(100 - height),
            width: percent(width),
            height: percent(height),
          }),
          ...(few
            ? [text(x + width / 2, percent(100 - height), -5, value, "ac-value")]
            : []),
        ]),
        ...(few ? [text(middle, "100%", 18, name)] : []),
      ]),
    );
  };

  const select = () => {
    const pair = [get("left"), get("right")];
    const place = acPlaceOf(items, get("selected"));
    lit?.classList.remove("ac-on");
    lit = rows[place];
    lit?.classList.add("ac-on");
    const name = place < 0 ? "none" : items[place].name;
    walk.set(Math.max(0, place), name);
    walk.input.setAttribute("aria-valuetext", name);
    if (lit) show(lit);
    fill(
      words,
      place < 0 ? acSentence(data, ...pair) : acAbout(items[place], ...pair),
    );
    announce(el, words.textContent);
  };
  // Bring a row into the box's view without moving the page.
  const show = (row) => {
    const above = row.offsetTop - table.tHead.offsetHeight;
    const below =
      row.offsetTop +
      row.offsetHeight +
      table.tFoot.offsetHeight -
      box.clientHeight;
    if (box.scrollTop > above) box.scrollTop = above;
    else if (box.scrollTop < below) box.scrollTop = below;
  };

  const draw = () => {
    const pair = [get("left"), get("right")];
    const measure = get("measure");
    for (const [name, control] of Object.entries(controls)) {
      control.set(get(name));
    }
    legend.forEach((node, i) => fill(node, pair[i]));
    box.setAttribute("aria-label", `${pair.join(" beside ")}, layer by layer`);
    drawChart(pair, measure);
    drawTable(pair, measure);
    fill(
      caption,
      `= the same in both, ≠ differs, − only in ${pair[0]}, + only in ` +
        `${pair[1]}. What adds no parameters, activations or MACs has no row.`,
    );
    select();
  };

  // A press on a row chooses it, a second one lets it go; so does Escape.
  table.addEventListener("click", (event) => {
    const place = rows.indexOf(event.target.closest("tr"));
    if (place < 0) return;
    const chosen = place === acPlaceOf(items, get("selected"));
    set({ selected: chosen ? -1 : items[place].first });
  });
  el.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && get("selected") >= 0) set({ selected: -1 });
  });

  draw();
  const unbind = [
    bind(model, Object.keys(controls), batched(draw)),
    bind(model, ["selected"], select),
  ];
  return () => {
    for (const stop of unbind) stop();
  };
}

export default { render };
