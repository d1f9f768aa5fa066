// What did this neuron see? Choose a layer and a map; see what it answers to.
// The Python twins of the functions before nvRadios stand in __init__.py.

const nvTop = 14;
const nvTimes = "\u00a0×\u00a0";

function nvUnpack(text) {
  return text.replace(/(.)([f-z])/g, (_, sign, run) =>
    sign.repeat(run.charCodeAt(0) - 99));
}

function nvCut(text, side, [row, column, height, width]) {
  let part = "";
  for (let r = row; r < row + height; r += 1) {
    const start = side * r + column;
    part += text.slice(start, start + width);
  }
  return part;
}

function nvGrey(text) {
  return [...text].map(
    (sign) => 255 - Math.floor((255 * parseInt(sign, 16)) / nvTop),
  );
}

// Purple where ink says more, orange where it says less; the digit is faint.
function nvSigned(picture, digit) {
  const middle = nvTop / 2;
  return [...picture].map((sign, at) => {
    const level = parseInt(sign, 16) - middle;
    const paper = 255 - 5 * parseInt(digit[at], 16);
    return (level > 0 ? [84, 39, 136] : [179, 88, 6]).map(
      (full) => paper - Math.floor(((paper - full) * Math.abs(level)) / middle),
    );
  });
}

function nvHeat(left, digit, side, step) {
  const across = Math.floor(side / step);
  return [...digit].map((sign, at) => {
    const row = Math.floor(Math.floor(at / side) / step);
    const place = across * row + Math.floor((at % side) / step);
    const lost = nvTop - parseInt(left[place], 16);
    const shade = 2 * nvTop - parseInt(sign, 16);
    return [222, 104, 20].map((full) => {
      const colour = 255 - Math.floor(((255 - full) * lost) / nvTop);
      return Math.floor((colour * shade) / (2 * nvTop));
    });
  });
}

function nvNamed(label) {
  return label === 8 ? `an ${label}` : `a ${label}`;
}

function nvFind(data, unit) {
  const [name, channel] = unit.split(".");
  const layer = data.layers.find((one) => one.name === name);
  return [layer, layer.units.find((one) => String(one.channel) === channel)];
}

function nvSentence(data, unit) {
  const [layer, { channel, seen }] = nvFind(data, unit);
  const said = seen.map(({ label, value }) => `${nvNamed(label)} (${value})`);
  const [row, column, lost] = seen[0].worst;
  const last = said.pop();
  const many = said.length ? `${said.join(", ")} and ${last}` : last;
  return (
    `${layer.name}, map ${channel}: a unit can see ` +
    `${layer.field}${nvTimes}${layer.field} pixels. Of the test digits, ` +
    `this map answers most to ${many}. Cover ${data.cover}${nvTimes}` +
    `${data.cover} pixels of the first around row ${row}, column ` +
    `${column}, and the unit's answer falls by ${lost}\u00a0%.`
  );
}

function nvLabels({ digit, label, box, worst }) {
  const [row, column, height, width] = box;
  const [at, across, lost] = worst;
  return [
    `test digit ${digit}, ${nvNamed(label)}, with the window of the unit: ` +
      `${height} by ${width} pixels from row ${row}, column ${column}`,
    "the pixels inside the window",
    "what the deconvnet makes of the unit's answer: purple where ink says " +
      "more, orange where it says less",
    `how much covering takes: most, ${lost} %, around row ${at}, column ` +
      `${across}`,
  ];
}

function nvRadios(legend, onInput) {
  nvRadios.count = (nvRadios.count ?? 0) + 1;
  const name = `nv-radios-${nvRadios.count}-${Date.now()}`;
  const row = html("div");
  const root = html(
    "fieldset",
    { class: "nv-radios" },
    html("legend", { class: "cnn-name" }, legend),
    row,
  );
  const set = (options, value) => {
    const shown = [...row.children].map((label) => label.textContent);
    if (shown.join() !== options.join()) {
      const labels = options.map((option) => {
        const input = html("input", {
          type: "radio",
          name,
          value: option,
          onchange: () => onInput(option),
        });
        return html("label", {}, input, html("span", {}, option));
      });
      row.replaceChildren(...labels);
    }
    for (const input of row.querySelectorAll("input")) {
      input.checked = input.value === value;
    }
  };
  return { root, set };
}

// A square picture on a canvas, and over it the frame of a window.
function nvCell(side) {
  const canvas = html("canvas", { role: "img" });
  const rect = svg("rect");
  const frame = svg(
    "svg",
    { viewBox: `0 0 ${side} ${side}`, "aria-hidden": "true" },
    rect,
  );
  const root = html("div", { class: "nv-cell" }, canvas, frame);
  const set = (colours, width, box, label) => {
    const height = colours.length / width;
    canvas.width = width;
    canvas.height = height;
    canvas.setAttribute("aria-label", label);
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    colours.forEach((colour, i) => {
      const [r, g, b] = Array.isArray(colour) ? colour : Array(3).fill(colour);
      image.data.set([r, g, b, 255], 4 * i);
    });
    context.putImageData(image, 0, 0);
    frame.toggleAttribute("hidden", box === null);
    if (box) {
      ["x", "y", "width", "height"].forEach((name, i) =>
        rect.setAttribute(name, box[i]));
    }
  };
  return { root, set };
}

function nvRow(side) {
  const cells = [0, 1, 2, 3].map(() => nvCell(side));
  const head = html("th", { scope: "row" });
  const root = html(
    "tr",
    {},
    head,
    ...cells.map((cell) => html("td", {}, cell.root)),
  );
  const set = (data, one) => {
    const digit = nvUnpack(data.digits[one.digit]);
    const [row, column, height, width] = one.box;
    const [at, across] = one.worst;
    const before = Math.floor((data.cover - 1) / 2);
    const labels = nvLabels(one);
    head.replaceChildren(`${one.value} `,
      html("small", {}, nvNamed(one.label)));
    const patch = nvCut(digit, side, one.box);
    const frames = [
      [column, row, width, height],
      null,
      null,
      [across - before, at - before, data.cover, data.cover],
    ];
    [
      [nvGrey(digit), side],
      [nvGrey(patch), width],
      [nvSigned(nvUnpack(one.picture), patch), width],
      [nvHeat(nvUnpack(one.left), digit, side, data.step), side],
    ].forEach(([colours, wide], i) =>
      cells[i].set(colours, wide, frames[i], labels[i]));
  };
  return { root, set };
}

function render({ model, el }) {
  const data = model.get("data");
  const names = data.layers.map((layer) => layer.name);
  const chosen = () => nvFind(data, model.get("unit"));
  const show = (layer, at) => {
    const unit = layer.units[Math.min(at, layer.units.length - 1)];
    change(model, { unit: `${layer.name}.${unit.channel}` });
  };
  const layers = nvRadios("Layer", (name) => {
    const [layer, unit] = chosen();
    show(data.layers[names.indexOf(name)], layer.units.indexOf(unit));
  });
  const maps = nvRadios("Map", (channel) => {
    change(model, { unit: `${chosen()[0].name}.${channel}` });
  });
  const heads = ["answer", "digit", "patch", "deconvnet", "covered"];
  const rows = chosen()[1].seen.map(() => nvRow(data.side));
  const words = html("figcaption");
  el.replaceChildren(
    html(
      "figure",
      { class: "nv" },
      html("div", { class: "cnn-row nv-controls" }, layers.root, maps.root),
      html(
        "table",
        { class: "nv-table" },
        html(
          "thead",
          {},
          html("tr", {}, ...heads.map((head) =>
            html("th", { scope: "col" }, head))),
        ),
        html("tbody", {}, ...rows.map(({ root }) => root)),
      ),
      words,
    ),
  );
  const draw = () => {
    const [layer, unit] = chosen();
    layers.set(names, layer.name);
    maps.set(layer.units.map((one) => String(one.channel)),
      String(unit.channel));
    rows.forEach((row, i) => row.set(data, unit.seen[i]));
    fill(words, nvSentence(data, model.get("unit")));
  };
  draw();
  return bind(model, ["unit"], batched(() => {
    draw();
    announce(el, words.textContent);
  }));
}

export default { render };
