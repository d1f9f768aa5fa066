// A kernel walks over a grid: where it stops, what it reads, what it sums.
// The functions up to `convRespond` have their twins in __init__.py.

const CONV_CONTROLS = [
  ["size", "Input W", 1, 16],
  ["kernel", "Kernel F", 1, 7],
  ["stride", "Stride S", 1, 6],
  ["padding", "Padding P", 0, 4],
  ["dilation", "Dilation D", 1, 3],
];

const convMinus = (number) => String(number).replace("-", "−");

const convRange = (count) => [...Array(count).keys()];

function convWalk({ size, kernel, stride, padding, dilation, rounding }) {
  const output = outputSize(size, kernel, stride, padding, dilation, rounding);
  const span = dilation * (kernel - 1) + 1;
  const read = new Set();
  for (let place = 0; place < output; place += 1) {
    for (let tap = 0; tap < kernel; tap += 1) {
      read.add(place * stride + tap * dilation);
    }
  }
  const rest = size + 2 * padding - ((output - 1) * stride + span);
  return {
    output,
    span,
    unused: convRange(size).filter((i) => !read.has(i + padding)),
    unread_padding: Math.min(padding, Math.max(0, rest)),
    overhang: Math.max(0, -rest),
  };
}

// The formula in pieces, each with the setting that it comes from.
function convPieces(settings) {
  const { size, kernel, stride, padding, dilation, rounding } = settings;
  const { output } = convWalk(settings);
  const [left, right] = { floor: "⌊⌋", ceil: "⌈⌉", exact: ["", ""] }[rounding];
  const frame = (w, f, p, s, d) => [
    [`${left}(`],
    [w, "size"],
    [" − "],
    ...(dilation > 1
      ? [["("], [d, "dilation"], ["·("], [f, "kernel"], [" − 1) + 1)"]]
      : [[f, "kernel"]]),
    [" + 2·"],
    [p, "padding"],
    [") / "],
    [s, "stride"],
    [`${right} + 1`],
  ];
  const room = size + 2 * padding - dilation * (kernel - 1) - 1;
  const steps = (rounding === "ceil" ? Math.ceil : Math.floor)(room / stride);
  const ending =
    steps + 1 > output
      ? [[", less the window that would start past the input: "]]
      : [];
  return {
    symbols: frame("W", "F", "P", "S", "D"),
    numbers: [
      ...frame(size, kernel, padding, stride, dilation),
      [` = ${left}${convMinus(room)} / `],
      [stride, "stride"],
      [`${right} + 1 = ${convMinus(steps)} + 1 = `],
      ...(ending.length ? [[steps + 1], ...ending] : []),
      [output, "output"],
    ],
  };
}

function convFormula(settings) {
  return convPieces(settings)
    .numbers.map(([text]) => text)
    .join("");
}

function convWords(settings) {
  const way = convWalk(settings);
  const said = [`The output is ${way.output} × ${way.output}.`];
  let edge = settings.size;
  while (way.unused.includes(edge - 1)) edge -= 1;
  const lines = (positions) =>
    positions.length === 1
      ? `Row and column ${positions[0]} (counted from 0)`
      : `Rows and columns ${positions.join(", ")} (counted from 0)`;
  const off = way.unused.filter((i) => i >= edge);
  const between = way.unused.filter((i) => i < edge);
  if (off.length) {
    said.push(`${lines(off)} fall off the edge: no window reads them.`);
  }
  if (between.length) {
    said.push(`${lines(between)} lie between what the windows read.`);
  }
  if (!way.unused.length) said.push("Every input pixel is read.");
  if (way.unread_padding) {
    said.push(
      "The windows stop before the end of the padding: " +
        `${way.unread_padding} of ${settings.padding} after the input is ` +
        "not read.",
    );
  }
  if (way.overhang) {
    said.push(
      `The last window hangs over the edge by ${way.overhang}; what lies ` +
        "outside counts as nothing.",
    );
  }
  return said.join(" ");
}

function convImage(size) {
  const level = (down, right) => {
    const apart = 49 * size ** 2 - 100 * (down ** 2 + right ** 2);
    const value = Math.floor((560 * size + 3 * apart) / (140 * size));
    return Math.max(0, Math.min(9, value));
  };
  const middle = (i) => 2 * i + 1 - size;
  return convRange(size).map((row) =>
    convRange(size).map((column) => level(middle(row), middle(column))),
  );
}

function convWeights(kernel) {
  if (kernel === 1) return [[1]];
  const row = convRange(kernel).map((i) => Math.sign(2 * i - kernel + 1));
  return convRange(kernel).map(() => row);
}

// What the kernel reads at a place: null where a window hangs over the edge.
function convReads(settings, pixels, row, column) {
  const { size, kernel, stride, padding, dilation } = settings;
  return convRange(kernel).map((a) =>
    convRange(kernel).map((b) => {
      const y = row * stride + a * dilation - padding;
      const x = column * stride + b * dilation - padding;
      if (Math.max(x, y) >= size + padding) return null;
      return pixels[y]?.[x] ?? 0;
    }),
  );
}

function convRespond(settings) {
  const { output } = convWalk(settings);
  const pixels = convImage(settings.size);
  const taps = convWeights(settings.kernel).flat();
  return convRange(output).map((row) =>
    convRange(output).map((column) =>
      convReads(settings, pixels, row, column)
        .flat()
        .reduce((sum, value, i) => sum + value * taps[i], 0),
    ),
  );
}

// ---- The picture. A cell is 10 wide; what does not move is one string. ----

const convSquare = (x, y) => `M${10 * x} ${10 * y}h10v10h-10z`;

// Across two corners: the number between them stays legible.
const convHatch = (x, y) => `M${x} ${y + 5}l5 -5M${x + 5} ${y + 10}l5 -5`;

// Digits of one row in one text element: each takes its own place.
function convDigits(name, values, x, y) {
  const places = values.map((_, i) => 10 * (x + i) + 5).join(" ");
  return (
    `<text class="${name}" x="${places}" y="${10 * y + 5}" dy=".36em">` +
    `${values.join("")}</text>`
  );
}

function convInput(settings, way) {
  const { size, padding } = settings;
  const pixels = convImage(size);
  const side = size + 2 * padding;
  const paths = { pad: "", over: "", unread: "" };
  const levels = Array(10).fill("");
  let texts = "";
  for (let y = 0; y < side + way.overhang; y += 1) {
    for (let x = 0; x < side + way.overhang; x += 1) {
      const [row, column] = [y - padding, x - padding];
      if (Math.max(x, y) >= side) paths.over += convSquare(x, y);
      else if (pixels[row]?.[column] === undefined) {
        paths.pad += convSquare(x, y);
      } else {
        levels[pixels[row][column]] += convSquare(x, y);
        if (way.unused.includes(row) || way.unused.includes(column)) {
          paths.unread += convHatch(10 * x, 10 * y);
        }
      }
    }
  }
  const zeros = Array(padding).fill(0);
  for (let y = 0; y < side; y += 1) {
    const inside = pixels[y - padding];
    if (inside) texts += convDigits("ce-digit", inside, padding, y);
    if (!padding) continue;
    if (inside) {
      texts += convDigits("ce-zero", zeros, 0, y);
      texts += convDigits("ce-zero", zeros, padding + size, y);
    } else texts += convDigits("ce-zero", Array(side).fill(0), 0, y);
  }
  const shades = levels.map(
    (d, v) => `<path class="ce-cell" fill-opacity="${v / 30}" d="${d}"/>`,
  );
  return (
    `${shades.join("")}<path class="ce-over" d="${paths.over}"/>` +
    `<path class="ce-pad" d="${paths.pad}"/>${texts}` +
    `<path class="ce-unread" d="${paths.unread}"/>` +
    `<rect class="ce-border" x="${10 * padding}" y="${10 * padding}" ` +
    `width="${10 * size}" height="${10 * size}"/>`
  );
}

function convOutput(answers) {
  const most = Math.max(1, ...answers.flat().map(Math.abs));
  const name = most > 99 ? "ce-answer ce-long" : "ce-answer";
  let cells = "";
  answers.forEach((line, y) => {
    line.forEach((value, x) => {
      const sign = value < 0 ? "ce-minus" : "ce-plus";
      cells +=
        `<rect class="ce-out ${sign}" x="${10 * x}" y="${10 * y}" ` +
        `width="10" height="10" ` +
        `fill-opacity="${((0.45 * Math.abs(value)) / most).toFixed(2)}"/>` +
        `<text class="${name}" x="${10 * x + 5}" y="${10 * y + 5}" ` +
        `dy=".36em">${convMinus(value)}</text>`;
    });
  });
  return cells;
}

function convKernel(kernel) {
  return convWeights(kernel)
    .flatMap((row, y) =>
      row.map(
        (weight, x) =>
          `<rect class="ce-tap" x="${10 * x}" y="${10 * y}" width="10" ` +
          `height="10"/><text class="ce-answer" x="${10 * x + 5}" ` +
          `y="${10 * y + 5}" dy=".36em">${convMinus(weight)}</text>`,
      ),
    )
    .join("");
}

// One line for each row of the kernel, then the sum of the lines.
function convSum(settings, row, column) {
  const taps = convWeights(settings.kernel);
  const reads = convReads(settings, convImage(settings.size), row, column);
  const signed = (value) => (value < 0 ? `(${convMinus(value)})` : value);
  const sums = reads.map((line, a) =>
    line.reduce((sum, value, b) => sum + value * taps[a][b], 0),
  );
  const total = sums.reduce((sum, value) => sum + value, 0);
  const lines = reads.map((line, a) => {
    const terms = line.map((value, b) =>
      value === null ? "·" : `${value}·${signed(taps[a][b])}`,
    );
    return `${terms.join(" + ")} = ${convMinus(sums[a])}`;
  });
  return { lines: settings.kernel <= 5 ? lines : [], sums, total, signed };
}

function render({ model, el }) {
  const names = ["size", "kernel", "stride", "padding", "dilation", "rounding"];
  const read = () =>
    Object.fromEntries(names.map((name) => [name, model.get(name)]));
  let settings = read();
  let way = null;

  const sliders = Object.fromEntries(
    CONV_CONTROLS.map(([name, label, min, max]) => [
      name,
      slider({
        label,
        min,
        max,
        value: settings[name],
        onInput: (value) => change(model, { [name]: value }),
      }),
    ]),
  );
  const rounding = choice({
    label: "Rounding",
    options: [
      ["floor", "floor ⌊ ⌋"],
      ["ceil", "ceil ⌈ ⌉"],
      ["exact", "exact"],
    ],
    value: settings.rounding,
    onInput: (value) => change(model, { rounding: value }),
  });
  const place = slider({
    label: "Window at",
    min: 0,
    max: 0,
    value: 0,
    onInput: (value) => go(value),
  });
  const play = player({
    label: "Play",
    pause: 450,
    step: () => {
      if (!way) return false;
      const last = way.output ** 2 - 1;
      const next = position() === last ? 0 : position() + 1;
      go(next);
      return next < last;
    },
  });

  const symbols = html("p", { class: "ce-symbols" });
  const numbers = html("p", { class: "ce-numbers" });
  const message = html("p", { class: "cnn-message", hidden: true });
  const input = svg("svg", { role: "img" });
  const kernel = svg("svg", { role: "img" });
  const output = svg("svg", { role: "img" });
  const ground = svg("g");
  const window_ = svg("rect", { class: "ce-window" });
  const taps = svg("path", { class: "ce-tap" });
  input.append(ground, taps, window_);
  const cells = svg("g");
  const here = svg("rect", { class: "ce-here", width: 10, height: 10 });
  output.append(cells, here);
  const sum = html("div", { class: "ce-sum" });
  const part = (name, picture, text) =>
    html("div", { class: name }, html("p", { class: "ce-title" }, text), picture);
  const stage = html(
    "div",
    { class: "ce-stage" },
    part("ce-input", input, "Input"),
    html(
      "div",
      { class: "ce-side" },
      part("ce-output", output, "Output"),
      part("ce-kernel", kernel, "Kernel"),
      html("div", {}, html("p", { class: "ce-title" }, "Products"), sum),
    ),
  );
  const walkBar = html("div", { class: "ce-walk" }, play.root, place.root);
  const words = html("figcaption", {});
  const figure = html("figure", {}, stage, walkBar, words);
  const root = html(
    "div",
    { class: "ce" },
    html(
      "div",
      { class: "cnn-controls" },
      ...Object.values(sliders).map((control) => control.root),
      rounding.root,
    ),
    html("div", { class: "ce-formula" }, symbols, numbers),
    message,
    figure,
  );
  fill(el, root);

  const position = () =>
    Math.min(model.get("position"), way ? way.output ** 2 - 1 : 0);
  const go = (next) => {
    const last = way.output ** 2 - 1;
    change(model, { position: Math.max(0, Math.min(last, next)) });
  };
  const pieces = (list) =>
    list.map(([text, name]) =>
      name ? html("span", { class: `ce-${name}-ink` }, text) : String(text),
    );

  // Everything that the settings decide.
  const drawGround = () => {
    settings = read();
    for (const [name, control] of Object.entries(sliders)) {
      control.set(settings[name]);
    }
    rounding.set(settings.rounding);
    try {
      way = convWalk(settings);
      fill(message, "");
    } catch (error) {
      way = null;
      fill(message, error.message);
      play.stop();
    }
    message.hidden = way !== null;
    figure.hidden = numbers.hidden = way === null;
    if (!way) {
      announce(el, message.textContent);
      return;
    }
    const formula = convPieces(settings);
    fill(symbols, ...pieces(formula.symbols));
    fill(numbers, ...pieces(formula.numbers));
    const side = settings.size + 2 * settings.padding + way.overhang;
    stage.style.setProperty("--ce-in", side);
    stage.style.setProperty("--ce-out", Math.max(way.output, settings.kernel));
    stage.dataset.many = String(side > 15);
    frame(input, side);
    frame(output, way.output);
    frame(kernel, settings.kernel);
    ground.innerHTML = convInput(settings, way);
    cells.innerHTML = convOutput(convRespond(settings));
    kernel.innerHTML = convKernel(settings.kernel);
    input.setAttribute(
      "aria-label",
      `Input of ${settings.size} × ${settings.size} numbers, a disc, with ` +
        `padding ${settings.padding}`,
    );
    output.setAttribute(
      "aria-label",
      `Output of ${way.output} × ${way.output} numbers`,
    );
    kernel.setAttribute(
      "aria-label",
      `Kernel of ${settings.kernel} × ${settings.kernel} weights`,
    );
    fill(words, convWords(settings));
    place.input.max = way.output ** 2 - 1;
    place.root.hidden = play.root.hidden = way.output === 1;
    drawPlace();
    announce(el, `${convFormula(settings)}. ${words.textContent}`);
  };
  const frame = (picture, cellsAcross) => {
    const length = 10 * cellsAcross + 2;
    picture.setAttribute("viewBox", `-1 -1 ${length} ${length}`);
    picture.style.setProperty("--ce-cells", cellsAcross);
  };

  // What moves with the window.
  const drawPlace = () => {
    if (!way) return;
    const row = Math.floor(position() / way.output);
    const column = position() % way.output;
    const [top, left] = [row * settings.stride, column * settings.stride];
    let d = "";
    for (let a = 0; a < settings.kernel; a += 1) {
      for (let b = 0; b < settings.kernel; b += 1) {
        const { dilation } = settings;
        d += convSquare(left + b * dilation, top + a * dilation);
      }
    }
    taps.setAttribute("d", d);
    setAll(window_, {
      x: 10 * left,
      y: 10 * top,
      width: 10 * way.span,
      height: 10 * way.span,
    });
    setAll(here, { x: 10 * column, y: 10 * row });
    const where = `row ${row}, column ${column}`;
    place.set(position(), where);
    place.input.setAttribute("aria-valuetext", where);
    const { lines, sums, total, signed } = convSum(settings, row, column);
    const adds = sums.map((value, i) => (i ? signed(value) : convMinus(value)));
    fill(
      sum,
      ...lines.map((line) => html("p", {}, line)),
      html(
        "p",
        {},
        settings.kernel > 1 ? `${adds.join(" + ")} = ` : "",
        html("strong", {}, convMinus(total)),
      ),
    );
  };
  const setAll = (node, values) => {
    for (const [name, value] of Object.entries(values)) {
      node.setAttribute(name, value);
    }
  };

  // Point at the input or at the output: the window goes there.
  const pointAt = (picture, toPlace) => {
    const follow = (event) => {
      if (!way || !(event.buttons & 1)) return;
      const box = picture.getBoundingClientRect();
      const scale = picture.viewBox.baseVal.width / 10 / box.width;
      const inside = (v) => Math.max(0, Math.min(way.output - 1, toPlace(v)));
      const row = inside((event.clientY - box.top) * scale - 0.1);
      const column = inside((event.clientX - box.left) * scale - 0.1);
      play.stop();
      go(row * way.output + column);
    };
    picture.addEventListener("pointermove", follow);
    picture.addEventListener("pointerdown", (event) => {
      follow(event);
      event.preventDefault();
      place.input.focus({ preventScroll: true, focusVisible: false });
    });
  };
  pointAt(output, Math.floor);
  pointAt(input, (at) => Math.round((at - way.span / 2) / settings.stride));

  walkBar.addEventListener("keydown", (event) => {
    if (!way || event.altKey || event.ctrlKey || event.metaKey) return;
    const steps = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -way.output,
      ArrowDown: way.output,
    };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    play.stop();
    const next = position() + step;
    if (next >= 0 && next < way.output ** 2) go(next);
  });

  const freeGround = bind(model, names, batched(drawGround));
  const freePlace = bind(model, ["position"], batched(drawPlace));
  drawGround();
  return () => {
    play.stop();
    freeGround();
    freePlace();
  };
}

export default { render };
