// What the drawing page computes: the paper, how the data set would have
// stored what lies on it, and the LeNet-5 of 1998, unit by unit.
// The paper's Python twin stands in __init__.py; the network's is torch.

const ddPaper = 128; // cells a side; four of them are one pixel of the field
const ddField = 32; // what the network reads
const ddBox = 28; // the part of the field that a stored digit fills
const ddSide = 20; // a stored digit
const ddTall = (ddSide * 20) / 28; // pixels of its longer side
const ddCentre = (ddSide * 14.5) / 28; // where its centre of mass lies

// ---- From the paper to the field ----

// Lay ink along a stretch of the pen; a cell keeps the most it ever got.
function ddStretch(ink, radius, x0, y0, x1, y1) {
  const reach = radius + 1;
  const first = (a, b) => Math.max(0, Math.floor(Math.min(a, b) - reach));
  const last = (a, b) =>
    Math.min(ddPaper - 1, Math.floor(Math.max(a, b) + reach));
  const [dx, dy] = [x1 - x0, y1 - y0];
  const square = dx * dx + dy * dy;
  for (let row = first(y0, y1); row <= last(y0, y1); row += 1) {
    for (let column = first(x0, x1); column <= last(x0, x1); column += 1) {
      const [px, py] = [column + 0.5 - x0, row + 0.5 - y0];
      const along = square === 0 ? 0 : (px * dx + py * dy) / square;
      const t = Math.min(1, Math.max(0, along));
      const [ax, ay] = [px - t * dx, py - t * dy];
      const far = Math.sqrt(ax * ax + ay * ay);
      const here = Math.min(1, Math.max(0, radius + 0.5 - far));
      const at = row * ddPaper + column;
      if (here > ink[at]) ink[at] = here;
    }
  }
}

// A stroke is a radius and the points that the pen went through.
function ddStroke(ink, [radius, ...points], [right, down]) {
  const x = (i) => points[i] + 4 * right;
  const y = (i) => points[i + 1] + 4 * down;
  for (let i = 0; i < points.length; i += 2) {
    const from = Math.max(0, i - 2);
    ddStretch(ink, radius, x(from), y(from), x(i), y(i));
  }
}

// A stored digit, enlarged as training.prepare does it, on a sheet of `side`
// pixels, moved by pixels of that sheet. From 0 to 1.
function ddEnlarge(sheet, picture, side, right, down) {
  const place = (n) => (((n + 0.5) / side - 0.5) * (ddField / ddBox) + 0.5)
    * ddSide - 0.5;
  const pixel = (row, column) =>
    row < 0 || column < 0 || row >= ddSide || column >= ddSide
      ? 0
      : picture[row * ddSide + column];
  for (let row = 0; row < side; row += 1) {
    const y = place(row - down);
    const top = Math.floor(y);
    for (let column = 0; column < side; column += 1) {
      const x = place(column - right);
      const left = Math.floor(x);
      const [below, beside] = [y - top, x - left];
      sheet[row * side + column] =
        (1 - below) * ((1 - beside) * pixel(top, left) +
          beside * pixel(top, left + 1)) +
        below * ((1 - beside) * pixel(top + 1, left) +
          beside * pixel(top + 1, left + 1));
    }
  }
}

// Everything that lies on the paper, drawn anew.
function ddInk(ink, { picture, strokes, move: [right, down] }, pixels) {
  if (picture) ddEnlarge(ink, pixels, ddPaper, 4 * right, 4 * down);
  else ink.fill(0);
  for (const stroke of strokes) ddStroke(ink, stroke, [right, down]);
}

// Where ink lies: the cells of a pixel and the centre of mass; null for none.
function ddMeasure(ink) {
  let [top, bottom, left, right] = [ddPaper, -1, ddPaper, -1];
  let [mass, x, y] = [0, 0, 0];
  for (let row = 0; row < ddPaper; row += 1) {
    for (let column = 0; column < ddPaper; column += 1) {
      const here = ink[row * ddPaper + column];
      if (here === 0) continue;
      mass += here;
      x += here * (column + 0.5);
      y += here * (row + 0.5);
      if (here < 0.5) continue;
      top = Math.min(top, row);
      bottom = Math.max(bottom, row);
      left = Math.min(left, column);
      right = Math.max(right, column);
    }
  }
  if (bottom < 0) return null;
  const longer = Math.max(bottom - top, right - left) + 1;
  return { cells: longer / ddTall, x: x / mass, y: y / mass };
}

// How much of a line of `count` cells lies between two places.
function ddBetween(sums, from, to) {
  const until = (place) => {
    const t = Math.min(ddPaper, Math.max(0, place));
    const whole = Math.min(ddPaper - 1, Math.floor(t));
    return sums[whole] + (t - whole) * (sums[whole + 1] - sums[whole]);
  };
  return until(to) - until(from);
}

const ddSums = new Float64Array(ddPaper + 1);
const ddHalf = new Float64Array(ddPaper * ddSide);

// As the data set stores a digit: its longer side as long as theirs, its
// centre of mass where theirs lies, each pixel the mean of what it covers.
function ddNormalise(stored, ink, { cells, x, y }) {
  for (let row = 0; row < ddPaper; row += 1) {
    for (let i = 0; i < ddPaper; i += 1) {
      ddSums[i + 1] = ddSums[i] + ink[row * ddPaper + i];
    }
    for (let column = 0; column < ddSide; column += 1) {
      const from = x + (column - ddCentre) * cells;
      ddHalf[row * ddSide + column] =
        ddBetween(ddSums, from, from + cells) / cells;
    }
  }
  for (let column = 0; column < ddSide; column += 1) {
    for (let i = 0; i < ddPaper; i += 1) {
      ddSums[i + 1] = ddSums[i] + ddHalf[i * ddSide + column];
    }
    for (let row = 0; row < ddSide; row += 1) {
      const from = y + (row - ddCentre) * cells;
      stored[row * ddSide + column] =
        ddBetween(ddSums, from, from + cells) / cells;
    }
  }
}

const ddStored = new Float64Array(ddSide * ddSide);

// What the network reads, from -0.1 for paper to 1.175 for ink. The answer
// says where the field lies on the paper: { x, y, cells }, cells a pixel.
function ddRead(field, ink, drawing, pixels) {
  const { picture, strokes, centred, move: [right, down] } = drawing;
  let place = { x: 0, y: 0, cells: 4 };
  if (picture && strokes.length === 0) {
    if (centred) place = { x: 4 * right, y: 4 * down, cells: 4 };
    ddEnlarge(field, pixels, ddField, centred ? 0 : right, centred ? 0 : down);
  } else if (centred) {
    const found = ddMeasure(ink);
    if (found) {
      ddNormalise(ddStored, ink, found);
      const cells = (found.cells * ddSide) / ddBox;
      const edge = (ddField - ddBox) / 2;
      const start = (at) => at - ddCentre * found.cells - edge * cells;
      place = { x: start(found.x), y: start(found.y), cells };
    } else ddStored.fill(0);
    ddEnlarge(field, ddStored, ddField, 0, 0);
  } else {
    ddShrink(field, ink);
  }
  for (let i = 0; i < field.length; i += 1) field[i] = 1.275 * field[i] - 0.1;
  return place;
}

// The paper as it lies: each pixel is the mean of four by four cells.
function ddShrink(field, ink) {
  field.fill(0);
  for (let row = 0; row < ddPaper; row += 1) {
    for (let column = 0; column < ddPaper; column += 1) {
      const at = Math.floor(row / 4) * ddField + Math.floor(column / 4);
      field[at] += ink[row * ddPaper + column] / 16;
    }
  }
}

// ---- The network ----

function ddBytes(text) {
  return Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
}

function ddPixels(text) {
  return Float64Array.from(ddBytes(text), (level) => level / 255);
}

// The layers, each with its weights as torch would have them.
function ddLayers({ table, weights, numbers, prototypes }) {
  const bytes = new Int8Array(ddBytes(weights).buffer);
  const floats = new Float32Array(ddBytes(numbers).buffer);
  let [byte, float] = [0, 0];
  const take = (count) =>
    Float64Array.from(floats.subarray(float, (float += count)));
  const learnt = (groups, each) => {
    const scales = take(groups);
    return Float64Array.from(
      bytes.subarray(byte, (byte += groups * each)),
      (step, i) => Math.fround(step * scales[Math.floor(i / each)]),
    );
  };
  const all = (maps, inputs) =>
    Array.from({ length: maps }, () => [...Array(inputs).keys()]);
  // A dense layer is a convolution over maps of one pixel. One that shares a
  // scale among the kernels of a map has `groups` scales, else one a kernel.
  const conv = (name, joins, groups, kernel, from, to) => {
    const pairs = joins.flat().length;
    const each = (kernel * kernel * pairs) / groups;
    return {
      name, kind: "conv", table: joins, kernel, from, to,
      maps: joins.length,
      weight: learnt(groups, each),
      bias: take(joins.length),
      starts: ddStarts(joins, kernel),
    };
  };
  const pool = (name, maps, from) => ({
    name, kind: "pool", maps, kernel: 2, from, to: from / 2,
    weight: take(maps),
    bias: take(maps),
  });
  const layers = [
    conv("c1", all(6, 1), 6, 5, 32, 28),
    pool("s2", 6, 28),
    conv("c3", table, 60, 5, 14, 10),
    pool("s4", 16, 10),
    conv("c5", all(120, 16), 120, 5, 5, 1),
    conv("f6", all(84, 120), 84, 1, 1, 1),
    {
      name: "output", kind: "rbf", maps: 10, kernel: 1, from: 1, to: 1,
      prototypes: prototypes.map((signs) =>
        Float64Array.from(signs, (sign) => (sign === "#" ? 1 : -1))),
    },
  ];
  for (const layer of layers) {
    layer.out = new Float64Array(layer.maps * layer.to * layer.to);
  }
  return layers;
}

// Where the kernels of each map begin.
function ddStarts(table, kernel) {
  let start = 0;
  return table.map((row) => {
    const here = start;
    start += row.length * kernel * kernel;
    return here;
  });
}

function ddSquash(x) {
  return 1.7159 * Math.tanh((2 * x) / 3);
}

function ddForward(layers, field) {
  let x = field;
  for (const layer of layers) {
    if (layer.kind === "conv") ddConv(layer, x);
    else if (layer.kind === "pool") ddPool(layer, x);
    else ddRbf(layer, x);
    x = layer.out;
  }
  return x;
}

function ddConv({ table, kernel, from, to, weight, bias, out }, x) {
  const area = to * to;
  let w = 0;
  for (let map = 0; map < table.length; map += 1) {
    const start = map * area;
    out.fill(bias[map], start, start + area);
    for (const input of table[map]) {
      for (let ky = 0; ky < kernel; ky += 1) {
        for (let kx = 0; kx < kernel; kx += 1, w += 1) {
          const share = weight[w];
          for (let row = 0; row < to; row += 1) {
            const at = (input * from + row + ky) * from + kx;
            const place = start + row * to;
            for (let column = 0; column < to; column += 1) {
              out[place + column] += share * x[at + column];
            }
          }
        }
      }
    }
  }
  for (let i = 0; i < out.length; i += 1) out[i] = ddSquash(out[i]);
}

function ddPool({ maps, from, to, weight, bias, out }, x) {
  let place = 0;
  for (let map = 0; map < maps; map += 1) {
    for (let row = 0; row < to; row += 1) {
      let at = (map * from + 2 * row) * from;
      for (let column = 0; column < to; column += 1, at += 2, place += 1) {
        const sum = x[at] + x[at + 1] + x[at + from] + x[at + from + 1];
        out[place] = ddSquash(weight[map] * sum + bias[map]);
      }
    }
  }
}

function ddRbf({ prototypes, out }, x) {
  prototypes.forEach((prototype, digit) => {
    let sum = 0;
    for (let i = 0; i < x.length; i += 1) sum += (x[i] - prototype[i]) ** 2;
    out[digit] = sum;
  });
}

// ---- One unit: what it sees and what it sums ----

// Its inputs, one entry for each map that it looks at: where the window
// lies, the values in it, the weights on them and the sum of the products.
function ddInputs(layers, field, [level, map, row, column]) {
  const layer = layers[level];
  const x = level === 0 ? field : layers[level - 1].out;
  const { kind, kernel, from } = layer;
  const stride = kind === "pool" ? 2 : 1;
  const seen = kind === "conv" ? layer.table[map]
    : kind === "pool" ? [map] : [...Array(84).keys()];
  return seen.map((input, i) => {
    const values = [];
    for (let ky = 0; ky < kernel; ky += 1) {
      for (let kx = 0; kx < kernel; kx += 1) {
        const r = row * stride + ky;
        values.push(x[(input * from + r) * from + column * stride + kx]);
      }
    }
    const weights = values.map((_, k) =>
      kind === "conv" ? layer.weight[layer.starts[map] + i * kernel ** 2 + k]
        : kind === "pool" ? layer.weight[map] : layer.prototypes[map][input]);
    const products = values.map((value, k) =>
      kind === "rbf" ? (value - weights[k]) ** 2 : value * weights[k]);
    return {
      map: input, row: row * stride, column: column * stride,
      values, weights, products,
      sum: products.reduce((sum, product) => sum + product, 0),
    };
  });
}

// The part of the field that a unit depends on: first row, column, side.
function ddSees(level, row, column) {
  const fields = receptiveFields([
    { kernel: 5 }, { kernel: 2, stride: 2 }, { kernel: 5 },
    { kernel: 2, stride: 2 }, { kernel: 5 },
  ]);
  const { size, jump } = fields[Math.min(level, 4)];
  return [row * jump, column * jump, size];
}

// ---- Words ----

function ddDigit(label) {
  return label === 8 ? `an ${label}` : `a ${label}`;
}

// The digits, the nearest bitmap first.
function ddOrder(distances) {
  return [...distances.keys()].sort((a, b) => distances[a] - distances[b]);
}

function ddSentence(distances, limit) {
  const [first, second] = ddOrder(distances);
  const far = (digit) => distances[digit].toFixed(1);
  const refused = distances[first] > limit
    ? " That is further than 99\u00a0% of the training digits: with a right " +
      "to refuse, it would."
    : "";
  return (
    `It reads ${ddDigit(first)}, at distance ${far(first)}; runner-up: ` +
    `${ddDigit(second)}, at ${far(second)}.${refused}`
  );
}

function ddNumber(value, digits = 2) {
  const text = value.toFixed(digits);
  return text.replace("-", Number(text) === 0 ? "" : "\u2212");
}

// Numbers as a sum: 0.12 + 0.30 \u2212 0.07.
function ddSum(values) {
  return values
    .map((value) => ddNumber(value))
    .join(" + ")
    .replaceAll("+ \u2212", "\u2212 ");
}

// A unit in words: its name, what it looks at, and its sum in lines.
function ddExplain(layers, inputs, [level, map, row, column]) {
  const layer = layers[level];
  const before = level === 0 ? "the field" : layers[level - 1].name;
  const answer = layer.out[(map * layer.to + row) * layer.to + column];
  const title = layer.to > 1
    ? `${layer.name.toUpperCase()}, map ${map}, row ${row}, column ${column}`
    : layer.kind === "rbf" ? `Distance to the ${map}`
      : `${layer.name.toUpperCase()}, unit ${map}`;
  const [, , side] = ddSees(level, row, column);
  const seen = inputs.map((input) => input.map);
  const maps = seen.length > 15 ? `all ${seen.length}` : seen.join(", ");
  const times = "\u00a0×\u00a0";
  const sees = level === 0
    ? `It looks at 5${times}5 pixels of the field.`
    : `It looks at ${before.toUpperCase()}, ${layer.from > 1
      ? `map${seen.length === 1 ? "" : "s"} ${maps}` : `${maps} units`}, and ` +
      `through it at ${side}${times}${side} pixels.`;
  return { title, sees, lines: ddLines(layer, inputs, map, answer), answer };
}

function ddLines(layer, inputs, map, answer) {
  const parts = inputs.map((input) => input.sum);
  const total = parts.reduce((sum, part) => sum + part, 0);
  if (layer.kind === "rbf") {
    const count = parts.length;
    return [`Σ (f \u2212 p)² over ${count} units = ${ddNumber(answer)}`];
  }
  const bias = layer.bias[map];
  const lines = [];
  if (layer.kind === "pool") {
    const [{ values, weights }] = inputs;
    lines.push(`w Σ x = ${ddNumber(weights[0])} · (${ddSum(values)}) = ` +
      ddNumber(total));
  } else {
    const count = inputs.length * inputs[0].values.length;
    const few = parts.length > 1 && parts.length <= 16;
    lines.push(`Σ w·x over ${count} products = ` +
      `${few ? `${ddSum(parts)} = ` : ""}${ddNumber(total)}`);
  }
  const a = total + bias;
  return [
    ...lines,
    `a = ${ddNumber(total)} ${ddSigned(bias)} (b) = ${ddNumber(a)}`,
    `1.7159 tanh(⅔ a) = ${ddNumber(answer)}`,
  ];
}

function ddSigned(value) {
  const text = ddNumber(value);
  return text.startsWith("\u2212") ? `\u2212 ${text.slice(1)}` : `+ ${text}`;
}

// Every term of a unit's sum, a line for each map that it looks at.
function ddTerms(layer, inputs) {
  const term = (value, weight) => layer.kind === "rbf"
    ? `(${ddNumber(value)} \u2212 ${ddNumber(weight, 0)})²`
    : `${ddNumber(weight)} · ${ddNumber(value)}`;
  return inputs.map(({ map, values, weights, sum }) => {
    const terms = values.map((value, i) => term(value, weights[i]));
    const written = terms.join(" + ").replaceAll("+ \u2212", "\u2212 ");
    return { map, text: `${written} = ${ddNumber(sum)}` };
  });
}
