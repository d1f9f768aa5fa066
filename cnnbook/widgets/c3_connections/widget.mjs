// LeNet's sparse table: point at a map, see what it sees and what it costs.
// The Python twin of the first three functions stands in __init__.py.

const c3Times = "\u00a0×\u00a0";

function c3Count(table, kernel, size) {
  const inputs = 1 + Math.max(...table.flat());
  let total = 0;
  const maps = table.map((row) => {
    const parameters = row.length * kernel ** 2 + 1;
    total += parameters;
    return { kernels: row.length, parameters, running: total };
  });
  const dense = table.length * (inputs * kernel ** 2 + 1);
  return {
    inputs,
    maps,
    kernels: table.flat().length,
    parameters: total,
    connections: total * size ** 2,
    dense_kernels: table.length * inputs,
    dense_parameters: dense,
    dense_connections: dense * size ** 2,
  };
}

function c3Sentence(table, selected, kernel, size) {
  const counts = c3Count(table, kernel, size);
  const total = grouped(counts.parameters);
  const places = `${size}${c3Times}${size} places`;
  if (!selected) {
    return (
      `C3 has ${total} parameters: ${counts.kernels} kernels of ` +
      `${kernel}${c3Times}${kernel} weights and ${table.length} biases. If every ` +
      `map saw all ${counts.inputs}, it would have ` +
      `${counts.dense_kernels} kernels and ` +
      `${grouped(counts.dense_parameters)} parameters. Each parameter ` +
      `works at ${places}: ${grouped(counts.connections)} connections ` +
      `instead of ${grouped(counts.dense_connections)}.`
    );
  }
  const [side, name] = selected.split(".");
  const index = Number(name);
  if (side === "c3") {
    const row = counts.maps[index];
    const seen = table[index];
    const noun = seen.length === 1 ? "map" : "maps";
    return (
      `C3 map ${index} sees ${seen.length} ${noun} of S2: ` +
      `${seen.join(", ")}. ${seen.length}${c3Times}${kernel ** 2} + 1 = ` +
      `${grouped(row.parameters)} parameters; maps 0 to ${index} together ` +
      `${grouped(row.running)} of ${total}. At ${places}: ` +
      `${grouped(row.parameters * size ** 2)} connections.`
    );
  }
  const readers = [...table.keys()].filter((m) => table[m].includes(index));
  const weights = readers.length * kernel ** 2;
  return (
    `S2 map ${index} is seen by ${readers.length} of the ${table.length} ` +
    `maps of C3: ${readers.join(", ")}. ${readers.length}${c3Times}` +
    `${kernel ** 2} = ${grouped(weights)} of the ` +
    `${grouped(counts.kernels * kernel ** 2)} weights.`
  );
}

// What an arrow key leads to from a map; null for a key that leads nowhere.
function c3Step(key, map, inputs, outputs) {
  const [side, name] = map.split(".");
  const index = Number(name);
  const last = (side === "s2" ? inputs : outputs) - 1;
  const across = (to, from, count) =>
    `${to}.${Math.floor(((index + 0.5) * count) / from)}`;
  if (key === "ArrowDown") return `${side}.${Math.min(last, index + 1)}`;
  if (key === "ArrowUp") return `${side}.${Math.max(0, index - 1)}`;
  if (key === "Home") return `${side}.0`;
  if (key === "End") return `${side}.${last}`;
  if (key === "ArrowRight") {
    return side === "s2" ? across("c3", inputs, outputs) : map;
  }
  if (key === "ArrowLeft") {
    return side === "c3" ? across("s2", outputs, inputs) : map;
  }
  return null;
}

function c3Markup(table, counts) {
  const place = (n, of) => `${((100 * (n + 0.5)) / of).toFixed(2)}%`;
  const left = [...Array(counts.inputs).keys()];
  const button = (map, label) =>
    `<button type="button" tabindex="-1" aria-pressed="false" ` +
    `data-map="${map}"><span>${label}</span></button>`;
  const lines = table.flatMap((row, m) =>
    row.map(
      (i) =>
        `<line class="c3-line" data-pair="s2.${i} c3.${m}" x1="0" ` +
        `y1="${place(i, left.length)}" x2="100%" ` +
        `y2="${place(m, table.length)}"/>`,
    ),
  );
  const node = (side, x, n, of) =>
    `<g class="c3-node c3-${side}" data-node="${side}.${n}">` +
    `<rect x="${x}" y="${place(n, of)}" width="30" height="22" rx="3" ` +
    `transform="translate(-15,-11)"/><text x="${x}" y="${place(n, of)}" ` +
    `dy=".36em" text-anchor="middle" font-size="13">${n}</text></g>`;
  const nodes = [
    ...left.map((i) => node("s2", "0", i, left.length)),
    ...table.map((_, m) => node("c3", "100%", m, table.length)),
  ];
  const heads = left.map(
    (i) =>
      `<th scope="col" class="c3-cell" data-hover="s2.${i}">` +
      `<span>S2 </span>${i}</th>`,
  );
  const rows = counts.maps.map((row, m) => {
    const cells = left.map((i) =>
      table[m].includes(i)
        ? `<td class="c3-cell c3-seen" data-pair="s2.${i} c3.${m}">` +
          `<span>seen</span></td>`
        : `<td class="c3-cell"></td>`,
    );
    return (
      `<tr class="c3-row" data-hover="c3.${m}"><th scope="row">` +
      `${button(`c3.${m}`, `C3 ${m}`)}</th>${cells.join("")}` +
      `<td class="c3-wide">${row.kernels}</td>` +
      `<td>${grouped(row.parameters)}</td>` +
      `<td>${grouped(row.running)}</td></tr>`
    );
  });
  const foot = (label, kernels, parameters) =>
    `<tr><th scope="row" colspan="${left.length + 1}">${label}</th>` +
    `<td class="c3-wide">${kernels}</td>` +
    `<td colspan="2">${grouped(parameters)}</td></tr>`;
  return (
    `<figure class="c3"><div class="c3-picture">` +
    `<svg class="c3-graph" width="180" height="${28 * table.length}" ` +
    `aria-hidden="true"><text class="c3-side" x="0" y="-8" ` +
    `text-anchor="middle" font-size="13">S2</text>` +
    `<g>${lines.join("")}</g>${nodes.join("")}</svg>` +
    `<div class="c3-inputs" role="group" aria-label="Maps of S2">` +
    left
      .map(
        (i) =>
          `<div style="top:${place(i, left.length)}">` +
          `${button(`s2.${i}`, `S2 ${i}`)}</div>`,
      )
      .join("") +
    `</div><table class="c3-table"><thead><tr><th scope="col">C3</th>` +
    `${heads.join("")}<th scope="col" class="c3-wide">Kernels</th>` +
    `<th scope="col">Para&shy;meters</th><th scope="col">So far</th></tr>` +
    `</thead><tbody>${rows.join("")}</tbody><tfoot>` +
    foot("Sparse, as built", counts.kernels, counts.parameters) +
    foot(
      `If each saw all ${left.length}`,
      counts.dense_kernels,
      counts.dense_parameters,
    ) +
    `</tfoot></table></div><figcaption class="c3-words"></figcaption>` +
    `<p class="c3-hint">Point at a map, or go from map to map with the ` +
    `arrow keys. Press to hold one; Esc lets go.</p></figure>`
  );
}

function render({ model, el }) {
  const table = model.get("table");
  const kernel = model.get("kernel");
  const size = model.get("size");
  const counts = c3Count(table, kernel, size);
  el.innerHTML = c3Markup(table, counts);
  if (!el.closest(".cnn-widget")) el.classList.add("cnn-widget");
  const figure = el.querySelector(".c3");
  const words = el.querySelector(".c3-words");
  const buttons = new Map(
    [...el.querySelectorAll("button")].map((b) => [b.dataset.map, b]),
  );
  // Every part that lights up, by the map that lights it.
  const parts = new Map([...buttons.keys()].map((map) => [map, []]));
  for (const part of el.querySelectorAll("[data-pair]")) {
    for (const map of part.dataset.pair.split(" ")) parts.get(map).push(part);
  }
  for (const part of el.querySelectorAll("[data-node], [data-hover]")) {
    parts.get(part.dataset.node ?? part.dataset.hover).push(part);
  }

  const held = () => model.get("selected");
  const state = { shown: null, hovered: "", focused: "" };
  const draw = () => {
    const map = state.hovered || state.focused || held();
    if (map === state.shown) return;
    for (const part of parts.get(state.shown) ?? []) {
      part.classList.remove("c3-on");
    }
    for (const part of parts.get(map) ?? []) part.classList.add("c3-on");
    figure.classList.toggle("c3-some", map !== "");
    words.textContent = c3Sentence(table, map, kernel, size);
    state.shown = map;
  };
  const drawHeld = () => {
    for (const [map, button] of buttons) {
      button.setAttribute("aria-pressed", String(map === held()));
    }
    reach(state.focused || held() || "c3.0");
    draw();
  };
  // One button is in the order of Tab; the arrow keys choose which.
  const reach = (map) => {
    for (const [other, button] of buttons) {
      button.tabIndex = other === map ? 0 : -1;
    }
  };
  const mapAt = (target) => {
    const at = target.closest?.("[data-map], [data-hover]");
    return at ? (at.dataset.map ?? at.dataset.hover) : "";
  };

  el.addEventListener("pointerover", (event) => {
    if (event.pointerType === "touch") return;
    state.hovered = mapAt(event.target);
    draw();
  });
  el.addEventListener("pointerleave", () => {
    state.hovered = "";
    draw();
  });
  el.addEventListener("focusin", (event) => {
    state.focused = event.target.dataset.map ?? "";
    if (state.focused) reach(state.focused);
    draw();
    announce(el, words.textContent);
  });
  el.addEventListener("focusout", () => {
    state.focused = "";
    draw();
  });
  el.addEventListener("click", (event) => {
    const map = mapAt(event.target);
    if (!map) return;
    change(model, { selected: map === held() ? "" : map });
    if (!held() && event.detail) {
      state.hovered = "";
      buttons.get(map).blur();
      draw();
    }
  });
  el.addEventListener("keydown", (event) => {
    const map = event.target.dataset?.map;
    if (!map || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape") {
      state.hovered = "";
      state.focused = "";
      if (held()) change(model, { selected: "" });
      draw();
      return;
    }
    const next = c3Step(event.key, map, counts.inputs, table.length);
    if (next === null) return;
    event.preventDefault();
    state.hovered = "";
    buttons.get(next).focus();
  });
  drawHeld();
  return bind(model, ["selected"], drawHeld);
}

export default { render };
