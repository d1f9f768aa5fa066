// The registry of claims: choose a network, a verdict, a source, or words.
// The Python twins of lgSentence and lgSegments stand in __init__.py.

const lgFares = {
  disagrees: ["≠", "disagrees", "disagree"],
  "rounds to": ["≈", "agrees once rounded", "agree once rounded"],
  confirmed: ["=", "agrees exactly", "agree exactly"],
  reported: ["“", "is reported only", "are reported only"],
};

function lgSentence(shown, total) {
  const count = Object.values(shown).reduce((sum, n) => sum + n, 0);
  if (!count) return `None of the ${total} claims fits.`;
  const of = count < total ? `${count} of ` : "";
  const noun = total === 1 ? "claim" : "claims";
  const fares = Object.entries(lgFares)
    .filter(([verdict]) => shown[verdict])
    .map(([verdict, [, one, many]]) =>
      `${shown[verdict]} ${shown[verdict] === 1 ? one : many}`);
  return `${of}${total} ${noun}: ${fares.join(", ")}.`;
}

function lgSegments(shown) {
  const total = Object.values(shown).reduce((sum, n) => sum + n, 0) || 1;
  const percent = (part) =>
    Math.floor((20000 * part + total) / (2 * total)) / 100;
  let start = 0;
  return Object.keys(lgFares).map((verdict) => {
    const count = shown[verdict] ?? 0;
    start += count;
    return [percent(start - count), percent(count)];
  });
}

function lgBar() {
  const parts = Object.entries(lgFares).map(([verdict, [sign]]) => {
    const rect = svg("rect", { height: "100%" });
    const text = svg("text", { y: "50%", dy: ".36em", "text-anchor": "middle" });
    fill(text, sign);
    return { rect, text, name: `lg-${verdict.replace(" ", "-")}` };
  });
  const root = svg(
    "svg",
    { class: "lg-bar", width: 600, height: 24, "aria-hidden": "true" },
    ...parts.map(({ rect, text, name }) =>
      svg("g", { class: name }, rect, text)),
  );
  const set = (shown) =>
    lgSegments(shown).forEach(([start, length], i) => {
      parts[i].rect.setAttribute("x", `${start}%`);
      parts[i].rect.setAttribute("width", `${length}%`);
      parts[i].text.setAttribute("x", `${start + length / 2}%`);
      parts[i].text.setAttribute("display", length >= 6 ? "" : "none");
    });
  return { root, set };
}

// The table stands in the page already; with a kernel it comes as a trait.
// On a phone its rows are laid out as cards: the roles keep it a table.
function lgTable(model, picture) {
  const [there] = picture.flatMap((node) =>
    [...(node.querySelectorAll?.(".lg-table") ?? [])]);
  const box = html("div");
  if (!there) box.innerHTML = model.get("_table");
  const table = there ?? box.firstElementChild;
  const roles = { THEAD: "rowgroup", TBODY: "rowgroup", TR: "row", TD: "cell" };
  for (const part of table.querySelectorAll("*")) {
    const role = part.scope === "col" ? "columnheader" : "rowheader";
    const own = part.tagName === "TH" ? role : roles[part.tagName];
    if (own) part.setAttribute("role", own);
  }
  table.setAttribute("role", "table");
  return table;
}

function render({ model, el, picture = [] }) {
  const get = (name) => model.get(name);
  const set = (values) => change(model, values);
  const table = lgTable(model, picture);
  const rows = [...table.tBodies[0].rows];
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const filters = ["network", "verdict", "source"];

  const controls = filters.map((name) =>
    choice({
      label: name[0].toUpperCase() + name.slice(1),
      options: [["", "all"], ...get("choices")[name]],
      value: get(name),
      onInput: (value) => set({ [name]: value }),
    }));
  const words = html("input", {
    type: "search",
    oninput: () => set({ search: words.value }),
  });
  const search = html(
    "div",
    { class: "cnn-control" },
    html("label", {}, html("span", { class: "cnn-name" }, "Words"), words),
  );
  const none = { network: "", verdict: "", source: "", search: "" };
  const all = button("Show all", () => {
    set(none);
    controls[0].select.focus();
  });
  const said = html("p", { class: "lg-words" });
  const bar = lgBar();
  const box = html(
    "div",
    { class: "lg-box", role: "region", tabindex: 0, "aria-label": "Claims" },
  );

  const draw = () => {
    const asked = get("search").toLowerCase().split(/\s+/);
    const shown = {};
    rows.forEach((row, i) => {
      const fits =
        filters.every((name) => !get(name) || row.dataset[name] === get(name)) &&
        asked.every((word) => texts[i].includes(word));
      row.hidden = !fits;
      const { verdict } = row.dataset;
      if (fits) shown[verdict] = (shown[verdict] ?? 0) + 1;
    });
    filters.forEach((name, i) => controls[i].set(get(name)));
    if (words.value !== get("search")) words.value = get("search");
    all.disabled = Object.keys(none).every((name) => !get(name));
    bar.set(shown);
    fill(said, lgSentence(shown, rows.length));
  };

  // A page that is opened at a claim shows it, whatever was filtered.
  const reveal = () => {
    const name = location.hash.slice(1);
    const row = name && rows.find(({ id }) => id === name);
    for (const other of rows) other.classList.toggle("lg-here", other === row);
    if (!row) return;
    if (row.hidden) set(none);
    queueMicrotask(() => {
      row.tabIndex = -1;
      row.focus({ preventScroll: true });
      row.scrollIntoView({ block: "center" });
    });
  };

  box.append(table);
  el.replaceChildren(
    html(
      "figure",
      { class: "lg lg-live" },
      html(
        "div",
        { class: "cnn-controls" },
        ...controls.map(({ root }) => root),
        search,
      ),
      bar.root,
      html("div", { class: "cnn-row lg-said" }, said, all),
      box,
    ),
  );
  draw();
  const stop = bind(model, Object.keys(none), batched(() => {
    draw();
    box.scrollTop = 0;
    announce(el, said.textContent);
  }));
  addEventListener("hashchange", reveal);
  addEventListener("load", reveal);
  reveal();
  return () => {
    stop();
    removeEventListener("hashchange", reveal);
    removeEventListener("load", reveal);
  };
}

export default { render };
