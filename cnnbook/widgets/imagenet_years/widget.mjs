// The ImageNet years: reported errors against what the networks cost.
// The functions up to `iySentence` have their twins in __init__.py.

const IY_TOP = 20;
const IY_BOTTOM = 2;
const IY_EDGE = 0.08;
const IY_NEAR = 9;

function iyShown({ results }, show) {
  const fits = ({ nets, crops, set }) => {
    if (show === "alike") {
      return nets === 1 && crops === 10 && set === "validation";
    }
    return show === "all" || (nets === 1) === (show === "single");
  };
  return [...results.keys()].filter((i) => fits(results[i]));
}

function iySpan({ networks }, x) {
  const values = Object.values(networks).map((network) => network[x]);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  if (x === "year") return [least - 0.5, most + 0.5];
  const [low, high] = [Math.log10(least), Math.log10(most)];
  const room = IY_EDGE * (high - low) || 0.5;
  return [low - room, high + room];
}

const iyPercent = (share) => Math.floor(10000 * share + 0.5) / 100;

function iyColumn(data, x, network) {
  let value = data.networks[network][x];
  if (x === "year") {
    const names = new Set(data.results.map((one) => one.network));
    const same = [...names].filter((name) => data.networks[name][x] === value);
    value += 0.7 * ((same.indexOf(network) + 0.5) / same.length - 0.5);
  } else {
    value = Math.log10(value);
  }
  const [low, high] = iySpan(data, x);
  return iyPercent((value - low) / (high - low));
}

function iyTicks(data, x) {
  const [low, high] = iySpan(data, x);
  let marks = [];
  if (x === "year") {
    for (let n = Math.ceil(low); n <= Math.floor(high); n += 1) {
      marks.push([n, String(n)]);
    }
  } else {
    const first = Math.max(0, Math.floor(low));
    for (let power = first; power <= Math.ceil(high); power += 1) {
      for (const step of [1, 2, 5].map((n) => n * 10 ** power)) {
        const place = Math.log10(step);
        if (low <= place && place <= high) marks.push([place, iyBrief(step)]);
      }
    }
    if (marks.length > 7) marks = marks.filter(([, said]) => said[0] === "1");
  }
  return marks.map(([value, said]) => [
    iyPercent((value - low) / (high - low)),
    said,
  ]);
}

const iyHeight = (error) =>
  iyPercent((IY_TOP - error) / (IY_TOP - IY_BOTTOM));

function iyBrief(number) {
  for (const [unit, letter] of [
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "K"],
  ]) {
    if (number >= unit) return `${Math.floor(number / unit)}${letter}`;
  }
  return String(number);
}

function iyWalk(data, x, show) {
  const left = (i) => iyColumn(data, x, data.results[i].network);
  const error = (i) => data.results[i].error;
  return iyShown(data, show)
    .map((i) => [left(i), -error(i), i])
    .sort(([a, b, c], [d, e, f]) => a - d || b - e || c - f)
    .map(([, , i]) => i);
}

function iyNamed(data, x, show) {
  const tops = new Map();
  for (const i of iyShown(data, show)) {
    const { network, error } = data.results[i];
    const top = tops.get(network);
    if (top === undefined || error > data.results[top].error) {
      tops.set(network, i);
    }
  }
  const places = [...tops.keys()].map((network) => iyColumn(data, x, network));
  const near = (a, b) => 0 < b - a && b - a < IY_NEAR;
  const anchor = (place) => {
    const right = places.some((other) => near(place, other));
    const left = places.some((other) => near(other, place));
    if (right === left) return "middle";
    return right ? "end" : "start";
  };
  return [...tops.values()].map((i, n) => [i, anchor(places[n])]);
}

function iySentence({ networks, results }, show, selected) {
  const one = results.find(({ claim }) => claim === selected);
  if (one) return iyAbout(one, networks[one.network]);
  const here = iyShown({ results }, show).map((i) => results[i]);
  if (!here.length) return "No result is of this kind.";
  const least = here.reduce((a, b) => (b.error < a.error ? b : a));
  return (
    `${here.length} of ${results.length} results. The lowest error shown is ` +
    `${least.error} % (${least.network}; ${least.how}).`
  );
}

function iyAbout(one, network) {
  const passes = one.nets * one.crops;
  const said =
    `${one.network}, ${network.year}: ${one.error} % top-5 error ` +
    `(${one.how}). One pass of one network: ` +
    `${grouped(network.parameters)} parameters, ${grouped(network.macs)} ` +
    `MACs, ${grouped(network.activations)} activations, ${network.time} ` +
    "times LeNet-5's time.";
  if (passes <= 1) return said;
  return (
    `${said} ${one.nets} × ${one.crops} = ${grouped(passes)} passes make ` +
    "the answer to one image."
  );
}

// ---- The view ----


// Key and table stand in the page already, with links into the errata. With
// a kernel they come as a trait, and there is no page to link to.
function iyBelow(model, picture) {
  const [there] = picture.flatMap((node) => [
    ...(node.querySelectorAll?.(".iy-below") ?? []),
  ]);
  if (there) return there;
  const box = html("div");
  box.innerHTML = model.get("_below");
  for (const link of box.querySelectorAll("a")) {
    link.replaceWith(link.textContent);
  }
  return box.firstElementChild;
}

// A circle for one network, a square for an ensemble.
function iyMark({ nets }, left, top) {
  const [x, y] = [`${left}%`, `${top}%`];
  if (nets === 1) return svg("circle", { cx: x, cy: y, r: 5.5 });
  const [width, height] = [11, 11];
  const transform = "translate(-5.5,-5.5)";
  return svg("rect", { x, y, width, height, transform });
}

function render({ model, el, picture = [] }) {
  const data = model.get("data");
  const choices = model.get("choices");
  const { results } = data;
  const get = (name) => model.get(name);
  const set = (values) => change(model, values);
  const below = iyBelow(model, picture);
  const rows = new Map();
  for (const row of below.querySelectorAll("tr[data-claim]")) {
    rows.set(row.dataset.claim, row);
  }

  const choose = (name, label) =>
    choice({
      label,
      options: Object.entries(choices[name]),
      value: get(name),
      onInput: (value) => set({ [name]: value }),
    });
  const across = choose("x", "Across");
  const show = choose("show", "Show");
  let order = [];
  const steps = slider({
    label: "Result",
    min: 0,
    max: results.length,
    value: 0,
    onInput: (step) =>
      set({ selected: step ? results[order[step - 1]].claim : "" }),
  });

  const words = html("p");
  const where = html("p", { class: "iy-where" });
  const rules = svg("g");
  const points = svg("g");
  const names = svg("g");
  const chart = svg("svg", { class: "iy-chart", height: 320, role: "img" });
  chart.append(rules, points, names);
  const axis = html("p", { class: "iy-axis" });
  fill(
    el,
    html(
      "div",
      { class: "cnn-controls" },
      ...[across, show, steps].map(({ root }) => root),
    ),
    html(
      "figure",
      { class: "iy" },
      html("div", { class: "iy-words" }, words, where),
      html("div", { class: "iy-frame" }, chart, axis),
      below,
    ),
  );

  // What the choices alone decide: axes, marks, names.
  let drawn = "";
  let marks = new Map();
  const drawChart = () => {
    const [x, kind] = [get("x"), get("show")];
    if (drawn === `${x} ${kind}`) return;
    drawn = `${x} ${kind}`;
    order = iyWalk(data, x, kind);
    across.set(x);
    show.set(kind);
    steps.input.max = order.length;
    const lines = [svg("text", { x: -40, dy: -14 }, "Top-5 error")];
    for (let error = IY_BOTTOM + 2; error <= IY_TOP; error += 4) {
      const y = `${iyHeight(error)}%`;
      lines.push(
        svg("line", { class: "iy-rule", x2: "100%", y1: y, y2: y }),
        svg(
          "text",
          { x: -8, y, dy: ".36em", "text-anchor": "end" },
          `${error} %`,
        ),
      );
    }
    for (const [left, said] of iyTicks(data, x)) {
      const at = { x: `${left}%`, y: "100%", dy: 18 };
      lines.push(svg("text", { ...at, "text-anchor": "middle" }, said));
    }
    fill(rules, ...lines);
    const place = (i) => [
      iyColumn(data, x, results[i].network),
      iyHeight(results[i].error),
    ];
    marks = new Map(
      order.map((i) => {
        const { claim, colour, set: images } = results[i];
        const node = iyMark(results[i], ...place(i));
        node.setAttribute("class", `iy-mark iy-${colour} iy-${images}`);
        return [claim, node];
      }),
    );
    fill(points, ...marks.values());
    fill(
      names,
      ...iyNamed(data, x, kind).map(([i, anchor]) => {
        const [left, top] = place(i);
        const at = { x: `${left}%`, y: `${top}%`, dy: -10 };
        return svg(
          "text",
          { class: "iy-name", "text-anchor": anchor, ...at },
          results[i].network,
        );
      }),
    );
    fill(axis, choices.x[x]);
    chart.setAttribute(
      "aria-label",
      `Top-5 error, across: ${choices.x[x]}; the table has it all`,
    );
    const here = new Set(order);
    results.forEach(({ claim }, i) => {
      rows.get(claim).hidden = !here.has(i);
    });
  };

  let lit = "";
  const drawSelected = () => {
    const selected = marks.has(get("selected")) ? get("selected") : "";
    for (const claim of [lit, selected]) {
      marks.get(claim)?.classList.toggle("iy-on", claim === selected);
      rows.get(claim)?.classList.toggle("iy-on", claim === selected);
    }
    lit = selected;
    const one = results.find(({ claim }) => claim === selected);
    if (one) points.append(marks.get(selected)); // in front of the others
    const step = one ? 1 + order.indexOf(results.indexOf(one)) : 0;
    const said = one ? `${one.network}, ${one.error} %` : "none";
    steps.set(step, said);
    steps.input.setAttribute("aria-valuetext", said);
    fill(words, iySentence(data, get("show"), selected));
    const link = one && picture.length > 0; // a page with a neighbour
    const text = one ? one.where : "Point at a mark, or step through them.";
    fill(
      where,
      link
        ? html("a", { href: `errata.html#claim-${selected}` }, text)
        : text,
    );
    announce(el, words.textContent);
  };
  // The mark nearest to the pointer, if it is near enough for a hand.
  const nearest = ({ clientX, clientY, pointerType }) => {
    const { left, top, width, height } = chart.getBoundingClientRect();
    const reach = pointerType === "mouse" ? 20 : 40;
    const away = (i) => {
      const { network, error } = results[i];
      const x = (iyColumn(data, get("x"), network) * width) / 100;
      const y = (iyHeight(error) * height) / 100;
      return Math.hypot(left + x - clientX, top + y - clientY);
    };
    const found = order
      .map((i) => [away(i), i])
      .sort(([a], [b]) => a - b)[0];
    return found && found[0] <= reach ? results[found[1]].claim : null;
  };
  const point = (event) => {
    const claim = nearest(event);
    if (claim !== null && claim !== get("selected")) set({ selected: claim });
  };
  chart.addEventListener("pointermove", (event) => {
    if (event.pointerType === "mouse") point(event);
  });
  chart.addEventListener("pointerdown", point);

  const draw = () => {
    drawChart();
    drawSelected();
  };
  draw();
  return bind(model, ["x", "show", "selected"], batched(draw));
}

export default { render };
