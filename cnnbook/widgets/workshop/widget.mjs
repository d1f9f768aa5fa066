// The workshop: write a network, see at once what it is and what it costs.
// What reads and counts stands in core.mjs; here is what is seen and touched.

const wbUnits = {
  macs: "MACs",
  parameters: "Parameters",
  activations: "Activations",
};
const wbThin = "\u202f";
const wbQuick = 60; // so many rows of the table are written at once
const wbListed = 500; // so many rows, and lines beside the text, are shown

// ---- What is shown of a network ----

// 62378344 becomes 62.4 M, so that it fits beside a bar.
function wbShort(number) {
  const steps = { T: 1e12, G: 1e9, M: 1e6, k: 1e3 };
  for (const [unit, size] of Object.entries(steps)) {
    if (number < size) continue;
    const digits = number < 100 * size ? 1 : 0;
    return `${grouped((number / size).toFixed(digits))}${wbThin}${unit}`;
  }
  return String(number);
}

function wbExact(number) {
  return number < 1e15 ? grouped(number) : number.toExponential(2);
}

// How much more or less it became: "+12 %", "−30 %", "× 2.5".
function wbChange(now, then) {
  if (now === then) return "";
  if (!then) return "new";
  if (now >= 2 * then) return `×${wbThin}${(now / then).toPrecision(2)}`;
  const part = (100 * Math.abs(now - then)) / then;
  const shown = part < 0.1 ? "< 0.1" : part.toFixed(part < 10 ? 1 : 0);
  return `${now > then ? "+" : "−"}${shown}${wbThin}%`;
}

// The totals, and what else a challenge may ask for. The Python twin is
// `measures` in __init__.py.
function wbMeasures({ input, rows, totals, shape }) {
  const seen = rows.filter(
    (row) => row.field?.[0] && (row.shape?.[1] > 1 || row.shape?.[2] > 1),
  );
  const last = seen.filter((row) => !row.depth).at(-1) ?? seen.at(-1);
  const convs = rows.filter((row) => row.op === "conv");
  return {
    parameters: totals.parameters,
    macs: totals.macs,
    activations: totals.activations,
    field: last ? Math.min(...last.field) : 1,
    depth: totals.depth,
    convParameters: convs.reduce((sum, row) => sum + (row.parameters ?? 0), 0),
    outputs: shape?.every(Boolean) ? shape.reduce((a, b) => a * b, 1) : 0,
    side: input ? Math.min(...input.shape.slice(1)) : 0,
  };
}

// A goal is [measure, relation, value, words].
function wbMet(goals, network, measured) {
  const holds = { "≤": (a, b) => a <= b, "≥": (a, b) => a >= b };
  holds["="] = (a, b) => a === b;
  const whole =
    network.totals.complete &&
    network.problems.every(({ kind }) => kind !== "error");
  return goals.map(
    ([measure, relation, value]) =>
      whole && holds[relation](measured[measure], value),
  );
}

// What each line of the text adds, and what it gives.
function wbLines(text, { input, rows, problems }) {
  const lines = text.split("\n").map((words) => ({
    words,
    rows: [],
    shape: null,
    error: null,
    note: null,
    marks: [],
    parameters: 0,
    macs: 0,
    activations: 0,
  }));
  if (input) lines[input.line - 1].shape = input.shape;
  for (const row of rows) {
    const line = lines[row.line - 1];
    line.rows.push(row);
    line.shape = row.shape;
    for (const unit of Object.keys(wbUnits)) line[unit] += row[unit] ?? 0;
  }
  for (const problem of problems) {
    const line = lines[Math.min(problem.line, lines.length) - 1];
    line[problem.kind] ??= problem;
    line.marks.push(problem);
  }
  return lines;
}

// ---- Words ----

// Say how a side became another: ⌊(227 − 11 + 2·0) / 4⌋ + 1 = 55.
function wbSide({ input, shape, maps }) {
  if (!maps || input.length < 3 || shape.length < 3) return "";
  const [from, to] = [input[1], shape[1]];
  const { kernel, stride, padding, dilation, ceil } = maps;
  const plain =
    input[1] === input[2] &&
    kernel[0] === kernel[1] &&
    stride[0] === stride[1] &&
    padding.flat().every((side) => side === padding[0][0]);
  if (!from || !to || !plain || kernel[0] === 1) return "";
  if (from === to && stride[0] === 1) return `; the maps stay ${to}×${to}`;
  if (kernel[0] === from && to === 1) return "";
  const [open, close] = ceil ? "⌈⌉" : "⌊⌋";
  const span = dilation[0] * (kernel[0] - 1) + 1;
  const padded = padding[0][0] ? ` + 2·${padding[0][0]}` : "";
  const room = `${from} − ${span}${padded}`;
  return stride[0] === 1
    ? `: ${room} + 1 = ${to}`
    : `: ${open}(${room}) / ${stride[0]}${close} + 1 = ${to}`;
}

// Say where the parameters of one layer come from.
function wbWeights(row) {
  const { op, input, shape, maps, parameters } = row;
  if (!parameters || !input.every(Boolean)) return "";
  const each =
    op === "conv"
      ? [...maps.kernel, input[0] / maps.groups]
      : op === "dense"
        ? [input.reduce((a, b) => a * b, 1)]
        : null;
  if (!each) return `${wbExact(parameters)} parameters`;
  const weights = each.reduce((a, b) => a * b, 1);
  const biased = parameters > weights * shape[0];
  const product = each.map(wbExact).join("·");
  return (
    `${wbExact(shape[0])} · ${biased ? `(${product} + 1)` : product} = ` +
    `${wbExact(parameters)} parameters`
  );
}

function wbSeen({ field }) {
  return field?.[0] ? `each sees ${field.join("×")} pixels` : "";
}

function wbOneLayer(row, after) {
  const bn = after.reduce((sum, one) => sum + (one.parameters ?? 0), 0);
  const facts = [
    wbWeights(row),
    bn ? `${wbExact(bn)} of its batch norm` : "",
    row.macs ? `${wbExact(row.macs)} MACs` : "",
    wbSeen(row),
  ].filter(Boolean);
  return (
    `${row.name}, ${row.words}${wbSide(row)} → ${wsShape(row.shape)}. ` +
    (facts.length ? `${wbSentence(facts.join("; "))}` : "")
  );
}

function wbSentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}

// What the line under the caret does.
function wbSay(line, place, { input }) {
  if (!line.rows.length) {
    return input?.line === place + 1
      ? `The input: ${input.words}.`
      : `Line ${place + 1} holds no layer.`;
  }
  const [row, ...after] = line.rows;
  if (after.every(({ name }) => name.startsWith(`${row.name}.`))) {
    return row.shape && row.input ? wbOneLayer(row, after) : `${row.words}.`;
  }
  const sums = Object.entries(wbUnits)
    .map(([unit, name]) => `${wbExact(line[unit])} ${wbLower(name)}`)
    .join(", ");
  const gives = line.shape ? ` → ${wsShape(line.shape)}` : "";
  const many = `${line.rows.length} layers and joins`;
  return `Line ${place + 1}: ${many}${gives}; ${sums}.`;
}

function wbLower(name) {
  return name === "MACs" ? name : name.toLowerCase();
}

// The edit as a story: what became more, what became less.
function wbStory(now, then, name, same, whole) {
  if (!whole) return "Counted as far as the sizes are known.";
  if (same) return `This is ${name} as it stands in the book.`;
  const changes = [
    ["parameters", "parameters"],
    ["macs", "MACs"],
    ["activations", "activations"],
  ]
    .map(([unit, words]) => [wbChange(now[unit], then[unit]), words])
    .filter(([change]) => change)
    .map((parts) => parts.join(" "));
  if (now.field !== then.field) {
    changes.push(`a receptive field of ${now.field} for ${then.field}`);
  }
  return changes.length
    ? `Against ${name}: ${changes.join(", ")}.`
    : `The same totals as ${name}.`;
}

// ---- Nodes ----

// Keep as many nodes as there are things, and tell each what it shows.
function wbPool(root, things, make, write) {
  while (root.childElementCount > things.length) root.lastChild.remove();
  while (root.childElementCount < things.length) root.append(make());
  let node = root.firstElementChild;
  for (const [place, thing] of things.entries()) {
    write(node, thing, place);
    node = node.nextElementSibling;
  }
}

function wbSet(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

// ---- The text, with a gutter before it and results beside it ----

let wbCount = 0;

// The text's box scrolls, not the text: so numbers, marks and results stay
// beside their lines without a script.
function wbEditor({ onType, onLine, onHover, described }) {
  const field = html("textarea", {
    class: "wb-field",
    "aria-label": "The network, one layer a line",
    "aria-describedby": described,
    autocapitalize: "off",
    autocomplete: "off",
    autocorrect: "off",
    dir: "ltr",
    maxlength: WS_LIMITS.text + 1,
    rows: 1,
    spellcheck: "false",
    wrap: "off",
  });
  const under = html("div", { class: "wb-under", "aria-hidden": "true" });
  const results = html("div", { class: "wb-results", "aria-hidden": "true" });
  const head = html(
    "div",
    { class: "wb-head" },
    html("span", { "aria-hidden": "true" }, "Your network"),
    html("span", { "aria-hidden": "true" }, "gives"),
  );
  const sheet = html("div", { class: "wb-sheet" }, under, field, results);
  const root = html("div", { class: "wb-box" }, head, sheet);
  const caret = () => {
    const before = field.value.slice(0, field.selectionStart);
    onLine(before.split("\n").length - 1);
  };
  field.addEventListener("input", () => onType(field.value));
  for (const event of ["keyup", "pointerup", "focus", "input"]) {
    field.addEventListener(event, caret);
  }
  field.addEventListener("scroll", () => {
    sheet.style.setProperty("--wb-shift", `${-field.scrollLeft}px`);
  });
  const hover = (event) => {
    if (event.pointerType === "touch") return;
    const at = event.target.closest("[data-line]");
    if (at) return onHover(Number(at.dataset.line));
    const { top, height } = field.getBoundingClientRect();
    const share = (event.clientY - top - 4) / (height - 8);
    onHover(Math.floor(share * field.value.split("\n").length));
  };
  sheet.addEventListener("pointermove", hover);
  sheet.addEventListener("pointerleave", () => onHover(-1));
  results.addEventListener("pointermove", hover);
  results.addEventListener("pointerleave", () => onHover(-1));

  const draw = (all, unit) => {
    const lines = all.slice(0, wbListed);
    const most = Math.max(1, ...lines.map((line) => line[unit]));
    const total = lines.reduce((sum, line) => sum + line[unit], 0);
    wbSet(field, "style", `--wb-lines:${all.length}`);
    wbPool(under, lines, wbMakeUnder, wbWriteUnder);
    wbPool(results, lines, wbMakeResult, (node, line, place) =>
      wbWriteResult(node, line, place, { unit, most, total }),
    );
    const wrong = lines.some(({ error }) => error);
    wbSet(field, "aria-invalid", String(wrong));
  };
  const light = (chosen) => {
    for (const list of [under, results]) {
      list.querySelector(".wb-on")?.classList.remove("wb-on");
      list.children[chosen]?.classList.add("wb-on");
    }
  };
  const set = (text) => {
    if (field.value !== text) field.value = text;
  };
  // As if it were typed, so that the browser can undo it.
  const replace = (from, to, text) => {
    field.focus();
    field.setSelectionRange(from, to);
    const done = document.execCommand("insertText", false, text);
    if (!done) field.setRangeText(text, from, to, "end");
    if (!done) onType(field.value);
  };
  const go = (line) => {
    const before = field.value.split("\n").slice(0, line);
    const start = before.reduce((sum, { length }) => sum + length + 1, 0);
    field.focus({ preventScroll: true });
    field.setSelectionRange(start, start);
    under.children[line]?.scrollIntoView({ block: "nearest" });
    onLine(line);
  };
  const parts = { root, head, results, sheet, field };
  return { ...parts, draw, light, set, replace, go };
}

// A line's number, and the places that its problems mark.
function wbMakeUnder() {
  return html("div", {}, html("span", { class: "wb-number" }), html("span"));
}

function wbWriteUnder(node, { error, note, marks }, place) {
  const kind = error ? "wb-error" : note ? "wb-note" : "";
  const sign = error ? "✕ " : note ? "! " : "";
  wbSet(node, "class", kind);
  fill(node.firstChild, `${sign}${place + 1}`);
  wbPool(node.lastChild, marks, () => html("i"), (mark, problem) => {
    wbSet(mark, "class", `wb-mark-${problem.kind}`);
    const width = Math.max(1, problem.length);
    wbSet(mark, "style", `left:${problem.column}ch;width:${width}ch`);
  });
}

// Beside the line what it gives, and its share as a bar.
function wbMakeResult() {
  return html(
    "div",
    {},
    html("code", { class: "wb-line" }),
    html("span", { class: "wb-gives" }),
    html("span", { class: "wb-bar" }, html("i")),
    html("span", { class: "wb-value" }),
  );
}

function wbWriteResult(node, line, place, { unit, most, total }) {
  const [words, gives, bar, value] = node.children;
  const kind = wbDrawn[line.rows[0]?.op] ?? "other";
  const silent = !line.rows.length && !line.shape && !line.error;
  const states = [
    `wb-${kind}`,
    line.error ? "wb-wrong" : "",
    silent ? "wb-silent" : "",
    line[unit] ? "" : "wb-zero",
    line.shape?.includes(null) ? "wb-unknown" : "",
  ];
  wbSet(node, "class", states.filter(Boolean).join(" "));
  wbSet(node, "data-line", String(place));
  fill(words, line.words.trim());
  const shape = line.shape ? wsShape(line.shape) : "";
  fill(gives, line.error ? line.error.says : shape);
  const share = (100 * line[unit]) / most;
  wbSet(bar.firstChild, "style", `width:${share.toFixed(2)}%`);
  bar.hidden = !line[unit];
  const counts = line.rows.length > 0 && !line.error;
  const part = total ? Math.round((100 * line[unit]) / total) : 0;
  wbSet(value, "title", counts ? `${part} %` : "");
  fill(value, counts && line[unit] ? wbShort(line[unit]) : "");
}

// ---- What is wrong, and what would fit ----

function wbProblems(id, { fix, go }) {
  const root = html("ul", { class: "wb-problems", id });
  const draw = (problems) => {
    const shown = problems.slice(0, 5);
    const items = shown.map((problem) => {
      const { kind, line, says, fits } = problem;
      const at = html(
        "button",
        { type: "button", class: "wb-at", onclick: () => go(line - 1) },
        `Line ${line}`,
      );
      const use = fits
        ? button("Use ", () => fix(problem), { class: "cnn-button wb-use" })
        : null;
      use?.append(html("code", {}, fits));
      return html("li", { class: `wb-${kind}` }, at, ": ", says, " ", use);
    });
    const more = problems.length - shown.length;
    if (more) items.push(html("li", {}, `And ${more} more.`));
    root.replaceChildren(...items);
  };
  return { root, draw };
}

// ---- Totals, against the network it began from ----

function wbTotals() {
  const names = {
    parameters: "Parameters",
    macs: "MACs",
    activations: "Activations",
    field: "Receptive field",
  };
  const cards = Object.entries(names).map(([key, name]) => {
    const number = html("strong");
    const change = html("span", { class: "wb-change" });
    const bars = [html("i"), html("i")];
    const root = html(
      "div",
      {},
      html("dt", {}, name),
      html("dd", {}, number, " ", change),
      html("dd", { class: "wb-pair", "aria-hidden": "true" }, ...bars),
    );
    return { key, number, change, bars, root };
  });
  const root = html("dl", { class: "wb-totals" }, ...cards.map((c) => c.root));
  const draw = (now, then, whole) => {
    for (const { key, number, change, bars } of cards) {
      const pixels = key === "field" ? " pixels" : "";
      const changed = wbChange(now[key], then[key]) || "as it was";
      fill(number, `${wbExact(now[key])}${pixels}`);
      fill(change, whole ? changed : "so far");
      const most = Math.max(1, now[key], then[key]);
      [now, then].forEach((one, place) => {
        const share = ((100 * one[key]) / most).toFixed(2);
        wbSet(bars[place], "style", `width:${share}%`);
      });
    }
  };
  return { root, draw };
}

// ---- Challenges: buttons, and the goals of the one that is tried ----

function wbChallenges(challenges, { begin }) {
  const words = html("p");
  const goals = html("ul");
  const buttons = challenges.map(({ title }) =>
    button(title, () => begin(title), { "aria-pressed": "false" }),
  );
  const root = html(
    "div",
    { class: "wb-challenges", hidden: !challenges.length },
    html("div", { class: "cnn-row" }, ...buttons),
    words,
    goals,
  );
  const draw = (chosen, network, measured) => {
    challenges.forEach(({ title }, place) => {
      wbSet(buttons[place], "aria-pressed", String(title === chosen));
    });
    const challenge = challenges.find(({ title }) => title === chosen);
    words.hidden = goals.hidden = !challenge;
    if (!challenge) return "";
    const met = wbMet(challenge.goals, network, measured);
    const won = met.every(Boolean);
    fill(words, won ? challenge.won : challenge.words);
    wbSet(words, "class", won ? "wb-won" : "");
    const items = challenge.goals.map(([measure, , , said], place) => {
      const item = html("li", { class: met[place] ? "wb-met" : "" });
      const state = met[place] ? "met" : "not yet";
      const now = `${state}: ${said}; now ${wbExact(measured[measure])}`;
      fill(item, now);
      return item;
    });
    goals.replaceChildren(...items);
    return won ? "Challenge met. " : "";
  };
  return { root, draw };
}

// ---- Every layer in a table ----

function wbTable({ over, pick }) {
  const heads = ["Layer", "Gives", ...Object.values(wbUnits), "Sees"];
  const body = html("tbody");
  const more = html("p", { hidden: true });
  const table = html(
    "table",
    { class: "wb-table" },
    html(
      "thead",
      {},
      html(
        "tr",
        {},
        ...heads.map((text) =>
          html("th", { scope: "col", "data-unit": wbUnitOf(text) }, text),
        ),
      ),
    ),
    body,
  );
  const root = html(
    "div",
    {
      class: "wb-scroll",
      role: "region",
      tabindex: 0,
      "aria-label": "Every layer",
    },
    table,
    more,
  );
  let rows = [];
  const rowAt = (event) => {
    const at = event.target.closest("tbody tr");
    return at ? rows[at.rowIndex - 1] : null;
  };
  root.addEventListener("pointermove", (event) => over(rowAt(event)));
  root.addEventListener("pointerleave", () => over(null));
  root.addEventListener("click", (event) => pick(rowAt(event)));
  const draw = (network, unit) => {
    rows = network.rows.slice(0, wbListed);
    table.dataset.unit = unit;
    wbPool(body, rows, wbMakeRow, wbWriteRow);
    const left = network.rows.length - rows.length;
    more.hidden = !left;
    fill(more, `And ${grouped(left)} more.`);
  };
  const light = (lit, show) => {
    for (const row of body.querySelectorAll(".wb-on")) {
      row.classList.remove("wb-on");
    }
    for (const place of lit) body.rows[place]?.classList.add("wb-on");
    const [first] = lit;
    if (show && body.rows[first]) wbReveal(root, body.rows[first]);
  };
  return { root, draw, light };
}

// Bring a row into its box without moving the page.
function wbReveal(box, row) {
  const above = row.offsetTop - 32; // its head stays in sight
  const below = row.offsetTop + row.offsetHeight - box.clientHeight;
  if (box.scrollTop > above || box.scrollTop < below) box.scrollTop = above;
}

function wbUnitOf(title) {
  return Object.keys(wbUnits).find((unit) => wbUnits[unit] === title);
}

function wbMakeRow() {
  return html(
    "tr",
    {},
    html("th", { scope: "row" }, html("span"), " ", html("small")),
    html("td", {}),
    ...Object.keys(wbUnits).map((unit) => html("td", { "data-unit": unit })),
    html("td", {}),
  );
}

function wbWriteRow(node, row) {
  const [head, gives, ...rest] = node.children;
  fill(head.firstChild, row.name);
  fill(head.lastChild, row.words);
  fill(gives, row.shape ? wsShape(row.shape) : "?");
  Object.keys(wbUnits).forEach((unit, place) => {
    fill(rest[place], row[unit] === null ? "?" : wbExact(row[unit]));
  });
  fill(rest[3], row.field?.[0] ? row.field.join("×") : "?");
}

// ---- The address, which holds the network ----

function wbSlug(title) {
  return title.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
}

const wbHash = /^#?(?:from=([^&]*)&)?(net=[^]*)$/;

// What an address says: a text, damage, or nothing of ours (null).
function wbOpened(hash) {
  const parts = wbHash.exec(hash);
  if (!parts) return null;
  const text = wsFromAddress(parts[2]);
  const lines = text?.replace(/\r\n?/g, "\n") ?? null;
  return { from: parts[1] ?? "", text: lines };
}

function wbAddress(text, start) {
  return `#${start ? `from=${wbSlug(start)}&` : ""}${wsToAddress(text)}`;
}

// Some pages may not change their address: then there is no harm.
function wbRemember(way, hash) {
  const address = hash || location.href.split("#")[0];
  try {
    history[way](null, "", address);
  } catch {
    // A page in a frame or a folder may lack the right.
  }
}

async function wbCopy(text, press, spare) {
  let done = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    done = false;
  }
  press.dataset.label ??= press.textContent;
  spare.hidden = done;
  if (done) {
    fill(press, "Copied");
    setTimeout(() => fill(press, press.dataset.label), 1500);
  } else {
    spare.lastChild.value = text;
    spare.lastChild.select();
  }
}

// ---- All together ----

function render({ model, el }) {
  const get = (name) => model.get(name);
  const examples = get("examples");
  const home = { text: get("text"), start: get("start") };
  const onSite = el.closest("[data-widget]") !== null;
  const keeps = onSite && get("address") === "#";
  const id = `wb-${(wbCount += 1)}`;
  const origins = new Map();
  let network = null;
  let lines = [];
  let caret = -1;
  let hover = null;
  let saving = 0;
  let showing = 0;
  let width = 0;

  const textOf = (title) =>
    examples.find(([name]) => name === title)?.[1] ?? home.text;
  const origin = () => {
    const text = textOf(get("start"));
    if (!origins.has(text)) origins.set(text, wbMeasures(wsParse(text)));
    return origins.get(text);
  };

  // Parts
  const write = (text) => change(model, { text });
  const go = (line) => editor.go(line);
  const pick = (row) => row && go(row.line - 1);
  const over = (row) => {
    if ((hover?.row ?? null) === row) return;
    hover = row && { line: row.line - 1, row };
    light();
  };
  const fix = ({ line, column, length, fits }) => {
    const before = lines.slice(0, line - 1);
    const start = before.reduce((sum, one) => sum + one.words.length + 1, 0);
    editor.replace(start + column, start + column + length, fits);
  };
  const editor = wbEditor({
    described: `${id}-problems`,
    onType: write,
    onLine: (line) => {
      if (line === caret) return;
      caret = line;
      hover = null;
      light(true);
    },
    onHover: (line) => {
      const inside = line >= 0 && line < lines.length;
      if ((hover?.line ?? -1) === line && !hover?.row) return;
      hover = inside ? { line, row: null } : null;
      light();
    },
  });
  const problems = wbProblems(`${id}-problems`, { fix, go });
  const totals = wbTotals();
  const diagram = wbDiagram({ over, pick });
  const table = wbTable({ over, pick });
  const words = html("p", { class: "wb-words" });
  const story = html("p", { class: "wb-story" });
  const message = html("p", { class: "cnn-message", hidden: true });
  const begin = (start, challenge = "") => {
    message.hidden = true;
    change(model, { text: textOf(start), start, challenge });
    caret = -1;
    save("pushState");
  };
  const challenges = wbChallenges(get("challenges"), {
    begin: (title) => {
      const found = get("challenges").find((one) => one.title === title);
      begin(found.start, title);
    },
  });

  // Controls
  const starts = choice({
    label: "Start from",
    options: examples.map(([title]) => [title, title]),
    value: get("start"),
    onInput: (title) => begin(title),
  });
  starts.root.hidden = examples.length < 2;
  const about = html("p", { class: "wb-about" });
  const reset = button("Reset", () => {
    editor.replace(0, editor.field.value.length, textOf(get("start")));
    reset.focus();
  });
  const presses = Object.entries(wbUnits).map(([unit, name]) =>
    button(name, () => change(model, { unit }), { "data-unit": unit }),
  );
  const units = html(
    "div",
    { class: "wb-units", role: "group", "aria-label": "Bars show" },
    ...presses,
  );
  const link = () => {
    const page = keeps ? location.href : get("address");
    return page.split("#")[0] + wbAddress(get("text"), get("start"));
  };
  const spare = html(
    "label",
    { class: "wb-spare", hidden: true },
    "Copy it from here: ",
    html("input", { type: "text", readonly: true }),
  );
  const copyLink = button("Copy link", () => wbCopy(link(), copyLink, spare));
  copyLink.hidden = !keeps;
  const away = html("a", { class: "wb-away" }, "Open in the workshop");
  away.hidden = keeps || !onSite || !get("address");
  const copyCode = button("Copy as PyTorch", () =>
    wbCopy(wsToPytorch(get("text")), copyCode, spare),
  );
  const code = html("code", { class: "wb-code" });
  const codeFold = wbFold("As PyTorch", () => show(), wbRegion(code));
  const tableFold = wbFold("Every layer", () => show(), table.root);
  tableFold.open = !get("small");

  const beside = html("div", { class: "wb-beside" });
  el.replaceChildren(
    html(
      "div",
      { class: "wb" },
      message,
      html("div", { class: "cnn-row wb-tools" }, starts.root, about, reset),
      editor.root,
      problems.root,
      words,
      totals.root,
      story,
      challenges.root,
      beside,
      diagram.root,
      wbLegend(),
      html("div", { class: "cnn-row wb-share" }, copyLink, copyCode, away),
      spare,
      tableFold,
      codeFold,
    ),
  );
  const root = el.firstElementChild;
  root.classList.toggle("wb-small", get("small"));

  // What stands in folds is written when they are open; a long table follows
  // once the hand rests.
  const show = () => {
    if (tableFold.open) table.draw(network, get("unit"));
    if (codeFold.open) {
      const source = wsToPytorch(get("text"));
      fill(code, source || "# The code follows once every line fits.");
    }
    light();
  };
  const showSoon = () => {
    clearTimeout(showing);
    if (network.rows.length <= wbQuick) show();
    else showing = setTimeout(show, 150);
    light();
  };
  const light = (reveal = false) => {
    const line = hover ? hover.line : caret;
    const here = lines[line];
    const rows = hover?.row ? [hover.row] : (here?.rows ?? []);
    const lit = new Set(rows.map(({ index }) => index));
    editor.light(line);
    diagram.light(lit);
    if (tableFold.open) table.light(lit, reveal);
    if (!here) fill(words, "Put the caret on a line, and its sum stands here.");
    else if (here.error) fill(words, `Line ${line + 1} does not fit yet.`);
    else fill(words, wbSay({ ...here, rows }, line, network));
  };
  const draw = () => {
    const [text, start, unit] = ["text", "start", "unit"].map(get);
    network = wsParse(text);
    lines = wbLines(text, network);
    caret = Math.min(caret, lines.length - 1);
    hover = null;
    const now = wbMeasures(network);
    const then = origin();
    const known = examples.find(([title]) => title === start);
    if (!away.hidden) away.href = link();
    editor.set(text);
    editor.draw(lines, unit);
    problems.draw(network.problems);
    const wrong = network.problems.find(({ kind }) => kind === "error");
    const whole = network.totals.complete && !wrong;
    totals.draw(now, then, whole);
    const same = text === textOf(start);
    const name = start || "the network it began as";
    fill(story, wbStory(now, then, name, same, whole));
    const won = challenges.draw(get("challenge"), network, now);
    diagram.draw(network, width);
    starts.set(known ? start : "");
    fill(about, known?.[2] ?? "");
    for (const press of presses) {
      wbSet(press, "aria-pressed", String(press.dataset.unit === unit));
    }
    showSoon();
    return wrong
      ? `Line ${wrong.line}: ${wrong.says}`
      : `${won}${story.textContent}`;
  };

  // The address follows the text once the hand rests.
  const save = (way = "replaceState") => {
    clearTimeout(saving);
    saving = 0;
    if (!keeps) return;
    const [text, start] = [get("text"), get("start")];
    const first = text === home.text && start === home.start;
    const opened = wbHash.test(location.hash);
    if (first && way === "replaceState" && !opened) return;
    wbRemember(way, first ? "" : wbAddress(text, start));
  };
  const saveSoon = () => {
    if (!keeps) return;
    clearTimeout(saving);
    saving = setTimeout(save, 300);
  };
  const flush = () => saving && save();
  const open = () => {
    const found = wbOpened(location.hash);
    message.hidden = !found || found.text !== null;
    if (found?.text === null) {
      fill(message, "This link holds no network that can be read.");
    }
    if (found ? found.text === null : location.hash.length > 1) return;
    const from = examples.find(([title]) => wbSlug(title) === found?.from);
    const next = found
      ? { text: found.text, start: from?.[0] ?? get("start") }
      : home;
    caret = -1;
    change(model, next);
  };
  if (keeps && location.hash.length > 1) open();

  const seen = new ResizeObserver(([{ contentRect }]) => {
    if (!contentRect.width || contentRect.width === width) return;
    settle(contentRect.width);
    diagram.draw(network, width);
    light();
  });
  const settle = (next) => {
    width = next;
    const narrow = width < 544;
    root.classList.toggle("wb-narrow", narrow);
    if (units.parentNode === (narrow ? beside : editor.head)) return;
    (narrow ? beside : editor.head).append(units);
    (narrow ? beside : editor.sheet).append(editor.results);
  };
  settle(el.clientWidth || 640);
  draw();
  seen.observe(el);
  const unbind = bind(
    model,
    ["text", "start", "unit", "challenge"],
    batched(() => {
      announce(el, draw(), 900);
      saveSoon();
    }),
  );
  if (keeps) {
    addEventListener("popstate", open);
    addEventListener("pagehide", flush);
  }
  return () => {
    unbind();
    seen.disconnect();
    clearTimeout(showing);
    clearTimeout(saving);
    removeEventListener("popstate", open);
    removeEventListener("pagehide", flush);
  };
}

function wbFold(title, onToggle, ...inside) {
  return html(
    "details",
    { class: "wb-fold", ontoggle: onToggle },
    html("summary", {}, title),
    ...inside,
  );
}

function wbRegion(inside) {
  const region = { class: "wb-scroll", role: "region", tabindex: 0 };
  return html("div", { ...region, "aria-label": "PyTorch code" }, inside);
}

function wbLegend() {
  const kinds = [
    ["conv", "convolution"],
    ["pool", "pooling"],
    ["dense", "dense"],
  ];
  return html(
    "p",
    { class: "wb-legend" },
    ...kinds.map(([kind, name]) =>
      html("span", { class: `wb-${kind}` }, name),
    ),
    "A block's height: the root of its maps' side; its thickness: of their " +
      "number.",
  );
}

export default { render };
