// The notation for networks: read, check, count, write as PyTorch.
// The twin of cnnbook/workshop/, function by function; a test holds the two
// together. It stands before widget.mjs and knows nothing of the page.
// Public: wsParse, wsToPytorch, wsToAddress, wsFromAddress, wsShape, WS_LIMITS.

const WS_LIMITS = {
  text: 10000,
  lines: 500,
  rows: 1000,
  steps: 10000,
  number: 1000000,
  nesting: 16,
  branches: 64,
  problems: 100,
  address: 30000,
};
const WS_MOST = Number.MAX_SAFE_INTEGER; // beyond, counts are not exact

// ---- Words ----

const WS_OPS = {
  conv: "conv convolution conv2d convolutional convolve",
  pool: "pool pooling maxpool max-pool maxpooling avgpool avg-pool",
  norm: "norm lrn normalization normalisation normaliza\u00e7\u00e3o",
  bn: "bn batchnorm batch-norm batchnorm2d",
  dense: "dense fc linear fully-connected",
  dropout: "dropout drop",
  softmax: "softmax soft-max",
  flatten: "flatten",
  relu: "relu",
  tanh: "tanh",
  sigmoid: "sigmoid",
  input: "input entrada",
  global: "global gap",
};
const WS_KEYS = {
  stride: "s stride strides passo",
  padding: "p pad padding",
  groups: "g group groups",
  dilation: "d dilation dilated",
};
const WS_FLAGS =
  "same identity valid max avg average mean ceil floor dw depthwise bias no " +
  "without nobias norelu rgb grey gray batch fully connected local response";
const WS_FILLERS =
  "filters filter filtros filtro kernel kernels maps map channels channel " +
  "units unit neurons neuron neur\u00f4nios neuronios outputs output at with " +
  "by of and the a an to in on for com de e layer layers camada size image " +
  "images way scores class classes window windows pixels px each";
const WS_CLAIMS = { memory: "memory", params: "params", parameters: "params" };
const WS_SUFFIXES = "bn norm relu tanh sigmoid dropout softmax".split(" ");

const WS_WORDS = new Map();
for (const [op, words] of Object.entries(WS_OPS)) {
  for (const word of words.split(" ")) WS_WORDS.set(word, ["op", op]);
}
for (const [key, words] of Object.entries(WS_KEYS)) {
  for (const word of words.split(" ")) WS_WORDS.set(word, ["key", key]);
}
for (const word of WS_FLAGS.split(" ")) WS_WORDS.set(word, ["flag", word]);
for (const word of WS_FILLERS.split(" ")) WS_WORDS.set(word, ["filler", ""]);
for (const word of Object.keys(WS_CLAIMS)) WS_WORDS.set(word, ["claim", ""]);
WS_WORDS.set("total", ["total", ""]);

const wsLower = (text) =>
  text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

// A word as it may stand in a sentence: not too long.
const wsClip = (text) => (text.length > 24 ? `${text.slice(0, 24)}…` : text);

// The known word that is nearest, or "".
function wsNearest(word) {
  let [best, least] = ["", word.length < 4 ? 2 : 3];
  if (word.length > 24) return best;
  for (const [known, [kind]] of WS_WORDS) {
    if (known.length < (kind === "filler" ? 5 : 2)) continue;
    if (Math.abs(known.length - word.length) >= least) continue;
    const distance = wsDistance(word, known);
    if (distance < least) [best, least] = [known, distance];
  }
  return best;
}

// How many letters must be put in, taken out or exchanged.
function wsDistance(one, other) {
  let above = Array.from({ length: other.length + 1 }, (_, i) => i);
  for (let i = 1; i <= one.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= other.length; j += 1) {
      const change = above[j - 1] + (one[i - 1] === other[j - 1] ? 0 : 1);
      row.push(Math.min(change, above[j] + 1, row[j - 1] + 1));
    }
    above = row;
  }
  return above[other.length];
}

// ---- From text to tokens ----

const WS_LETTER = "A-Za-z0-9_\u00c0-\u024f";
const WS_TOKEN = new RegExp(
  [
    "(#[^]*)",
    "([0-9]+(?:(?: (?:[xX*]|\\\\times) |[xX*]|\\\\\\*)[0-9]+)+" +
      `(?![${WS_LETTER}]))`,
    "((?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+(?:\\.[0-9]+)?)" +
      `(?:-d)?(?![${WS_LETTER}]))`,
    `([${WS_LETTER}](?:[-./]?[${WS_LETTER}])*)`,
    "(->|[{}|;:()+=\\[\\]\u2192])",
    "/ ?([0-9]+)",
    "((?:[ \\t\\r\\f\\v\\u00a0,.!$*\\\\~\"'\u201c\u201d\u2018\u2019]" +
      "|/(?! ?[0-9]))+)",
    "([^])",
  ].join("|"),
  "y",
);
const WS_KINDS = ["", "#", "size", "number", "word", "mark", "/", " ", "?"];

class WsReader {
  constructor(text) {
    this.problems = [];
    this.seen = new Set();
    this.lines = [];
    this.tokens = [];
    this.input = null;
    this.claims = []; // of totals
    this.stopped = false;
    if (text.length > WS_LIMITS.text) {
      this.problem(
        { line: 1, column: 0, length: 0 },
        `The text is longer than ${grouped(WS_LIMITS.text)} characters, ` +
          "and no network here needs so many; try repeats, such as x8 { … }.",
      );
      return;
    }
    const clean = text.replace(/[\ud800-\udfff]/g, "\ufffd");
    this.lines = clean.replaceAll("\u00d7", "x").split("\n");
    if (this.lines.length > WS_LIMITS.lines) {
      this.problem(
        { line: WS_LIMITS.lines + 1, column: 0, length: 0 },
        `Lines end at number ${grouped(WS_LIMITS.lines)}; ` +
          "try repeats, such as x8 { … }.",
      );
      this.lines.length = WS_LIMITS.lines;
    }
    this.lines.forEach((line, i) => this.cut(line, i + 1));
  }

  problem(at, says, fits = "", kind = "error") {
    const key = `${at.line} ${at.column} ${kind}`;
    if (this.seen.has(key) || this.problems.length >= WS_LIMITS.problems) {
      return;
    }
    this.seen.add(key);
    const { line, column, length } = at;
    this.problems.push({ kind, line, column, length, says, fits });
  }

  note(at, says, fits = "") {
    this.problem(at, says, fits, "note");
  }

  // Once nothing more can be read.
  stop(at, says) {
    if (!this.stopped) this.problem(at, says);
    this.stopped = true;
  }

  cut(line, number) {
    WS_TOKEN.lastIndex = 0;
    while (WS_TOKEN.lastIndex < line.length) {
      const column = WS_TOKEN.lastIndex;
      const found = WS_TOKEN.exec(line);
      const which = found.findIndex((part, i) => i && part !== undefined);
      const [kind, text] = [WS_KINDS[which], found[which]];
      const at = { line: number, column, length: found[0].length };
      if (kind === "?") {
        const shown = /[!-~\u00a1-\u024f]/.test(text) ? `"${text}"` : "it";
        this.problem(
          at,
          `This character means nothing here: leave ${shown} out.`,
        );
      } else if (kind !== " " && kind !== "#") {
        this.tokens.push({ kind, text, low: wsLower(text), ...at });
      }
    }
    const end = { line: number, column: line.length, length: 0 };
    this.tokens.push({ kind: "mark", text: "\n", low: "\n", ...end });
  }

  // A whole number of a token, or null after a problem.
  whole(text, at) {
    const digits = text.replace(/[,]|-d$/g, "");
    if (/[.]/.test(digits)) {
      this.problem(
        at,
        `${wsClip(text)} is not a whole number; try ` +
          `${grouped(wsCapped(digits.split(".")[0]))}.`,
        String(wsCapped(digits.split(".")[0])),
      );
      return null;
    }
    const bare = digits.replace(/^0+(?=[0-9])/, "");
    if (bare.length > 7 || Number(bare) > WS_LIMITS.number) {
      this.problem(
        at,
        `Numbers here end at ${grouped(WS_LIMITS.number)}, ` +
          `and ${wsClip(text)} is larger; try a smaller one.`,
      );
      return null;
    }
    return Number(bare);
  }

  // The numbers of "3x224x224", or null.
  sizes(token) {
    const numbers = token.text.match(/[0-9]+/g);
    if (numbers.length > 8) {
      this.problem(
        token,
        `A size has two or three numbers, not ${grouped(numbers.length)}; ` +
          "try 3x224x224.",
      );
      return null;
    }
    const whole = numbers.map((text) => this.whole(text, token));
    return whole.includes(null) ? null : whole;
  }
}

// The number that digits write, cut at the limit.
const wsCapped = (digits) =>
  digits.length > 7 ? WS_LIMITS.number : Number(digits);

// ---- From tokens to items: layers and forks ----

const wsSpan = (first, last) => ({
  line: first.line,
  column: first.column,
  length:
    last.line === first.line
      ? last.column + last.length - first.column
      : first.length,
});

// Read all items up to the end or the closing brace: a list of branches.
function wsItems(reader, state, depth) {
  const branches = [[]];
  const { tokens } = reader;
  while (state.i < tokens.length && !reader.stopped) {
    const token = tokens[state.i];
    const text = token.kind === "mark" ? token.text : "";
    if ("\n;\u2192->".includes(text) && text) {
      state.i += 1;
    } else if (text === "|") {
      state.i += 1;
      if (depth === 0) {
        reader.problem(
          token,
          "A | parts branches, and here is no { before it; " +
            "try { 64 1x1 | 64 3x3 p1 }.",
        );
      } else if (branches.length === WS_LIMITS.branches) {
        reader.stop(
          token,
          `A fork has at most ${WS_LIMITS.branches} branches; ` +
            "try groups, such as g32.",
        );
      } else branches.push([]);
    } else if (text === "}") {
      if (depth > 0) break;
      state.i += 1;
      reader.problem(
        token,
        "This } closes nothing; leave it out, or put a { before.",
      );
    } else {
      wsStatement(reader, state, depth, branches.at(-1));
    }
  }
  return branches;
}

// The tokens up to where a layer ends; a { ends it too.
function wsStatement(reader, state, depth, into) {
  const { tokens } = reader;
  const found = [];
  let brackets = 0;
  for (; state.i < tokens.length; state.i += 1) {
    const token = tokens[state.i];
    const text = token.kind === "mark" ? token.text : "";
    if (text === "[") brackets += 1;
    if (text === "]") brackets -= 1;
    if (text === "\n" || text === "{") break;
    if (brackets <= 0 && text && ";|}\u2192->".includes(text)) break;
    found.push(token);
  }
  const next = tokens[state.i];
  if (next && next.kind === "mark" && next.text === "{") {
    wsFork(reader, state, depth, into, found);
  } else {
    wsLayers(reader, found, into);
  }
}

// `label: x3 +{ … | … } x3 no relu`
function wsFork(reader, state, depth, into, before) {
  const { tokens } = reader;
  const open = tokens[state.i];
  state.i += 1;
  if (depth === WS_LIMITS.nesting) {
    reader.stop(
      open,
      `Braces nest at most ${WS_LIMITS.nesting} deep; ` +
        "try repeats, such as x8 { … }.",
    );
    return;
  }
  const fork = wsBlank("fork", before[0] ?? open);
  let sum = false;
  const rest = [];
  before.forEach((token, i) => {
    const last = i === before.length - 1;
    if (token.text === "+" && last) sum = true;
    else rest.push(token);
  });
  const head = wsLabel(rest, 0);
  let from = 0;
  if (head) {
    fork.label = head.text;
    from = head.next;
  }
  for (const token of rest.slice(from)) {
    const times = wsTimes(reader, token);
    if (times !== null) fork.times = times;
    else {
      reader.problem(
        token,
        `"${wsClip(token.text)}" cannot stand before a {; ` +
          "try a name with a colon, a repeat such as x3, or +.",
      );
    }
  }
  const branches = wsItems(reader, state, depth + 1);
  const close = tokens[state.i];
  fork.span = wsSpan(before[0] ?? open, open);
  if (close && close.text === "}") {
    state.i += 1;
    fork.close = close;
  } else if (!reader.stopped) {
    reader.problem(open, "This { is never closed; put a } after its layers.");
  }
  fork.branches = branches;
  fork.join = sum ? "add" : branches.length > 1 ? "concat" : "";
  // `x3 { … }` may end `no relu`, `bn`, `x3`.
  const after = [];
  while (state.i < tokens.length) {
    const token = tokens[state.i];
    if (token.kind === "mark" && "\n;|}{\u2192->".includes(token.text)) break;
    after.push(token);
    state.i += 1;
  }
  const spec = wsSpec(reader, after, fork);
  spec.op = "fork";
  into.push(spec);
}

// Names before a colon: their text, and where the rest begins; or null.
function wsLabel(tokens, from) {
  let i = from;
  while (
    i < tokens.length &&
    i < from + 4 &&
    ["word", "number"].includes(tokens[i].kind)
  ) {
    i += 1;
  }
  if (i === from || i >= tokens.length || tokens[i].text !== ":") return null;
  const words = tokens.slice(from, i);
  if (wsIsClaim(words.at(-1))) return null;
  const text = wsClip(words.map((token) => token.text).join(" "));
  return { text, words, next: i + 1 };
}

// The N of "xN" or "Nx", or null.
function wsTimes(reader, token) {
  const found = token.kind === "word" && /^(?:x([0-9]+)|([0-9]+)x)$/.exec(
    token.low,
  );
  if (!found) return null;
  const times = reader.whole(found[1] ?? found[2], token);
  if (times === 0) {
    reader.problem(token, "A repeat happens at least once; try x2.", "x2");
  }
  return times || 1;
}

function wsBlank(op, at) {
  return {
    op,
    at,
    span: at,
    label: "",
    times: 1,
    numbers: [],
    sizes: [],
    keys: {},
    places: {},
    flags: {},
    suffixes: [],
    relu: null,
    bias: null,
    mode: null,
    claims: [],
    shapeClaim: null,
    block: null,
    branches: null,
    join: "",
    close: null,
  };
}

// One line may hold several layers, as the notes print them: a name with a
// colon or a second bracket begins the next.
function wsLayers(reader, tokens, into) {
  let start = 0;
  let [named, shaped] = [false, false];
  for (let i = 0; i < tokens.length; i += 1) {
    const { kind, text } = tokens[i];
    const claim = wsIsClaim(tokens[i]) && tokens[i + 1]?.text === ":";
    if (kind === "mark" && text === "[") {
      if (shaped && i > start && !tokens.slice(start, i).some(wsIsTotal)) {
        wsLayer(reader, tokens.slice(start, i), into);
        [start, named] = [i, false];
      }
      shaped = true;
      while (i + 1 < tokens.length && tokens[i].text !== "]") i += 1;
    } else if (kind === "word" && tokens[i + 1]?.text === ":" && !claim) {
      if (named) {
        wsLayer(reader, tokens.slice(start, i), into);
        [start, shaped] = [i, false];
      }
      named = true;
    }
  }
  wsLayer(reader, tokens.slice(start), into);
}

const wsIsClaim = (token) => Object.hasOwn(WS_CLAIMS, token.low);

const wsIsTotal = (token) => token.low === "total";

function wsLayer(reader, tokens, into) {
  if (!tokens.length) return;
  if (tokens.some(wsIsTotal)) {
    wsTotalClaims(reader, tokens);
    return;
  }
  const item = wsSpec(reader, tokens, null);
  if (item === null) return;
  if (item.op === "input") wsInput(reader, item);
  else into.push(item);
}

// "TOTAL params: 138M parameters"
function wsTotalClaims(reader, tokens) {
  for (let i = 0; i + 1 < tokens.length; i += 1) {
    if (wsIsClaim(tokens[i]) && tokens[i + 1].text === ":") {
      const claim = wsCountClaim(reader, tokens[i], tokens[i + 1]);
      if (claim) reader.claims.push(claim);
      return;
    }
  }
  reader.problem(
    wsSpan(tokens[0], tokens.at(-1)),
    "A total is a printed claim; try TOTAL params: 138M.",
  );
}

const WS_TAIL = new RegExp(
  "[ ~]{0,9}(?:([0-9(][-0-9(),.xX*\\\\ ]{0,80})= {0,9})?[ ~]{0,9}" +
    "([0-9][0-9,]{0,24})(?:\\.([0-9]{1,3}))? ?([KMGkmg]?)" +
    "(?![0-9A-Za-z.])",
  "y",
);

// "params: (3*3*3)*64 = 1,728", "memory: 224*224*64=3.2M"
function wsCountClaim(reader, word, colon) {
  WS_TAIL.lastIndex = colon.column + 1;
  const line = reader.lines[word.line - 1];
  const found = WS_TAIL.exec(line);
  if (!found) return null;
  const [, product, digits, decimals = "", unit] = found;
  const bare = digits.replaceAll(",", "");
  if (bare.length > 12) return null;
  const scale = { "": 1, k: 1e3, m: 1e6, g: 1e9 }[wsLower(unit)];
  const step = scale / 10 ** decimals.length;
  if (step < 1) return null;
  const end = WS_TAIL.lastIndex;
  const value = Number(bare + decimals) * step;
  if (value > WS_MOST) return null;
  return {
    line: word.line,
    column: word.column,
    length: end - word.column,
    what: WS_CLAIMS[word.low],
    value,
    step,
    end,
    number:
      digits + (decimals && `.${decimals}`) + unit.toUpperCase(),
    product: wsProduct(product ?? ""),
  };
}

// The product that is printed, or null: "(3*3*3)*64" is 1728.
function wsProduct(text) {
  const numbers = text.match(/[0-9]+/g);
  if (!numbers || numbers.length > 8) return null;
  let product = 1;
  for (const number of numbers) product *= Number(number.slice(0, 16));
  return product <= WS_MOST ? product : null;
}

// ---- From the tokens of one layer to what it says ----

// Words of a layer, one after the other, into a spec; null if it is no layer.
// With a fork, what may stand behind its closing brace.
function wsSpec(reader, tokens, fork) {
  const spec = fork ?? wsBlank("", tokens[0]);
  if (!fork) spec.span = wsSpan(tokens[0], tokens.at(-1));
  const walk = { tokens, i: 0, no: false, batch: false, ops: [] };
  walk.lacks = new Set();
  for (; walk.i < tokens.length; walk.i += 1) {
    const token = tokens[walk.i];
    if (token.kind === "mark") wsMark(reader, walk, spec, fork);
    else if (token.kind === "number") wsNumber(reader, walk, spec);
    else if (token.kind === "size") {
      const sizes = reader.sizes(token);
      if (sizes) spec.sizes.push({ ...wsPlace(token), sizes });
      else spec.broken = true;
    } else if (token.kind === "/") {
      wsKey(reader, spec, "stride", token, token.text);
    } else wsWord(reader, walk, spec, fork);
  }
  return fork ? wsForkSpec(reader, spec) : wsResolve(reader, spec, walk);
}

const wsPlace = ({ line, column, length }) => ({ line, column, length });

function wsNumber(reader, walk, spec) {
  const token = walk.tokens[walk.i];
  const last = spec.suffixes.at(-1);
  const drops = walk.ops.at(-1) === "dropout" || spec.op === "dropout";
  if (drops && (!last || last.op === "dropout")) {
    const owner = last ?? spec;
    if (owner.rate === undefined) {
      owner.rate = wsRate(reader, token);
      return;
    }
  }
  const value = reader.whole(token.text, token);
  if (value !== null) spec.numbers.push({ ...wsPlace(token), value });
  else spec.broken = true;
}

// The share that dropout leaves out, as it is written: "0.5".
function wsRate(reader, token) {
  if (/^(?:0|0\.[0-9]{1,6})$/.test(token.text)) return token.text;
  reader.problem(
    token,
    `Dropout leaves out a share from 0 to 1, not ${wsClip(token.text)}; ` +
      "try 0.5.",
    "0.5",
  );
  return "0.5";
}

// Where the next such mark stands, or -1; looked for in vain but once.
function wsClosing(walk, mark) {
  if (walk.lacks.has(mark)) return -1;
  for (let i = walk.i + 1; i < walk.tokens.length; i += 1) {
    if (walk.tokens[i].text === mark) return i;
  }
  walk.lacks.add(mark);
  return -1;
}

function wsMark(reader, walk, spec, fork) {
  const { tokens, i } = walk;
  const token = tokens[i];
  if (token.text === "(") {
    // A remark, unless it is never closed, or says the input's size.
    const bare = !spec.sizes.length && !spec.shapeClaim;
    if (spec.op === "input" && bare) return;
    walk.i = Math.max(i, wsClosing(walk, ")"));
  } else if (token.text === "[" && !fork) {
    const end = wsClosing(walk, "]");
    if (end < 0) {
      reader.problem(token, "This [ is never closed; put a ] after the shape.");
    } else {
      wsBracket(reader, tokens.slice(i, end + 1), spec);
      walk.i = end;
    }
  } else if (!")=:".includes(token.text)) {
    const says =
      token.text === "+"
        ? "A + stands right before a {, as in +{ 64 3x3 p1 }."
        : `This ${token.text} means nothing here; leave it out.`;
    reader.problem(token, says);
  }
}

// "[55x55x96]" claims a shape; "[3x3, 64; 3x3, 64]" is a residual block.
function wsBracket(reader, tokens, spec) {
  const inside = tokens.slice(1, -1);
  const numbers = inside.filter((token) => token.kind === "number");
  const sizes = inside.filter((token) => token.kind === "size");
  const at = wsSpan(tokens[0], tokens.at(-1));
  if (inside.some((t) => t.text === ";") || (sizes[0] && numbers[0])) {
    spec.block = { ...at, tokens: inside };
    return;
  }
  const only = sizes[0] ?? numbers[0];
  if (inside.length !== 1 || !only) {
    reader.problem(
      at,
      "Square brackets hold a shape, as [55x55x96], " +
        "or a block, as [3x3, 64; 3x3, 64].",
    );
    return;
  }
  const shape =
    only.kind === "size"
      ? reader.sizes(only)
      : [reader.whole(only.text, only)];
  if (shape && !shape.includes(null)) spec.shapeClaim = { ...at, shape };
}

function wsWord(reader, walk, spec, fork) {
  const { tokens } = walk;
  const token = tokens[walk.i];
  const next = tokens[walk.i + 1];
  const start = !fork && !spec.label && !walk.ops.length;
  const label = start && !spec.numbers.length ? wsLabel(tokens, walk.i) : null;
  if (label) {
    spec.label = label.text;
    walk.i = label.next - 1;
    for (const word of label.words) wsLabelWord(spec, walk, word);
    return;
  }
  if (wsIsClaim(token) && next?.text === ":") {
    wsClaim(reader, walk, spec);
    return;
  }
  const times = wsTimes(reader, token);
  if (times !== null) {
    spec.times = times;
    return;
  }
  if (token.low === "x" && next?.kind === "number") {
    const apart = { ...token, low: `x${next.text}` };
    spec.times = wsTimes(reader, apart) ?? 1;
    walk.i += 1;
    return;
  }
  const [kind, what] = WS_WORDS.get(token.low) ?? ["", ""];
  if (next?.text === "=" && /^[kfspd]$/.test(token.low)) {
    wsEquation(reader, walk, spec);
  } else if (kind === "op") wsOp(reader, walk, spec, what, token);
  else if (kind === "key") {
    const value = tokens[walk.i + (next?.text === "=" ? 2 : 1)];
    if (value && (value.kind === "number" || value.kind === "size")) {
      wsKey(reader, spec, what, token, value.text, value);
      walk.i = tokens.indexOf(value, walk.i);
    } else if (what === "padding" && value?.low === "same") {
      spec.flags.same = wsPlace(value);
      walk.i = tokens.indexOf(value, walk.i);
    } else {
      const letter = what[0];
      reader.problem(
        token,
        `The word ${token.low} needs a number; try ${letter}2.`,
        `${letter}2`,
      );
    }
  } else if (kind === "flag") wsFlag(reader, walk, spec, token);
  else if (kind !== "filler" && !wsCompound(reader, walk, spec, token)) {
    wsUnknown(reader, walk, token);
  }
}

// With a number behind it, such as strid 2, it may have been a key.
function wsUnknown(reader, walk, token) {
  if (reader.problems.length >= WS_LIMITS.problems) return;
  const near = wsNearest(token.low);
  const number = walk.tokens[walk.i + 1]?.kind === "number";
  if (number && WS_WORDS.get(near)?.[0] === "key") walk.i += 1;
  reader.problem(
    token,
    `"${wsClip(token.text)}" is no word of the notation; ` +
      (near ? `try ${near}.` : "leave it out, or put a # before it."),
    near,
  );
}

// Words of several parts: s4, p0x3, conv3-64, conv3x3, fc6, FC-4096.
function wsCompound(reader, walk, spec, token) {
  const { low } = token;
  const key = /^([spgd])([0-9]+(?:x[0-9]+)?)$/.exec(low);
  if (key) {
    wsKey(reader, spec, WS_WORDS.get(key[1])[1], token, key[2]);
    return true;
  }
  const conv = /^conv([0-9]+)(?:x([0-9]+))?-([0-9]+)$/.exec(low);
  const bare = /^conv([0-9]+)x([0-9]+)$/.exec(low);
  if (conv || bare) {
    wsOp(reader, walk, spec, "conv", token);
    const [, one, other = one, maps] = conv ?? bare;
    const sizes = [one, other].map((text) => reader.whole(text, token));
    if (!sizes.includes(null)) {
      spec.sizes.push({ ...wsPlace(token), sizes });
    }
    const value = maps === undefined ? null : reader.whole(maps, token);
    if (value !== null) spec.numbers.push({ ...wsPlace(token), value });
    if (conv) spec.flags.same = wsPlace(token);
    return true;
  }
  const named = /^([a-z-]*[a-z])([-_]?)([0-9][0-9a-z._-]*)$/.exec(low);
  const [kind, op] = (named && WS_WORDS.get(named[1])) || ["", ""];
  if (kind !== "op") return false;
  wsOp(reader, walk, spec, op, token);
  if (op === "pool") wsPoolMode(spec, named[1]);
  if (/^[0-9]+$/.test(named[3])) {
    spec.spare = { token, text: named[3], units: named[2] === "-" };
  }
  if (!spec.label && named[2] !== "-") spec.label = wsClip(token.text);
  return true;
}

// What a name says: CONV1 is a convolution, CONV3-64 has 64 maps, MAX POOL1.
function wsLabelWord(spec, walk, word) {
  const vgg = /^conv([0-9]{1,3})-([0-9]{1,6})$/.exec(word.low);
  const stem = /^[a-z-]*[a-z]/.exec(word.low)?.[0] ?? "";
  const [kind, what] = WS_WORDS.get(stem) ?? ["", ""];
  if (vgg) {
    const side = Number(vgg[1]);
    spec.sizes.push({ ...wsPlace(word), sizes: [side, side] });
    spec.numbers.push({ ...wsPlace(word), value: Number(vgg[2]) });
    spec.flags.same = wsPlace(word);
  }
  if (kind === "op" && what !== "global") {
    if (!spec.op) {
      spec.op = what;
      spec.hinted = true; // a word in the line may say it again
    }
    if (what === "pool") wsPoolMode(spec, stem);
  } else if (kind === "flag" && /^(?:max|avg|average|mean)$/.test(stem)) {
    spec.mode = stem === "max" ? "max" : "avg";
  }
  const units = /^(?:fc|dense)-([0-9]{1,6})$/.exec(word.low);
  if (units) spec.numbers.push({ ...wsPlace(word), value: Number(units[1]) });
}

function wsPoolMode(spec, word) {
  if (word.startsWith("max")) spec.mode = "max";
  if (word.startsWith("avg")) spec.mode = "avg";
}

function wsOp(reader, walk, spec, op, token) {
  const batch = walk.batch && op === "norm";
  const what = batch ? "bn" : op;
  walk.batch = false;
  if (walk.no) {
    walk.no = false;
    if (what === "relu") spec.relu = false;
    else wsNothing(reader, token);
    return;
  }
  if (what === "global") {
    if (spec.op === "pool" || !spec.op || spec.hinted) spec.op = "global";
    if (token.low === "gap") spec.mode ??= "avg";
    return;
  }
  if (what === "pool" && spec.op !== "global") wsPoolMode(spec, token.low);
  if (what === "pool" && spec.op === "global") return;
  if (spec.hinted && spec.op === what) {
    spec.hinted = false;
    return;
  }
  const suffix = WS_SUFFIXES.includes(what);
  const about = spec.numbers.length || spec.sizes.length;
  if (suffix && (spec.op || about)) {
    spec.suffixes.push({ op: what, at: wsPlace(token) });
    walk.ops.push(what);
  } else if (!spec.op) {
    spec.op = what;
    walk.ops.push(what);
  } else if (spec.op !== what || spec.op === "fork") {
    reader.problem(
      token,
      `One layer a line: ${wsClip(token.text)} begins another; ` +
        "put a ; before it.",
      `; ${token.text}`,
    );
  }
}

function wsNothing(reader, token) {
  reader.problem(
    token,
    `"no" goes with bias or relu, not with ${wsClip(token.text)}; ` +
      "leave both out.",
  );
}

function wsFlag(reader, walk, spec, token) {
  const word = token.low;
  if (word === "no" || word === "without") {
    walk.no = true;
    return;
  }
  if (word === "batch") {
    walk.batch = true;
    return;
  }
  if (word === "bias" || word === "nobias") {
    spec.flags.bias = wsPlace(token);
    spec.bias = word === "bias" && !walk.no;
    walk.no = false;
    return;
  }
  if (walk.no) {
    walk.no = false;
    wsNothing(reader, token);
    return;
  }
  if (word === "norelu") spec.relu = false;
  else if (word === "max") spec.mode = "max";
  else if (/^(?:avg|average|mean)$/.test(word)) spec.mode = "avg";
  else if (word === "same" || word === "identity") {
    spec.flags.same = wsPlace(token);
  } else if (word === "valid") spec.keys.padding = [0, 0];
  else if (word === "ceil") spec.flags.ceil = wsPlace(token);
  else if (word === "dw" || word === "depthwise") {
    spec.flags.dw = wsPlace(token);
  } else if (word === "rgb") spec.flags.maps = 3;
  else if (word === "grey" || word === "gray") spec.flags.maps = 1;
  else if (word === "connected") wsOp(reader, walk, spec, "dense", token);
}

// "K = 96", "F = 11", "S = 4", "P = 0" of the lecture notes.
function wsEquation(reader, walk, spec) {
  const token = walk.tokens[walk.i];
  const value = walk.tokens[walk.i + 2];
  walk.i += 1;
  if (!value || (value.kind !== "number" && value.kind !== "size")) return;
  walk.i += 1;
  if (token.low === "k") {
    const number = reader.whole(value.text, value);
    if (number !== null) {
      spec.numbers.push({ ...wsPlace(value), value: number });
    }
  } else if (token.low === "f") {
    const sizes = wsPair(reader, value, value.text);
    if (sizes) spec.sizes.push({ ...wsPlace(value), sizes });
  } else {
    const key = WS_WORDS.get(token.low)[1];
    wsKey(reader, spec, key, token, value.text, value);
  }
}

// One number twice, or the two that were given; null after a problem.
function wsPair(reader, token, text) {
  const parts = text.match(/[0-9.,]+/g) ?? [];
  const pair = parts.map((part) => reader.whole(part, token));
  if (pair.includes(null)) return null;
  if (pair.length > 2) {
    reader.problem(
      token,
      `One number or two, height and width, not ${wsClip(text)}; ` +
        `try ${pair[0]}x${pair[1]}.`,
    );
    return null;
  }
  return pair.length === 2 ? pair : [pair[0], pair[0]];
}

function wsKey(reader, spec, key, token, text, value = null) {
  const at = value ? wsSpan(token, value) : wsPlace(token);
  const pair = wsPair(reader, at, text);
  if (!pair) return;
  if (key !== "padding" && pair.includes(0)) {
    reader.problem(
      at,
      `The ${key === "groups" ? "number of groups" : key} is at least 1, ` +
        `not 0; try ${key[0]}1.`,
      `${key[0]}1`,
    );
    return;
  }
  spec.keys[key] = pair;
  spec.places[key] = at;
}

function wsClaim(reader, walk, spec) {
  const { tokens } = walk;
  const claim = wsCountClaim(reader, tokens[walk.i], tokens[walk.i + 1]);
  walk.i += 1;
  if (!claim) return;
  spec.claims.push(claim);
  const { line, end } = claim;
  while (
    walk.i + 1 < tokens.length &&
    tokens[walk.i + 1].line === line &&
    tokens[walk.i + 1].column < end
  ) {
    walk.i += 1;
  }
}

// What may stand behind a closing brace: repeats, bn, relu and the like.
function wsForkSpec(reader, spec) {
  const odd = [...spec.sizes, ...spec.numbers, ...Object.values(spec.places)];
  if (odd.length) {
    reader.problem(
      odd[0],
      "After a } come a repeat, bn, relu or no relu; " +
        "a layer begins on a line of its own.",
    );
  }
  return spec;
}

// ---- Which layer it is ----

function wsResolve(reader, spec, walk) {
  const { sizes, numbers, flags } = spec;
  if (spec.block) return wsBlock(reader, spec);
  if (!spec.op || (spec.hinted && spec.op !== "input")) {
    const hint = spec.op;
    if (flags.dw || (sizes.length && numbers.length && hint !== "pool")) {
      spec.op = "conv";
    } else if (hint) spec.op = hint;
    else if (sizes.length && spec.mode) spec.op = "pool";
    else if (spec.shapeClaim && !reader.input && walk.tokens.length <= 3) {
      spec.op = "input";
    } else if (flags.same && !sizes.length) spec.op = "same";
    else if (spec.mode) spec.op = "pool";
    else if (spec.suffixes.length) {
      const first = spec.suffixes.shift();
      Object.assign(spec, { op: first.op, rate: first.rate });
    } else return wsNoLayer(reader, spec);
  }
  return spec;
}

function wsNoLayer(reader, spec) {
  const { sizes, numbers } = spec;
  if (sizes.length) {
    const size = sizes[0].sizes.join("x");
    reader.problem(
      sizes[0],
      `A kernel of ${size} alone makes no maps; try 64 ${size}.`,
      `64 ${size}`,
    );
  } else if (numbers.length) {
    const number = numbers[0].value;
    reader.problem(
      numbers[0],
      `The number ${grouped(number)} alone is no layer; ` +
        `try dense ${number}, or ${number} 3x3.`,
      `dense ${number}`,
    );
  } else if (spec.label || spec.shapeClaim || Object.keys(spec.places)[0]) {
    reader.problem(
      spec.span,
      "Here is no layer yet; try conv 64 3x3, pool 2x2 or dense 10.",
    );
  }
  return null;
}

// The ResNet paper's block: each convolution with batch norm and its size
// kept, a shortcut round it, which projects where the shape changes.
function wsBlock(reader, spec) {
  const fork = wsBlank("fork", spec.at);
  const groups = [[]];
  for (const token of spec.block.tokens) {
    if (token.text === ";") groups.push([]);
    else groups.at(-1).push(token);
  }
  const layers = [];
  for (const tokens of groups.filter((group) => group.length)) {
    const layer = wsSpec(reader, tokens, null);
    if (layer && layer.op === "conv") {
      layer.flags.same ??= wsPlace(tokens[0]);
      layer.suffixes.unshift({ op: "bn", at: layer.span });
      layers.push(layer);
    } else if (layer) {
      reader.problem(
        layer.span,
        "A block in square brackets holds convolutions alone; " +
          "try [3x3, 64; 3x3, 64].",
      );
    }
  }
  Object.assign(fork, {
    span: spec.span,
    label: spec.label,
    times: spec.times,
    relu: spec.relu,
    suffixes: spec.suffixes,
    join: "add",
    branches: [layers],
    residual: true,
    stride: spec.keys.stride ?? [1, 1],
  });
  return layers.length ? fork : null;
}

// The network's first line.
function wsInput(reader, spec) {
  if (reader.input) {
    reader.problem(
      spec.span,
      `The input was given in line ${reader.input.line}; leave this one out.`,
    );
    return;
  }
  const { sizes, numbers, shapeClaim, flags } = spec;
  let shape = sizes[0]?.sizes ?? shapeClaim?.shape;
  if (!shape && numbers.length) shape = numbers.map(({ value }) => value);
  const read = shape && wsInputShape(shape, flags.maps);
  if (!read || read.includes(0)) {
    reader.problem(
      spec.span,
      "An input has maps, height and width; try input 3x224x224.",
      "input 3x224x224",
    );
    reader.input = { ...wsPlace(spec.span), shape: [3, 224, 224] };
    return;
  }
  reader.input = {
    ...wsPlace(spec.span),
    shape: read,
    label: spec.label,
    claims: spec.claims,
  };
}

// 3x227x227, 227x227x3, 227x227, 227, or [784] for a vector of more than that.
function wsInputShape(shape, maps = 3) {
  if (shape.length === 1) return [maps, shape[0], shape[0]];
  if (shape.length === 2) return [maps, ...shape];
  if (shape.length !== 3) return null;
  const [a, b, c] = shape;
  // Maps stand last where the first two are alike and the last two are not,
  // or where the last is the smallest by far.
  const last = a === b ? b !== c && c <= 4 * a : c < a && c < b && c <= 4;
  return last ? [c, a, b] : shape;
}

// ---- From items to rows: the arithmetic ----

// Products and sums of what may be unknown (null); Infinity is too much.
function wsTimesAll(...factors) {
  if (factors.includes(null)) return null;
  let product = 1;
  for (const factor of factors) {
    product *= factor;
    if (product > WS_MOST) return Infinity;
  }
  return product;
}

const wsPlus = (a, b) =>
  a === null || b === null ? null : a + b > WS_MOST ? Infinity : a + b;

// One axis of the input, as units of a map see it: unit i sees the pixels
// lo + i·jump to hi + i·jump; `whole` is what all of them see. Without a jump
// nothing moves. As View in cnnbook/fields.py.
const wsAxis = (lo, hi, jump, whole = null) => ({ lo, hi, jump, whole });

function wsStep(axis, span, stride, before) {
  if (axis === null || axis.jump === null) return axis;
  const { lo, hi, jump, whole } = axis;
  const ends = [lo - before * jump, hi + (span - 1 - before) * jump];
  return wsAxis(...ends, jump * stride, whole);
}

function wsHull(axis, size) {
  const { lo, hi, jump, whole } = axis;
  if (jump === null) return whole;
  const end = hi + (size - 1) * jump;
  if (whole === null) return [lo, end];
  return [Math.min(lo, whole[0]), Math.max(end, whole[1])];
}

// Every unit sees now what any of them saw.
function wsSpread(axis, size) {
  if (axis === null || size === null) return null;
  return wsAxis(null, null, null, wsHull(axis, size));
}

const wsUnion = (spans) => [
  Math.min(...spans.map((span) => span[0])),
  Math.max(...spans.map((span) => span[1])),
];

// One axis of maps that lie side by side or on top of each other.
function wsMerge(axes, size) {
  if (axes.includes(null)) return null;
  const moving = axes.filter((axis) => axis.jump !== null);
  if (moving.some((axis) => axis.jump !== moving[0].jump)) {
    if (size === null) return null;
    const hulls = axes.map((axis) => wsHull(axis, size));
    return wsAxis(null, null, null, wsUnion(hulls));
  }
  const wholes = axes.map((axis) => axis.whole).filter((w) => w !== null);
  const whole = wholes.length ? wsUnion(wholes) : null;
  if (!moving.length) return wsAxis(null, null, null, whole);
  const [lo, hi] = wsUnion(moving.map((axis) => [axis.lo, axis.hi]));
  return wsAxis(lo, hi, moving[0].jump, whole);
}

// The field's size and jump; a whole one is cut to the input.
function wsMeasure(axis, size, input) {
  if (axis === null) return [null, null];
  if (axis.whole !== null) {
    if (axis.jump !== null && size === null) return [null, null];
    const [lo, hi] = wsHull(axis, size);
    return [Math.min(hi, input - 1) - Math.max(lo, 0) + 1, null];
  }
  return [axis.hi - axis.lo + 1, axis.jump];
}

// Whether numbers can count so far.
function wsExact(axis) {
  if (axis === null) return true;
  const numbers = [axis.lo, axis.hi, axis.jump, ...(axis.whole ?? [])];
  if (axis.jump !== null) numbers.push(axis.hi - axis.lo + 1);
  return numbers.every((n) => n === null || Math.abs(n) <= WS_MOST);
}

const wsShape = (shape) =>
  shape.map((size) => size ?? "?").join("\u00d7");

const wsSides = ([height, width]) =>
  height === width ? String(height) : `${height}x${width}`;

const wsShowSides = (pair) => wsSides(pair).replace("x", "\u00d7");

const wsCount = (number, noun) =>
  `${grouped(number)} ${noun}${number === 1 ? "" : "s"}`;

const WS_STEMS = { dense: "fc", dropout: "drop" };

class WsNet {
  constructor(reader) {
    this.reader = reader;
    this.rows = [];
    this.names = new Map();
    this.forks = 0;
    this.steps = 0;
    const { shape } = reader.input;
    this.pixels = shape.slice(1);
    this.flow = {
      shape,
      axes: [wsAxis(0, 0, 1), wsAxis(0, 0, 1)],
      from: -1,
      layers: 0,
      window: null,
      off: false,
    };
  }

  // Run items one after the other; the answer is what the code is made of.
  // `still` drops the last one's ReLU.
  sequence(items, place, still) {
    const plan = [];
    const merged = wsMerged(items);
    merged.forEach((item, i) => {
      const next = merged[i + 1];
      const before = next && next.op === "softmax";
      const last = i === merged.length - 1;
      this.repeat(item, place, before || (last && still), plan);
    });
    return plan;
  }

  repeat(item, place, still, plan) {
    const turns = [];
    for (let turn = 1; turn <= item.times; turn += 1) {
      if (this.full(item.span)) break;
      const name = item.times > 1 && item.label ? `.${turn}` : "";
      const label = item.label && item.label + name;
      const quiet = still && turn === item.times;
      const part = [];
      if (item.op === "fork") this.fork(item, label, place, quiet, turn, part);
      else this.layer(item, label, place, quiet, part);
      turns.push(part);
    }
    if (turns.length === 1) plan.push(...turns[0]);
    else if (turns.length) plan.push({ turns });
  }

  // Whether there is no room for one more.
  full(span) {
    this.steps += 1;
    const full = this.rows.length >= WS_LIMITS.rows;
    if (full || this.steps > WS_LIMITS.steps) {
      this.reader.stop(
        span,
        `Here the network passes ${grouped(WS_LIMITS.rows)} layers, ` +
          "and no more are counted; try fewer repeats.",
      );
    }
    return this.reader.stopped;
  }

  // ---- Layers ----

  layer(item, label, place, still, plan) {
    const spec = WS_LAYERS[item.op](this, item, this.flow);
    let row = null;
    if (spec) {
      row = this.add(item, spec, label, place, item.span);
      plan.push({ row, spec });
      this.check(item, row, spec);
    }
    const does = item.op === "conv" || item.op === "dense";
    this.after(item, row, does && !still, place, plan);
  }

  // What stands behind a layer: its own ReLU, batch norm, dropout...
  after(item, row, activates, place, plan) {
    const suffixes = [...item.suffixes];
    const acts = /^(?:relu|tanh|sigmoid|softmax)$/;
    const told = suffixes.some(({ op }) => acts.test(op));
    if (activates && !told && item.relu !== false) {
      let i = 0;
      while (i < suffixes.length && suffixes[i].op === "bn") i += 1;
      suffixes.splice(i, 0, { op: "relu", at: item.span });
    }
    const owner = row?.name ?? "";
    for (const suffix of suffixes) {
      if (this.full(suffix.at)) return;
      if (suffix.op === "relu" && row && WS_INPLACE.has(row.op)) {
        row.relu = true;
        continue;
      }
      const blank = { ...wsBlank(suffix.op, suffix.at), rate: suffix.rate };
      const spec = WS_LAYERS[suffix.op](this, blank, this.flow);
      if (!spec) continue;
      const stem = WS_STEMS[suffix.op] ?? suffix.op;
      const name = owner && `${owner}.${stem}`;
      const at = { ...place, prefix: owner ? "" : place.prefix };
      row = this.add(blank, spec, name, at, suffix.at);
      plan.push({ row, spec });
    }
  }

  // Put a row down and move the flow behind it.
  add(item, spec, label, place, span) {
    const { flow } = this;
    const axes = spec.axes ?? flow.axes;
    const shape = spec.shape ?? flow.shape;
    const {
      parameters = 0,
      macs = 0,
      activations = wsTimesAll(...shape),
    } = spec;
    const counts = { parameters, macs, activations };
    const large = Object.values(counts).includes(Infinity);
    if (large || spec.large || !axes.every(wsExact)) {
      this.reader.problem(
        wsPlace(span),
        `Numbers are exact up to ${grouped(WS_MOST)}, ` +
          "and here they go beyond; try smaller sizes.",
      );
      for (const [what, count] of Object.entries(counts)) {
        if (count === Infinity) counts[what] = null;
      }
    }
    const kept = axes.map((axis) => (wsExact(axis) ? axis : null));
    const fields = kept.map((axis, i) =>
      wsMeasure(axis, shape.length === 3 ? shape[i + 1] : 1, this.pixels[i]),
    );
    const row = {
      index: this.rows.length,
      ...wsPlace(span),
      name: this.name(label, item.op, place),
      op: item.op,
      words: spec.words,
      input: flow.shape,
      shape,
      ...counts,
      field: fields.map(([size]) => size),
      jump: fields.map(([, jump]) => jump),
      relu: false,
      depth: place.path.length / 2,
      path: place.path,
      inputs: spec.inputs ?? [flow.from],
      maps: spec.maps ?? null,
    };
    this.rows.push(row);
    const counted = item.op === "conv" || item.op === "dense" ? 1 : 0;
    const layers = (spec.layers ?? flow.layers) + counted;
    const window = spec.maps ? { row, item } : flow.window;
    this.flow = {
      ...flow, shape, axes: kept, from: row.index, layers, window,
    };
    return row;
  }

  // "conv3", or the label; a name that is taken gets a number.
  name(label, op, { prefix, counts }) {
    let name = label && prefix + label;
    if (!label) {
      counts[op] = (counts[op] ?? 0) + 1;
      name = `${prefix}${WS_STEMS[op] ?? op}${counts[op]}`;
    }
    const taken = (this.names.get(name) ?? 0) + 1;
    this.names.set(name, taken);
    return taken === 1 ? name : `${name} (${taken})`;
  }

  // ---- Forks ----

  fork(item, label, place, still, turn, plan) {
    const prefix = label ? `${place.prefix}${label}.` : place.prefix;
    const counts = label ? {} : place.counts;
    if (!item.join) {
      const inside = { ...place, prefix, counts };
      const quiet = still && !item.suffixes.length;
      plan.push(...this.sequence(item.branches[0], inside, quiet));
      this.after(item, null, false, place, plan);
      return;
    }
    this.forks += 1;
    const number = this.forks;
    const start = this.flow;
    const branches = wsBranches(item, start, turn);
    const ends = [];
    const plans = branches.map((items, i) => {
      this.flow = start;
      const path = [...place.path, number, i];
      const inside = { prefix, counts, path };
      const made = this.sequence(items, inside, item.join === "add");
      ends.push(this.flow);
      return made;
    });
    const spec = this.join(item, start, ends);
    this.flow = { ...start, off: ends.some(({ off }) => off) };
    const as = { ...item, op: item.join };
    const row = this.add(as, spec, label, place, item.span);
    row.input = ends[0].shape;
    plan.push({ row, branches: plans });
    this.after(item, row, item.join === "add" && !still, place, plan);
  }

  // Where branches meet: one shape, and what all of them see.
  join(item, start, ends) {
    const sums = item.join === "add";
    const [shape, large] = wsJoinedShape(ends, sums);
    this.meet(item, start, ends, sums);
    const sizes = shape.length === 3 ? shape.slice(1) : [1, 1];
    const axes = sizes.map((size, a) => {
      const all = ends.map((end) => end.axes[a]);
      if (!sums) return wsMerge(all, size);
      return all.reduce((one, other) => wsMerge([one, other], size));
    });
    const words = sums ? "sum" : "concatenation";
    return {
      shape,
      axes,
      activations: 0,
      large,
      words: `${words} of ${ends.length}`,
      inputs: ends.map((end) => end.from),
      layers: Math.max(...ends.map((end) => end.layers)),
    };
  }

  // Say which branch does not fit the first, and what would.
  meet(item, start, ends, sums) {
    const [first] = ends;
    for (let i = 1; i < ends.length; i += 1) {
      const { shape } = ends[i];
      const rank = shape.length !== first.shape.length;
      const from = sums ? 0 : 1;
      const apart = (size, a) =>
        a >= from &&
        size !== null &&
        first.shape[a] !== null &&
        size !== first.shape[a];
      if (!rank && !shape.some(apart)) continue;
      const given =
        `Branch ${i + 1} gives ${wsShape(shape)}, ` +
        `and branch 1 ${wsShape(first.shape)}`;
      if (rank) {
        this.reader.problem(
          item.span,
          `${given}; maps meet only maps, and vectors only vectors.`,
        );
      } else if (sums) this.meetSum(item, start, ends, i, given);
      else this.meetSide(item, start, ends, i, given);
      return;
    }
  }

  meetSum(item, start, ends, i, given) {
    const shortcut = ends[i].from === start.from;
    const [maps, ...sides] = ends[0].shape;
    const givenSides = start.shape.slice(1);
    const known =
      shortcut &&
      sides.length === 2 &&
      givenSides.length === 2 &&
      ![maps, ...sides, ...givenSides].includes(null);
    const strides = sides.map((side, a) => Math.ceil(givenSides[a] / side));
    const fits = (side, a) =>
      Math.floor((givenSides[a] - 1) / strides[a]) + 1 === side;
    if (!known || !sides.every(fits)) {
      this.reader.problem(
        item.span,
        `${given}; a sum needs one shape, so let both end alike.`,
      );
      return;
    }
    const words = wsSides(strides) === "1" ? "" : ` s${wsSides(strides)}`;
    const layer = `${maps} 1x1${words} bn`;
    const implied = item.branches.length === 1;
    const at = implied ? item.close : wsOnly(item.branches[i]);
    const cure = implied ? `| ${layer} }` : layer;
    this.reader.problem(
      at ?? item.span,
      `${given}; a sum needs one shape, so project the shortcut: ${layer}.`,
      at ? cure : "",
    );
  }

  meetSide(item, start, ends, i, given) {
    const says = `${given}; concatenated maps need one height and width`;
    const pairs = [[ends[i], ends[0]], [ends[0], ends[i]]];
    for (const [{ window }, { shape }] of pairs) {
      const inside = window && window !== start.window;
      const pad = inside ? wsPadFor(window.row, shape.slice(1)) : "";
      if (!pad) continue;
      const { places, span } = window.item;
      const text = wsText(this.reader, span);
      this.reader.problem(
        places.padding ?? span,
        `${says}, so try ${pad} here.`,
        places.padding ? pad : `${text} ${pad}`,
      );
      return;
    }
    this.reader.problem(item.span, `${says}.`);
  }

  // ---- Printed claims ----

  check(item, row, spec) {
    if (item.shapeClaim) this.checkShape(item.shapeClaim, row);
    for (const claim of item.claims) this.checkCount(claim, row, spec);
  }

  checkShape(claim, row) {
    const { shape } = row;
    if (shape.includes(null)) return;
    if (wsAgrees(claim.shape, shape)) {
      this.flow = { ...this.flow, off: false };
      return;
    }
    const was = this.flow.off;
    this.flow = { ...this.flow, off: true };
    if (was) return; // it follows from an earlier one
    const order =
      shape.length === 3 && claim.shape.length === 3 &&
      claim.shape[0] !== shape[0]
        ? [shape[1], shape[2], shape[0]]
        : shape;
    const needs = wsNeeds(claim.shape, row);
    const from = row.inputs[0] === -1 ? "an input" : "maps";
    this.reader.note(
      claim,
      `This line prints ${wsShape(claim.shape)}, but the network gives ` +
        `${wsShape(order)}${needs && `; ${from} of ${needs} would fit`}.`,
      `[${order.join("x")}]`,
    );
  }

  checkCount(claim, row, spec) {
    if (this.flow.off) return;
    if (claim.what === "memory") {
      const values = wsTimesAll(...row.shape);
      this.compare(claim, [values], "value");
    } else {
      const full = row.parameters;
      const bare = full !== null && spec.bias ? full - row.shape[0] : full;
      this.compare(claim, [full, bare], "parameter");
    }
  }

  compare(claim, counts, noun) {
    if (counts.some((n) => n === null || n === Infinity)) return;
    const { value, step, product, number } = claim;
    const part = (value - (value % 100)) / 100; // a hundredth, exactly
    const slack = step === 1 ? 0 : Math.max(step, part);
    const near = (count) => Math.abs(count - value) <= slack;
    const key = claim.what;
    const said = counts.find(near);
    if (said === undefined) {
      const bare =
        noun === "parameter" && counts.length > 1 && counts[0] !== counts[1]
          ? `, or ${grouped(counts[1])} without biases`
          : "";
      this.reader.note(
        claim,
        `This line prints ${number} ${noun}s, but the network has ` +
          `${grouped(counts[0])}${bare}.`,
        `${key}: ${grouped(counts[0])}`,
      );
    } else if (product !== null && !counts.includes(product)) {
      this.reader.note(
        claim,
        `This line prints a product that is ${grouped(product)}, ` +
          `but the network has ${wsCount(said, noun)}.`,
        `${key}: ${grouped(said)}`,
      );
    }
  }
}

// `bn`, `relu` and the like on a line of their own belong to the line before.
function wsMerged(items) {
  const merged = [];
  for (const item of items) {
    const last = merged.at(-1);
    const small = /^(?:bn|relu|tanh|sigmoid)$/.test(item.op);
    const joins = small && item.times === 1 && !item.label && last;
    if (joins && last.times === 1 && last.op !== "same") {
      const own = { op: item.op, at: item.span };
      const suffixes = [...last.suffixes, own, ...item.suffixes];
      const relu = item.relu ?? last.relu;
      merged[merged.length - 1] = { ...last, suffixes, relu };
    } else merged.push(item);
  }
  return merged;
}

// A sum's shortcut is implied; a block of the ResNet paper projects where it
// must.
function wsBranches(item, start, turn) {
  if (item.join !== "add" || item.branches.length > 1) return item.branches;
  if (!item.residual) return [item.branches[0], []];
  const [first, ...others] = item.branches[0];
  const stride = turn === 1 ? item.stride : [1, 1];
  const strided = { ...first, keys: { ...first.keys, stride } };
  const maps = (others.at(-1) ?? first).numbers[0]?.value ?? null;
  const same = wsSides(stride) === "1" && start.shape[0] === maps;
  if (same || maps === null) return [[strided, ...others], []];
  const project = wsBlank("conv", item.span);
  project.numbers = [{ ...wsPlace(item.span), value: maps }];
  project.sizes = [{ ...wsPlace(item.span), sizes: [1, 1] }];
  project.keys = { stride };
  project.suffixes = [{ op: "bn", at: item.span }];
  return [[strided, ...others], [project]];
}

// The place of a branch's only item, such as `same`.
const wsOnly = (items) => (items.length === 1 ? items[0].span : null);

const wsText = (reader, { line, column, length }) =>
  reader.lines[line - 1].slice(column, column + length);

// Whatever is known of the shape in which branches meet.
function wsJoinedShape(ends, sums) {
  const [{ shape }] = ends;
  const alike = ends.filter((end) => end.shape.length === shape.length);
  const known = shape.map((size, a) => {
    const sizes = alike.map((end) => end.shape[a]);
    return size ?? sizes.find((other) => other !== null) ?? null;
  });
  if (sums) return [known, false];
  const maps = alike.map((end) => end.shape[0]).reduce(wsPlus, 0);
  const large = maps === Infinity;
  return [[large ? null : maps, ...known.slice(1)], large];
}

// The padding that makes a window's maps as large as these, or "".
function wsPadFor(row, sides) {
  const { kernel, stride, dilation, mode } = row.maps;
  const pads = sides.map((side, a) => {
    const span = dilation[a] * (kernel[a] - 1) + 1;
    const size = row.input[a + 1];
    if (side === null || size === null) return -1;
    const pad = Math.ceil(((side - 1) * stride[a] + span - size) / 2);
    const fits =
      pad >= 0 &&
      Math.floor((size + 2 * pad - span) / stride[a]) + 1 === side &&
      !(mode && 2 * pad > kernel[a]);
    return fits ? pad : -1;
  });
  return pads.includes(-1) ? "" : `p${wsSides(pads)}`;
}

// Whether a printed shape means this one: maps first or last, or flat.
function wsAgrees(claim, shape) {
  const same = (other) =>
    other.length === claim.length && other.every((n, i) => n === claim[i]);
  if (shape.length === 1) {
    return [shape, [1, 1, ...shape], [...shape, 1, 1]].some(same);
  }
  const [maps, ...sides] = shape;
  if (claim.length === 1) return claim[0] === wsTimesAll(...shape);
  return [sides, shape, [...sides, maps]].some(same);
}

// The size before a window that would give the printed one, or "".
function wsNeeds(claim, row) {
  if (!row.maps || claim.length < 2) return "";
  const { kernel, stride, dilation, padding } = row.maps;
  const last = claim.length === 3 && claim[0] === claim[1];
  const sides = last || claim.length === 2 ? claim.slice(0, 2) : claim.slice(1);
  const wanted = sides.map((side, a) => {
    const span = dilation[a] * (kernel[a] - 1) + 1;
    return (side - 1) * stride[a] + span - padding[a][0] - padding[a][1];
  });
  const given = row.input.slice(1);
  if (wanted.some((n) => n < 1 || n > WS_LIMITS.number)) return "";
  return wsShape(wanted) === wsShape(given) ? "" : wsShape(wanted);
}

// ---- Each kind of layer: what it makes, what it costs, what is wrong ----

const WS_INPLACE = new Set(
  "conv dense bn pool norm global add concat".split(" "),
);

const WS_LAYERS = {
  conv: wsConv,
  pool: wsPool,
  dense: wsDense,
  global: wsGlobal,
  same: wsSame,
  flatten: wsFlatten,
  norm(net, item, flow) {
    if (!wsReadsMaps(net, item, flow, "A local response norm")) return null;
    return { words: "local response norm" };
  },
  bn: (net, item, { shape }) => ({
    words: "batch norm",
    parameters: wsTimesAll(2, shape[0]),
  }),
  dropout(net, item) {
    const rate = item.rate ?? "0.5";
    return { words: `dropout ${rate}`, rate };
  },
  softmax: () => ({ words: "softmax" }),
  relu: () => ({ words: "ReLU" }),
  tanh: () => ({ words: "tanh" }),
  sigmoid: () => ({ words: "sigmoid" }),
};

// Whether maps come in; a sentence if not.
function wsReadsMaps(net, item, flow, what) {
  if (flow.shape.length === 3) return true;
  const units = flow.shape[0] === null ? "?" : grouped(flow.shape[0]);
  net.reader.problem(
    item.span,
    `${what} reads maps, and here comes a vector of ${units}; ` +
      "put it before the dense layers.",
  );
  return false;
}

// The kernel of a window, its place and the numbers that are left over.
function wsKernel(net, item, numbers) {
  const [size, second] = item.sizes;
  if (second) {
    net.reader.problem(
      second,
      "A layer has one kernel, and this is a second one; leave it out.",
    );
  }
  let [kernel, at, depth] = [null, null, null];
  if (size) {
    at = wsPlace(size);
    kernel = size.sizes.slice(0, 2);
    if (size.sizes.length === 3) depth = size.sizes[2];
    if (size.sizes.length > 3) {
      net.reader.problem(
        at,
        `A kernel has a height and a width, not ${size.sizes.length} ` +
          `numbers; try ${kernel.join("x")}.`,
        kernel.join("x"),
      );
    }
  } else if (numbers.length) {
    at = wsPlace(numbers[0]);
    kernel = [numbers[0].value, numbers[0].value];
    numbers.shift();
  }
  if (kernel?.includes(0)) {
    net.reader.problem(at, "A kernel is at least 1x1; try 1x1.", "1x1");
    kernel = null;
  }
  return { kernel, at: at ?? item.span, depth, given: Boolean(at) };
}

// Numbers that nothing in the line explains.
function wsLeftOver(net, numbers) {
  for (const { value, ...at } of numbers) {
    net.reader.problem(
      at,
      `Nothing says what this ${value} is; try s${value || 1} for a stride, ` +
        `or p${value} for padding.`,
      `s${value || 1}`,
    );
  }
}

// Words that this kind of layer cannot keep.
function wsRefuse(net, item, what, keys) {
  for (const key of keys) {
    const at = item.places[key] ?? item.flags[key];
    if (at === undefined) continue;
    net.reader.problem(at, `${what} knows no ${key}; leave it out.`);
  }
}

// The padding of both axes, before and after; null if it cannot be.
function wsPadding(net, item, window) {
  const { kernel, stride, dilation } = window;
  const { same } = item.flags;
  if (!same) {
    const pair = item.keys.padding ?? [0, 0];
    return pair.map((pad) => [pad, pad]);
  }
  const totals = kernel.map((k, a) => dilation[a] * (k - 1));
  const even = totals.some((total) => total % 2);
  if (even && (item.op === "pool" || wsSides(stride) !== "1")) {
    const odd = kernel.map((k) => k + (k % 2 ? 0 : 1));
    net.reader.problem(
      wsPlace(same),
      `The kernel ${wsSides(kernel)} has no centre, so padding cannot be ` +
        `the same on both sides; try ${odd.join("x")}, or p1.`,
      "p1",
    );
    return null;
  }
  return totals.map((total) => {
    const before = Math.floor(total / 2);
    return [before, total - before];
  });
}

// The maps' sizes behind a window; null where the window does not fit.
function wsSlide(net, item, flow, window, at) {
  const { kernel, stride, dilation, padding, ceil } = window;
  const sides = flow.shape.slice(1);
  const spans = kernel.map((k, a) => dilation[a] * (k - 1) + 1);
  const room = sides.map((side, a) =>
    side === null
      ? null
      : side + padding[a][0] + padding[a][1] - spans[a],
  );
  const bad = room.findIndex((r, a) => r !== null && r < 0 && !(
    ceil && wsCeil(sides[a], r, stride[a], padding[a][0]) >= 1
  ));
  if (bad < 0) {
    return sides.map((side, a) => {
      if (side === null) return null;
      if (ceil) {
        const places = wsCeil(side, room[a], stride[a], padding[a][0]);
        if (places >= 1) return places;
      }
      return Math.floor(room[a] / stride[a]) + 1;
    });
  }
  const fit = kernel.map((k, a) => {
    if (room[a] === null || room[a] >= 0) return k;
    const most = sides[a] + padding[a][0] + padding[a][1];
    return Math.floor((most - 1) / dilation[a]) + 1;
  });
  const pad = padding[bad][0] + Math.ceil(-room[bad] / 2);
  const dilated =
    dilation[bad] > 1 ? `, dilation ${dilation[bad]}` : "";
  const padded =
    item.op === "pool" && 2 * pad > kernel[bad] ? "" : ` or padding ${pad}`;
  net.reader.problem(
    at,
    `${grouped(sides[bad])} ${bad ? "wide" : "high"}, ` +
      `kernel ${kernel[bad]}${dilated}, stride ${stride[bad]}, ` +
      `padding ${padding[bad][0]}: the kernel is too large; ` +
      `kernel ${fit.join("x")}${padded} fits.`,
    fit.join("x"),
  );
  return [null, null];
}

// Places of a window that may hang over the edge, as in geometry.py.
function wsCeil(side, room, stride, before) {
  const places = Math.ceil(room / stride) + 1;
  return (places - 1) * stride >= side + before ? places - 1 : places;
}

const wsWalk = (flow, window) =>
  flow.axes.map((axis, a) =>
    wsStep(
      axis,
      window.dilation[a] * (window.kernel[a] - 1) + 1,
      window.stride[a],
      window.padding[a][0],
    ),
  );

// "3×3, stride 2, padding 1", defaults left out.
function wsWindowWords(window, same) {
  const { kernel, stride, padding, dilation, groups, ceil } = window;
  const words = [kernel.join("\u00d7")];
  if (wsSides(stride) !== "1") words.push(`stride ${wsShowSides(stride)}`);
  const before = padding.map((pair) => pair[0]);
  const even = padding.every((pair) => pair[0] === pair[1]);
  if (!even) words.push("padding same");
  else if (before.some(Boolean)) words.push(`padding ${wsShowSides(before)}`);
  if (wsSides(dilation) !== "1") {
    words.push(`dilation ${wsShowSides(dilation)}`);
  }
  if (groups > 1 && !same) words.push(`${groups} groups`);
  if (ceil) words.push("ceil");
  return words.join(", ");
}

function wsConv(net, item, flow) {
  const maps = flow.shape[0];
  const dw = Boolean(item.flags.dw);
  const numbers = [...item.numbers];
  const wants = !dw || numbers.length > (item.sizes.length ? 0 : 1);
  const first = wants ? numbers.shift() : null;
  const claimed = item.shapeClaim?.shape.at(-1);
  const mine = flow.shape.length === 3 ? maps : null;
  let out = first ? first.value : dw ? mine : claimed ?? null;
  const { kernel, at, depth } = wsKernel(net, item, numbers);
  wsLeftOver(net, numbers);
  wsRefuse(net, item, "A convolution", ["ceil"]);
  if (out === 0) {
    net.reader.problem(
      first ?? item.span,
      "A convolution makes at least 1 map; try 64.",
      "64",
    );
    out = null;
  } else if (out === null && !dw && !item.broken) {
    net.reader.problem(
      item.span,
      "This convolution lacks its number of filters; try conv 64 " +
        `${(kernel ?? [3, 3]).join("x")}.`,
      `conv 64 ${(kernel ?? [3, 3]).join("x")}`,
    );
  }
  if (kernel === null && !item.sizes.length && !item.broken) {
    net.reader.problem(
      item.span,
      "This convolution lacks the size of its kernel; try " +
        `conv ${dw ? "dw" : out ?? 64} 3x3.`,
      `conv ${dw ? "dw" : out ?? 64} 3x3`,
    );
  }
  const reads = wsReadsMaps(net, item, flow, "A convolution");
  const bias = item.bias ?? item.suffixes[0]?.op !== "bn";
  const lost = {
    words: "a convolution",
    shape: [out, null, null],
    axes: [null, null],
    parameters: null,
    macs: null,
    bias,
  };
  if (!reads || kernel === null) return lost;
  const stride = item.keys.stride ?? [1, 1];
  const dilation = item.keys.dilation ?? [1, 1];
  const window = { kernel, stride, dilation, mode: null, ceil: false };
  window.padding = wsPadding(net, item, window);
  window.groups = wsGroups(net, item, maps, out, dw);
  if (depth !== null && maps !== null && depth !== maps) {
    net.reader.note(
      at,
      `This kernel is printed ${depth} deep, but ${wsCount(maps, "map")} ` +
        "come in.",
      kernel.join("x"),
    );
  }
  window.bias = bias;
  const { groups, padding } = window;
  const known = groups !== null && maps !== null && out !== null;
  const weights = known
    ? wsTimesAll(maps / groups, out, ...kernel)
    : null;
  lost.parameters = wsPlus(weights, bias ? out : 0);
  if (padding === null) return lost;
  const sides = wsSlide(net, item, flow, window, at);
  const filters = dw
    ? "depthwise"
    : out === null ? "filters" : wsCount(out, "filter");
  const words = `${filters} ${wsWindowWords(window, dw)}`;
  return {
    words: words + (bias ? "" : ", no bias"),
    shape: [out, ...sides],
    axes: wsWalk(flow, window),
    parameters: lost.parameters,
    macs: wsTimesAll(weights, ...sides),
    bias,
    maps: groups === null ? null : wsMaps(window),
  };
}

const wsMaps = (window) => ({
  kernel: window.kernel,
  stride: window.stride,
  padding: window.padding,
  dilation: window.dilation,
  groups: window.groups,
  bias: window.bias,
  mode: window.mode,
  ceil: window.ceil,
});

// The number of groups, or null if they cannot share the maps.
function wsGroups(net, item, maps, out, dw) {
  const asked = item.keys.groups;
  if (!dw && !asked) return 1;
  if (maps === null || out === null) return null;
  if (dw) {
    if (out % maps === 0) return maps;
    const fits = Math.max(1, Math.floor((2 * out + maps) / (2 * maps))) * maps;
    net.reader.problem(
      item.numbers[0],
      `Depthwise, each of ${wsCount(maps, "map")} gets as many filters, ` +
        `and ${out} is no multiple of ${maps}; try ${fits}.`,
      String(fits),
    );
    return null;
  }
  const [groups] = asked;
  if (maps % groups === 0 && out % groups === 0) return groups;
  const shared = wsDivisors(wsDivisor(maps, out), groups);
  net.reader.problem(
    item.places.groups,
    `${wsCount(groups, "group")} cannot share ${wsCount(maps, "map")} in ` +
      `and ${grouped(out)} out; ` +
      `try ${shared.map((g) => `g${g}`).join(" or ")}.`,
    `g${shared[0]}`,
  );
  return null;
}

function wsDivisor(a, b) {
  while (b) [a, b] = [b, a % b];
  return a;
}

// The divisors next to a number: the nearest first.
function wsDivisors(number, near) {
  let [below, above] = [1, Infinity];
  for (let i = 1; i * i <= number; i += 1) {
    if (number % i) continue;
    for (const divisor of [i, number / i]) {
      if (divisor < near) below = Math.max(below, divisor);
      else above = Math.min(above, divisor);
    }
  }
  if (above === Infinity) return [below];
  return near - below <= above - near ? [below, above] : [above, below];
}

function wsPool(net, item, flow) {
  if (!wsReadsMaps(net, item, flow, "A pooling")) return null;
  const numbers = [...item.numbers];
  const claimed = item.sizes.length && numbers.length ? numbers.shift() : null;
  const { kernel = null, at, given } = wsKernel(net, item, numbers);
  wsLeftOver(net, numbers);
  wsRefuse(net, item, "A pooling", ["groups", "dilation", "bias", "dw"]);
  if (claimed && flow.shape[0] !== null && claimed.value !== flow.shape[0]) {
    net.reader.note(
      claimed,
      `A pooling keeps its maps: here are ${grouped(flow.shape[0])}, ` +
        `not ${grouped(claimed.value)}.`,
      String(flow.shape[0]),
    );
  }
  const lost = {
    words: "a pooling",
    shape: [flow.shape[0], null, null],
    axes: [null, null],
    activations: null,
  };
  if (given && kernel === null) return lost;
  const size = kernel ?? [2, 2];
  const stride = item.keys.stride ?? size;
  const window = { kernel: size, stride, dilation: [1, 1], groups: 1 };
  window.mode = item.mode ?? "max";
  window.ceil = Boolean(item.flags.ceil);
  window.bias = false;
  window.padding = wsPadding(net, item, window);
  if (window.padding === null) return lost;
  const wide = window.padding.findIndex((pad, a) => 2 * pad[0] > size[a]);
  if (wide >= 0) {
    const most = size.map((k) => Math.floor(k / 2));
    net.reader.problem(
      item.places.padding ?? item.span,
      `Padding ${window.padding[wide][0]} is more than half of the kernel ` +
        `${size[wide]}; p${wsSides(most)} fits.`,
      `p${wsSides(most)}`,
    );
    return lost;
  }
  const sides = wsSlide(net, item, flow, window, at);
  return {
    words: `${window.mode === "max" ? "max" : "mean"} pool ` +
      wsWindowWords(window, true),
    shape: [flow.shape[0], ...sides],
    axes: wsWalk(flow, window),
    maps: wsMaps(window),
  };
}

function wsDense(net, item, flow) {
  const numbers = [...item.numbers];
  const spare = item.spare;
  let out = null;
  const reads = numbers.length > 1 ? numbers.shift() : null;
  const first = numbers.shift() ?? null;
  if (first) out = first.value;
  else if (item.shapeClaim) out = item.shapeClaim.shape.at(-1);
  else if (spare) out = net.reader.whole(spare.text, spare.token);
  wsLeftOver(net, numbers);
  wsRefuse(net, item, "A dense layer", [
    "stride", "padding", "groups", "dilation", "ceil", "dw", "same",
  ]);
  for (const size of item.sizes) {
    net.reader.problem(
      wsPlace(size),
      "A dense layer has units, and no kernel; try dense 10.",
    );
  }
  if (out === 0) {
    net.reader.problem(
      first ?? item.span,
      "A dense layer has at least 1 unit; try 10.",
      "10",
    );
    out = null;
  } else if (out === null && !spare && !item.broken) {
    net.reader.problem(
      item.span,
      "This layer lacks its number of units; try dense 10.",
      "dense 10",
    );
  }
  const inputs = wsTimesAll(...flow.shape);
  if (reads && inputs !== null && reads.value !== inputs) {
    net.reader.note(
      reads,
      `This line prints ${grouped(reads.value)} inputs, but ` +
        `${inputs === Infinity ? "more" : grouped(inputs)} come in.`,
      inputs === Infinity ? "" : String(inputs),
    );
  }
  const weights = wsTimesAll(inputs, out);
  const bias = item.bias ?? item.suffixes[0]?.op !== "bn";
  return {
    words: `${out === null ? "units" : wsCount(out, "unit")}` +
      (bias ? "" : ", no bias"),
    shape: [out],
    axes: wsFlat(flow),
    parameters: wsPlus(weights, bias ? out : 0),
    macs: weights,
    bias,
  };
}

// What a vector's units see of what maps saw.
const wsFlat = ({ axes, shape }) =>
  axes.map((axis, a) =>
    shape.length === 3 ? wsSpread(axis, shape[a + 1]) : axis,
  );

function wsGlobal(net, item, flow) {
  if (!wsReadsMaps(net, item, flow, "A global pooling")) return null;
  const mode = item.mode ?? "avg";
  wsLeftOver(net, item.numbers);
  return {
    words: `${mode === "max" ? "maximum" : "mean"} of each map`,
    shape: flow.shape.slice(0, 1),
    axes: wsFlat(flow),
    activations: 0,
    mode,
  };
}

function wsFlatten(net, item, flow) {
  const values = wsTimesAll(...flow.shape);
  return {
    words: "all values in a row",
    shape: [values === Infinity ? null : values],
    axes: wsFlat(flow),
    activations: 0,
    large: values === Infinity,
  };
}

// `same` has no row; `same 32 s2` takes every second pixel and adds maps.
function wsSame(net, item, flow) {
  const { numbers, keys } = item;
  if (!numbers.length && !keys.stride) return null;
  if (!wsReadsMaps(net, item, flow, "A strided shortcut")) return null;
  const [maps, ...sides] = flow.shape;
  const out = numbers[0]?.value ?? maps;
  wsLeftOver(net, numbers.slice(1));
  const stride = keys.stride ?? [1, 1];
  if (out !== null && maps !== null && out < maps) {
    net.reader.problem(
      numbers[0],
      `The word same can add maps of zeros, not take maps away: ` +
        `${grouped(maps)} come in; try ${maps}, or a ${out} 1x1.`,
      String(maps),
    );
  }
  const window = {
    kernel: [1, 1], stride, dilation: [1, 1], padding: [[0, 0], [0, 0]],
  };
  const more = out === null || maps === null ? 0 : Math.max(0, out - maps);
  const words = [
    wsSides(stride) === "1"
      ? "the same maps"
      : `every pixel at stride ${wsShowSides(stride)}`,
  ];
  if (more) words.push(`${wsCount(more, "map")} of zeros`);
  return {
    words: words.join(", "),
    shape: [
      out,
      ...sides.map((side, a) =>
        side === null ? null : Math.floor((side - 1) / stride[a]) + 1,
      ),
    ],
    axes: wsWalk(flow, window),
    stride,
  };
}

// ---- All of it ----

function wsBuild(text) {
  const reader = new WsReader(String(text));
  const [items] = wsItems(reader, { i: 0 }, 0);
  const given = reader.input;
  if (!given) {
    reader.problem(
      { line: 1, column: 0, length: 0 },
      "The first line says what comes in; try input 3x224x224.",
      "input 3x224x224\n",
    );
    reader.input = { shape: [3, 224, 224] };
  }
  const net = new WsNet(reader);
  for (const claim of given?.claims ?? []) {
    net.compare(
      claim,
      claim.what === "memory" ? [wsTimesAll(...given.shape)] : [0],
      claim.what === "memory" ? "value" : "parameter",
    );
  }
  const place = { prefix: "", counts: {}, path: [] };
  const plan = net.sequence(items, place, true);
  const totals = wsTotals(net);
  for (const claim of reader.claims) wsTotalCheck(net, claim, totals);
  reader.problems.sort((a, b) => a.line - b.line || a.column - b.column);
  return { reader, net, plan, totals, given };
}

function wsTotals(net) {
  const totals = {
    rows: net.rows.length,
    layers: 0,
    depth: net.flow.layers,
    parameters: 0,
    macs: 0,
    activations: 0,
    complete: !net.reader.stopped,
  };
  for (const row of net.rows) {
    if (row.op === "conv" || row.op === "dense") totals.layers += 1;
    for (const what of ["parameters", "macs", "activations"]) {
      if (row[what] === null) totals.complete = false;
      else if (totals[what] !== null) {
        const sum = wsPlus(totals[what], row[what]);
        totals[what] = sum === Infinity ? null : sum;
      }
    }
  }
  for (const what of ["parameters", "macs", "activations"]) {
    if (totals[what] === null) totals.complete = false;
  }
  return totals;
}

function wsTotalCheck(net, claim, totals) {
  if (!totals.complete) return;
  if (claim.what === "memory") {
    const input = wsTimesAll(...net.reader.input.shape);
    const all = wsPlus(totals.activations, input);
    net.compare(claim, [all, totals.activations], "value");
  } else net.compare(claim, [totals.parameters], "parameter");
}

function wsParse(text) {
  const { reader, net, totals, given } = wsBuild(text);
  const [maps, ...sides] = given?.shape ?? [0];
  return {
    input: given && {
      ...wsPlace(given),
      shape: given.shape,
      words: `${wsCount(maps, "map")} of ${sides.join("\u00d7")}`,
    },
    shape: net.flow.shape,
    rows: net.rows,
    totals,
    problems: reader.problems,
  };
}

// ---- As PyTorch ----

const WS_HELPERS = {
  Concat: `class Concat(nn.ModuleList):
    """Branches side by side: their maps are stacked."""

    def forward(self, x):
        return torch.cat([branch(x) for branch in self], dim=1)`,
  Add: `class Add(nn.ModuleList):
    """Branches whose results are added, such as a block and its shortcut."""

    def forward(self, x):
        first, *others = [branch(x) for branch in self]
        for other in others:
            first = first + other
        return first`,
  Every: `class Every(nn.Module):
    """Every so many pixels, and new maps of zeros: nothing to learn."""

    def __init__(self, stride, new_maps):
        super().__init__()
        self.stride, self.new_maps = stride, new_maps

    def forward(self, x):
        high, wide = self.stride
        x = x[:, :, ::high, ::wide]
        return nn.functional.pad(x, (0, 0, 0, 0, 0, self.new_maps))`,
  MeanOf: `class MeanOf(nn.Sequential):
    """Its layers, and then the mean of each map."""

    def forward(self, x):
        return super().forward(x).mean(dim=(2, 3))`,
  MaxOf: `class MaxOf(nn.Sequential):
    """Its layers, and then the maximum of each map."""

    def forward(self, x):
        return super().forward(x).amax(dim=(2, 3))`,
};

function wsToPytorch(text) {
  const { reader, net, plan } = wsBuild(text);
  if (reader.problems.some(({ kind }) => kind === "error")) return "";
  const modules = wsModules(plan);
  const cut = modules.findIndex(({ global }) => global);
  const parts =
    cut < 0
      ? [["layers", modules]]
      : [
          ["features", modules.slice(0, cut)],
          ["classifier", modules.slice(cut + 1)],
        ].filter(([, part]) => part.length);
  const made = parts.flatMap(([name, part]) => [
    `        self.${name} = nn.Sequential(`,
    ...wsIndented(part, 12),
    "        )",
  ]);
  const reads = wsBatch(reader.input.shape);
  const body = wsForward(parts, modules[cut]);
  const code = made.join("\n");
  const helpers = Object.entries(WS_HELPERS)
    .filter(([name]) => code.includes(` ${name}(`))
    .map(([, helper]) => `${helper}\n\n\n`);
  return `import torch
from torch import nn


${helpers.join("")}class Net(nn.Module):
    """Reads ${reads}, gives ${wsBatch(net.flow.shape)}."""

    def __init__(self):
        super().__init__()
${code}

    def forward(self, x):
${body}


if __name__ == "__main__":
    net = Net().eval()
    print(sum(p.numel() for p in net.parameters()), "parameters")
    print(net(torch.zeros(1, ${reader.input.shape.join(", ")})).shape)
`;
}

const wsBatch = (shape) => `(N, ${shape.join(", ")})`;

// The lines of `forward`: the mean of each map stands between two parts.
function wsForward(parts, global) {
  const lines = parts.map(([name]) => `        x = self.${name}(x)`);
  if (global) {
    const at = parts.findIndex(([name]) => name === "classifier");
    const line = `        x = ${global.lines[0]}  # ${global.note}`;
    lines.splice(at < 0 ? lines.length : at, 0, line);
  }
  const last = lines.pop();
  return [...lines, last.replace("x =", "return")].join("\n");
}

// Modules as { lines, note }; the lines without the comma at their end.
function wsModules(plan) {
  const modules = [];
  for (const part of plan) {
    if (part.turns) modules.push(...wsRepeated(part.turns));
    else if (part.branches) modules.push(wsForked(part));
    else modules.push(...wsModule(part));
    if (part.row?.relu) modules.push(wsLine("nn.ReLU(inplace=True)"));
  }
  return modules;
}

const wsLine = (line, note = "") => ({ lines: [line], note });

// Repeats that are alike, as a comprehension.
function wsRepeated(turns) {
  const modules = [];
  let [last, count] = [null, 0];
  const flush = () => {
    if (!last?.inside.length) return;
    if (count === 1) {
      modules.push(...last.inside);
      return;
    }
    const one = wsGroup(last.inside, "nn.Sequential");
    const note = one.note && `  # ${one.note}`;
    const lines = one.lines.map((line) => `    ${line}`);
    lines[lines.length - 1] += note;
    const times = `    for _ in range(${count})`;
    modules.push({ lines: ["*[", ...lines, times, "]"], note: "" });
  };
  for (const turn of turns) {
    const inside = wsModules(turn);
    const text = JSON.stringify(inside);
    if (last && last.text === text) count += 1;
    else {
      flush();
      [last, count] = [{ inside, text }, 1];
    }
  }
  flush();
  return modules;
}

// One module of several, if there are several.
function wsGroup(modules, kind) {
  if (kind === "nn.Sequential") {
    if (!modules.length) return wsLine("nn.Identity()");
    const [one] = modules;
    if (modules.length === 1 && !one.lines[0].startsWith("*")) return one;
  }
  return { lines: [`${kind}(`, ...wsIndented(modules, 4), ")"], note: "" };
}

function wsIndented(modules, by) {
  const space = " ".repeat(by);
  return modules.flatMap(({ lines, note }) =>
    lines.map((line, i) => {
      const end = i === lines.length - 1;
      return space + line + (end ? "," + (note && `  # ${note}`) : "");
    }),
  );
}

function wsForked({ row, branches }) {
  const kind = row.op === "add" ? "Add" : "Concat";
  const modules = branches.map((plan) =>
    wsGroup(wsInBranch(wsModules(plan)), "nn.Sequential"),
  );
  const lines = [`${kind}([`, ...wsIndented(modules, 4), "])"];
  return { lines, note: wsBatch(row.shape) };
}

// In a branch, a global pooling takes the layers before it in.
function wsInBranch(modules) {
  const cut = modules.findIndex(({ global }) => global);
  if (cut < 0) return modules;
  const { global, note } = modules[cut];
  const inner = modules.slice(0, cut);
  const one = inner.length
    ? wsGroup(inner, global)
    : wsLine(`${global}()`);
  return [{ ...one, note }, ...modules.slice(cut + 1)];
}

function wsModule({ row, spec }) {
  const { op, input, shape, maps } = row;
  const note = wsShape(input) === wsShape(shape) ? "" : wsBatch(shape);
  const [one] = input;
  const lines = {
    conv: () => `nn.Conv2d(${one}, ${shape[0]}, ${wsWindowCode(maps)})`,
    pool: () => {
      const kind = maps.mode === "max" ? "Max" : "Avg";
      return `nn.${kind}Pool2d(${wsWindowCode(maps)})`;
    },
    norm: () => "nn.LocalResponseNorm(5, alpha=5e-4, k=2.0)",
    bn: () => `nn.BatchNorm${shape.length === 3 ? 2 : 1}d(${one})`,
    dense: () => {
      const bias = spec.bias ? "" : ", bias=False";
      return `nn.Linear(${wsTimesAll(...input)}, ${shape[0]}${bias})`;
    },
    dropout: () => `nn.Dropout(${spec.rate})`,
    softmax: () => "nn.Softmax(dim=1)",
    flatten: () => "nn.Flatten()",
    relu: () => "nn.ReLU()",
    tanh: () => "nn.Tanh()",
    sigmoid: () => "nn.Sigmoid()",
    same: () => `Every((${spec.stride.join(", ")}), ${shape[0] - one})`,
    global: () => `x.${spec.mode === "max" ? "amax" : "mean"}(dim=(2, 3))`,
  };
  const made = [{ ...wsLine(lines[op](), note) }];
  if (op === "global") {
    made[0].global = spec.mode === "max" ? "MaxOf" : "MeanOf";
    made[0].note = wsBatch(shape);
  }
  if (op === "dense" && input.length === 3) {
    made.unshift(wsLine("nn.Flatten()"));
  }
  return made;
}

function wsWindowCode({ kernel, stride, padding, dilation, ...window }) {
  const sides = ([high, wide]) =>
    high === wide ? String(high) : `(${high}, ${wide})`;
  const words = [sides(kernel)];
  const pool = window.mode !== null;
  if (pool || wsSides(stride) !== "1") words.push(`stride=${sides(stride)}`);
  if (padding.some(([before, after]) => before !== after)) {
    words.push('padding="same"');
  } else if (padding.some(([before]) => before)) {
    words.push(`padding=${sides(padding.map(([before]) => before))}`);
  }
  if (wsSides(dilation) !== "1") words.push(`dilation=${sides(dilation)}`);
  if (!pool && window.groups > 1) words.push(`groups=${window.groups}`);
  if (!pool && !window.bias) words.push("bias=False");
  if (window.ceil) words.push("ceil_mode=True");
  return words.join(", ");
}

// ---- The address: a network in a link ----

// What stands for what; all else but letters, digits and .:,;/=+- is written
// as $hex. of its UTF-16 unit. No sign is one that chats or mails cut off.
const WS_SIGNS = {
  " ": "_", "\n": "~", "{": "(", "}": ")", "|": "!", "[": "@", "]": "'",
};
const WS_LETTERS = Object.fromEntries(
  Object.entries(WS_SIGNS).map(([letter, sign]) => [sign, letter]),
);

function wsToAddress(text) {
  const safe = text.replace(/[^A-Za-z0-9.:,;/=+-]/g, (letter) =>
    WS_SIGNS[letter] ?? `$${letter.charCodeAt(0).toString(16)}.`,
  );
  return `net=${safe}.end`;
}

// The text of an address such as "#net=input_3x32x32~….end"; null if there is
// none, or if it lost something on its way.
function wsFromAddress(hash) {
  if (hash.length > WS_LIMITS.address) return null;
  let found = hash;
  try {
    if (found.includes("%")) found = decodeURIComponent(found);
  } catch {
    return null;
  }
  found = /^#?net=([^]*)\.end$/.exec(found);
  if (!found) return null;
  const code = /^(?:[A-Za-z0-9.:,;/=+\-_~()!@']|\$[0-9a-f]{1,4}\.)*$/;
  if (!code.test(found[1])) return null;
  const text = found[1].replace(
    /\$([0-9a-f]+)\.|[_~()!@']/g,
    (sign, hex) =>
      hex ? String.fromCharCode(parseInt(hex, 16)) : WS_LETTERS[sign],
  );
  return text.length <= WS_LIMITS.text ? text : null;
}
