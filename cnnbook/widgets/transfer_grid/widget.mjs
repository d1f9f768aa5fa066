// Transfer learning, measured: source, freezing depth, labelled examples.
// The functions up to `tgCurves` have their twins in __init__.py.

const TG = { height: 210, bottom: 180, top: 12, least: 100, most: 9000 };
const TG_TICKS = [200, 500, 1000, 2000, 5000];
const TG_SHAPES = [
  "M-4 -4H4V4H-4Z",
  "M0 -5L5 0L0 5L-5 0Z",
  "M0 -5L5 4H-5Z",
  "M0 5L5 -4H-5Z",
  "M-4 0A4 4 0 1 0 4 0A4 4 0 1 0 -4 0Z",
];

function tgPercent(error) {
  const tenths = Math.floor((error + 5) / 10);
  return `${Math.floor(tenths / 10)}.${tenths % 10}`;
}

function tgBest(errors, column) {
  let row = 0;
  errors.forEach((cells, i) => {
    if (cells[column][0] < errors[row][column][0]) row = i;
  });
  return row;
}

function tgTies(errors, column) {
  const [mean, std] = errors[tgBest(errors, column)][column];
  return errors.filter((cells) => cells[column][0] <= mean + std).length - 1;
}

function tgDepth(frozen) {
  if (frozen < 2) return ["nothing", "1 block"][frozen];
  return `${frozen === 4 ? "all " : ""}${frozen} blocks`;
}

const tgOne = (data, source) =>
  data.sources.find((one) => one.key === source);

function tgSentence(data, source, frozen, examples) {
  const column = data.examples.indexOf(examples);
  const { name, errors, before, after } = tgOne(data, source);
  const [mean, std] = errors[frozen][column];
  const top = tgBest(errors, column);
  const near = tgTies(errors, column);
  let said =
    `${name[0].toUpperCase()}${name.slice(1)}, ${tgDepth(frozen)} frozen, ` +
    `${examples} example${examples > 1 ? "s" : ""} of each digit: ` +
    `${tgPercent(mean)} ± ${tgPercent(std)} % wrong, over ${data.seeds} ` +
    "seeds. ";
  said +=
    top === frozen
      ? "No other depth is better here"
      : `Better here: ${tgDepth(top)} frozen, ` +
        `${tgPercent(errors[top][column][0])} %`;
  said += `; ${near || "no"} other${near === 1 ? "" : "s"} within its spread.`;
  if (source !== "none") {
    const scratch = data.sources.at(-1).errors[0][column][0];
    said += ` From scratch it is ${tgPercent(scratch)} %.`;
  }
  if (before) {
    said +=
      ` The source itself: ${tgPercent(before[0])} % wrong before, ` +
      `${tgPercent(after[frozen][column][0])} % after.`;
  }
  return said;
}

// ---- Pictures ----

const tgTint = (error) => Math.min(45, Math.floor(error / 120));

function tgTable(data, source, frozen, examples) {
  const { name, errors } = tgOne(data, source);
  const counts = data.examples;
  const heads = counts.map((count) => `<th scope="col">${count}</th>`);
  const rows = errors.map((cells, row) => {
    const drawn = cells.map(([mean, std], column) => {
      const star = tgBest(errors, column) === row ? "★ " : "";
      const chosen = row === frozen && counts[column] === examples;
      return (
        `<td data-row="${row}" data-count="${counts[column]}"` +
        `${chosen ? ' aria-current="true"' : ""} ` +
        `style="--tg: ${tgTint(mean)}%">${star}${tgPercent(mean)}` +
        `<small> ± ${tgPercent(std)}</small></td>`
      );
    });
    return `<tr><th scope="row">${row}</th>${drawn.join("")}</tr>`;
  });
  return (
    `<table class="tg-table"><caption>Wrong, in %, from ${name}: blocks ` +
    "frozen (rows) by examples of each digit (columns); ★ the least of its " +
    'column</caption><thead><tr><th scope="col">' +
    `<span class="cnn-hidden">frozen</span></th>${heads.join("")}` +
    `</tr></thead><tbody>${rows.join("")}</tbody></table>`
  );
}

function tgHeight(error) {
  const { least, most, bottom, top } = TG;
  const inside = Math.min(Math.max(error, least), most);
  const share = Math.log(inside / least) / Math.log(most / least);
  return bottom - (bottom - top) * share;
}

const tgX = (counts, column) =>
  `${(8 + (88 * column) / (counts.length - 1)).toFixed(2)}%`;

function tgCurves(data, source, frozen, examples) {
  const counts = data.examples;
  const x = (column) => tgX(counts, column);
  const y = (error) => tgHeight(error).toFixed(1);
  const text = (place, words) =>
    `<text ${place} font-size="12" fill="currentColor">${words}</text>`;
  const line = (x1, x2, y1, y2) =>
    `<line x1="${x1}" x2="${x2}" y1="${y1}" y2="${y2}" ` +
    'stroke="currentColor"/>';
  let drawn = "";
  for (const tick of TG_TICKS) {
    const place = `x="4%" y="${y(tick)}" dy=".35em" text-anchor="end"`;
    drawn +=
      `<line class="tg-grid" x1="5%" x2="99%" y1="${y(tick)}" ` +
      `y2="${y(tick)}" stroke="currentColor" stroke-opacity="0.2"/>` +
      text(place, Math.floor(tick / 100));
  }
  counts.forEach((count, column) => {
    const place = `x="${x(column)}" y="${TG.bottom + 20}"`;
    drawn += text(`${place} text-anchor="middle"`, count);
  });
  const at = x(counts.indexOf(examples));
  drawn +=
    `<line class="tg-at" x1="${at}" x2="${at}" y1="${TG.top}" ` +
    `y2="${TG.bottom}" stroke="currentColor" stroke-dasharray="2 3"/>`;
  const places = data.sources.map((_, place) => place);
  const chosen = places.filter((i) => data.sources[i].key === source);
  const others = places.filter((i) => data.sources[i].key !== source);
  for (const place of [...others, ...chosen]) {
    const cells = data.sources[place].errors[frozen];
    const mark = chosen.includes(place) ? " tg-chosen" : "";
    drawn += `<g class="tg-${place}${mark}">`;
    cells.forEach(([mean, std], column) => {
      if (column) {
        const last = cells[column - 1][0];
        drawn += line(x(column - 1), x(column), y(last), y(mean));
      }
      drawn +=
        line(x(column), x(column), y(mean + std), y(mean - std)) +
        `<svg x="${x(column)}" y="${y(mean)}" overflow="visible" ` +
        'aria-hidden="true">' +
        `<path d="${TG_SHAPES[place]}" fill="currentColor"/></svg>`;
    });
    drawn += "</g>";
  }
  const legend = data.sources.map(
    ({ name }, place) =>
      `<li class="tg-${place}"><svg width="14" height="12" ` +
      `aria-hidden="true"><path d="${TG_SHAPES[place]}" ` +
      `transform="translate(7 6)" fill="currentColor"/></svg>${name}</li>`,
  );
  return (
    `<p class="tg-title">Wrong, in %, with ${tgDepth(frozen)} frozen, from ` +
    "every source, by examples of each digit</p>" +
    `<svg class="tg-curves" width="600" height="${TG.height}" role="img" ` +
    'aria-label="Wrong in % on a logarithmic scale, against examples of ' +
    `each digit, with ${tgDepth(frozen)} frozen: a curve a source; the ` +
    `table has the numbers of the chosen one">${drawn}</svg>` +
    `<ul class="tg-legend">${legend.join("")}</ul>`
  );
}

// ---- The view ----

function render({ model, el }) {
  const data = model.get("data");
  const names = ["source", "frozen", "examples"];
  const read = () => names.map((name) => model.get(name));
  const [source, frozen, examples] = read();
  const controls = {
    source: choice({
      label: "Source",
      options: data.sources.map(({ key, name }) => [key, name]),
      value: source,
      onInput: (value) => change(model, { source: value }),
    }),
    frozen: slider({
      label: "Blocks frozen",
      min: 0,
      max: data.sources[0].errors.length - 1,
      value: frozen,
      onInput: (value) => change(model, { frozen: value }),
    }),
    examples: slider({
      label: "Examples of each digit",
      min: 0,
      max: data.examples.length - 1,
      value: data.examples.indexOf(examples),
      onInput: (place) => change(model, { examples: data.examples[place] }),
    }),
  };
  const grid = html("div", {
    onclick: ({ target }) => {
      const cell = target.closest("td[data-row]");
      if (!cell) return;
      const { row, count } = cell.dataset;
      change(model, { frozen: Number(row), examples: Number(count) });
    },
  });
  const plot = html("div");
  const words = html("figcaption");
  fill(
    el,
    html(
      "div",
      { class: "cnn-controls" },
      ...Object.values(controls).map(({ root }) => root),
    ),
    html("figure", { class: "tg" }, words, grid, plot),
  );
  let drawn = {};
  const draw = () => {
    const [chosen, depth, count] = read();
    controls.source.set(chosen);
    controls.frozen.set(depth);
    controls.examples.set(data.examples.indexOf(count), String(count));
    const { input, shown } = controls.examples;
    input.setAttribute("aria-valuetext", shown.textContent);
    if (drawn.chosen !== chosen) {
      grid.innerHTML = tgTable(data, chosen, depth, count);
    } else {
      const cell = `td[data-row="${depth}"][data-count="${count}"]`;
      grid.querySelector("[aria-current]").removeAttribute("aria-current");
      grid.querySelector(cell).setAttribute("aria-current", "true");
    }
    if (drawn.chosen !== chosen || drawn.depth !== depth) {
      plot.innerHTML = tgCurves(data, chosen, depth, count);
    } else {
      const at = tgX(data.examples, data.examples.indexOf(count));
      const line = plot.querySelector(".tg-at");
      for (const end of ["x1", "x2"]) line.setAttribute(end, at);
    }
    drawn = { chosen, depth };
    fill(words, tgSentence(data, chosen, depth, count));
    announce(el, words.textContent);
  };
  draw();
  return bind(model, names, batched(draw));
}

export default { render };
