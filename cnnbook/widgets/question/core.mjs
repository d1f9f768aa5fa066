// What the question and the review page compute: the small arithmetic, how
// an answer is read, and when a question comes back. The first two parts are
// the twins of cnnbook/quiz/arithmetic.py and cnnbook/quiz/reading.py.

// ---- Arithmetic ----

class QzUnreadable extends Error {}

const QZ_TOKEN = /\d+(?:\.\d+)?|\w+|[-+*/^(),]|\S/gu;
const QZ_FUNCTIONS = ["floor", "ceil", "max", "min"];
const QZ_BRACKETS = { floor: "⌊⌋", ceil: "⌈⌉" };
const QZ_SIGNS = { "+": " + ", "-": " − ", "*": " × ", "/": " / " };
const QZ_RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const QZ_DEEPEST = 40;
const QZ_LARGEST = 1e18;

const qzNo = (sentence) => {
  throw new QzUnreadable(sentence);
};

function qzParse(text) {
  const tokens = String(text).match(QZ_TOKEN) ?? [];
  return qzTrees(tokens.map((t) => (/^\d/.test(t) ? Number(t) : t)));
}

// Trees: ["#", number], ["n", name], ["f", name, parts], [sign, tree, tree].
function qzTrees(tokens) {
  let [at, depth] = [0, 0];
  const taken = (...signs) => {
    const token = tokens[at];
    if (typeof token !== "string" || !signs.includes(token)) return "";
    at += 1;
    return token;
  };
  const closed = (inside) =>
    taken(")") ? inside : qzNo("A bracket is not closed.");
  const several = () => {
    const found = [sum()];
    while (taken(",")) found.push(sum());
    return found;
  };
  const chain = (part, ...signs) => {
    let left = part();
    let sign = "";
    while ((sign = taken(...signs))) left = [sign, left, part()];
    return left;
  };
  const sum = () => chain(product, "+", "-");
  const product = () => chain(factor, "*", "/");
  const factor = () => {
    depth += 1;
    if (depth > QZ_DEEPEST) qzNo("That is nested too deeply.");
    let found = null;
    if (taken("-")) {
      found = ["-", ["#", 0], factor()];
    } else {
      found = atom();
      if (taken("^")) found = ["^", found, factor()];
    }
    depth -= 1;
    return found;
  };
  const atom = () => {
    const token = tokens[at];
    if (at < tokens.length) at += 1;
    if (typeof token === "number") return ["#", token];
    if (token === "(") return ["(", closed(sum())];
    if (QZ_FUNCTIONS.includes(token) && taken("(")) {
      return ["f", token, closed(several())];
    }
    if (/^[A-Za-z_]\w*$/.test(token ?? "")) return ["n", token];
    return qzNo("A number is missing there.");
  };
  const found = several();
  if (at < tokens.length) qzNo("There is something behind the number.");
  return found;
}

function qzValue([kind, ...parts], names) {
  if (kind === "#") return parts[0];
  if (kind === "n") {
    if (Object.hasOwn(names, parts[0])) return names[parts[0]];
    qzNo(`The word “${parts[0]}” is not known here.`);
  }
  if (kind === "f") {
    return Math[parts[0]](...parts[1].map((part) => qzValue(part, names)));
  }
  const numbers = parts.map((part) => qzValue(part, names));
  const found = qzJoined(kind, numbers[0], numbers.at(-1));
  if (!(Math.abs(found) <= QZ_LARGEST)) {
    qzNo("That is a larger number than any in this book.");
  }
  return found;
}

function qzJoined(sign, a, b) {
  if (sign === "+") return a + b;
  if (sign === "-") return a - b;
  if (sign === "*") return a * b;
  if (sign === "/") return b ? a / b : qzNo("Nothing can be divided by zero.");
  return sign === "^" ? qzPower(a, b) : a;
}

function qzPower(base, exponent) {
  if (!Number.isInteger(exponent) || Math.abs(exponent) > 64) {
    qzNo("An exponent is a whole number up to 64.");
  }
  let found = 1;
  for (let i = 0; i < Math.abs(exponent); i += 1) found *= base;
  if (exponent >= 0) return found;
  return found ? 1 / found : qzNo("Nothing can be divided by zero.");
}

function qzShow([kind, ...parts], names) {
  if (kind === "#") return qzNumber(parts[0]);
  if (kind === "n") return qzNumber(names[parts[0]]);
  if (kind === "f") {
    const inside = parts[1].map((part) => qzShow(part, names)).join(", ");
    const [left, right] = QZ_BRACKETS[parts[0]] ?? [`${parts[0]}(`, ")"];
    return left + inside + right;
  }
  if (kind === "(") return `(${qzShow(parts[0], names)})`;
  const [first] = parts;
  if (kind === "-" && first[0] === "#" && first[1] === 0) {
    return `−${qzShow(parts[1], names)}`;
  }
  const [left, right] = parts.map((part) => qzShow(part, names));
  if (kind !== "^") return left + QZ_SIGNS[kind] + right;
  if (!/^\d+$/.test(right)) return `${left}^${right}`;
  return left + right.replace(/\d/g, (digit) => QZ_RAISED[digit]);
}

// 34,944, or 60.95: whole, or with four digits or more.
function qzNumber(given) {
  const size = Math.abs(given);
  let decimals = 0;
  if (!Number.isInteger(size)) {
    decimals = size >= 100 ? 1 : size >= 10 ? 2 : size >= 0.1 ? 3 : 6;
  }
  const parts = Math.floor(size * 10 ** decimals + 0.5);
  const text = String(parts).padStart(decimals + 1, "0");
  const whole = text.slice(0, text.length - decimals);
  const rest = text.slice(text.length - decimals).replace(/0+$/, "");
  const sign = given < 0 && parts ? "−" : "";
  return sign + grouped(whole) + (decimals && rest ? `.${rest}` : "");
}

// ---- Reading an answer ----

const QZ_LONGEST = 100;
const QZ_EXAMPLE = "write a number such as 34,944, 35K, 1.4M or 5*5*3*96";
const QZ_SHAPE = "write a shape such as 55x55x96";
const QZ_BYTES = new Map([
  ...["bytes", "byte", "B"].map((name) => [name, 1]),
  ...[["kB", 1e3], ["KB", 1e3], ["MB", 1e6], ["GB", 1e9]],
  ...[["KiB", 2 ** 10], ["MiB", 2 ** 20], ["GiB", 2 ** 30]],
]);
const QZ_SCALES = new Map([
  ...["K", "k", "thousand"].map((name) => [name, 1e3]),
  ...["M", "m", "million", "millions"].map((name) => [name, 1e6]),
  ...["G", "billion"].map((name) => [name, 1e9]),
]);
const QZ_NOISE = (
  "% percent per cent parameters parameter params weights weight biases " +
  "values value numbers pixels pixel px maps map channels MACs macs mac " +
  "multiplications multiplication multiply adds connections units unit " +
  "times layers layer places crops filters images of digits steps " +
  "convolutions heads paths blocks neurons outputs windows"
).split(" ");
const QZ_POINT = String.raw`(?:\.\d+)?(?:[eE][-+]?\d+)?`;
const QZ_GROUPED =
  String.raw`\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?` +
  String.raw`|\d{1,3}(?: \d{3})+(?![\d.])`;
const QZ_REST = String.raw`[A-Za-z]+|%|[-+*/^(),]| |.`;
const QZ_PIECES = {
  number: `${QZ_GROUPED}|\\d+,\\d+|\\d+${QZ_POINT}|\\.\\d+|${QZ_REST}`,
  shape: `\\d+${QZ_POINT}|\\.\\d+|${QZ_REST}`,
};

// { values, step }: the numbers, and what the last digit typed is worth.
function qzRead(text, form = "number", unit = "") {
  if ([...text].length > QZ_LONGEST) {
    qzNo(`That is too long to be an answer; ${QZ_EXAMPLE}.`);
  }
  const plain = qzPlain(text);
  if (!plain) qzNo("Type an answer first, or let yourself be shown.");
  let [found, tokens, inBytes] = [null, [], false];
  try {
    if (form === "shape") return { values: qzSides(plain), step: 0 };
    [tokens, inBytes] = qzTokens(plain, "number");
    const trees = qzTrees(tokens);
    if (trees.length === 1) found = qzValue(trees[0], {});
  } catch (error) {
    if (!(error instanceof QzUnreadable)) throw error;
    const how = form === "shape" ? QZ_SHAPE : QZ_EXAMPLE;
    qzNo(`${error.message.slice(0, -1)}; ${how}.`);
  }
  if (found === null) qzNo(`One number is asked for; ${QZ_EXAMPLE}.`);
  const step = qzStep(tokens);
  if (!inBytes) return { values: [found], step };
  const size = QZ_BYTES.get(unit);
  if (!size) qzNo(`Bytes are not asked for here, but ${unit}.`);
  return { values: [found / size], step: step / size };
}

function qzPlain(text) {
  return text
    .replace(/(?<=[0-9])['’_](?=[0-9])/g, "")
    .replace(/[×✕✖·⋅∙•]/g, "*")
    .replace(/[−–—]/g, "-")
    .replace(/[÷∕⁄]/g, "/")
    .replace(/[\u00a0\u2009\u202f\u2007\t\n\r]/g, " ")
    .replace(
      /[⁰¹²³⁴-⁹]+/g,
      (signs) => `^${[...signs].map((s) => QZ_RAISED.indexOf(s)).join("")}`,
    )
    .replaceAll("**", "^")
    .replace(/^ +| +$/g, "")
    .replace(/^(?:~|≈|=|about |ca\. ?| )+/, "");
}

// The sides of a shape, however they are set apart.
function qzSides(text) {
  const times = /[*xXy]/.test(text);
  const plain = times
    ? text.replace(/(?<=[0-9]),(?=[0-9]{3}(?![0-9]))/g, "")
    : text;
  const [tokens] = qzTokens(plain, "shape");
  const sides = tokens.filter((token) => typeof token === "number");
  const fits = tokens.every(
    (token) => typeof token === "number" || "*,()".includes(token),
  );
  return sides.length && fits ? sides : qzNo("That is not a shape.");
}

// Numbers and signs; a word behind a number is its unit.
function qzTokens(text, form) {
  const tokens = [];
  let inBytes = false;
  for (const piece of text.match(new RegExp(QZ_PIECES[form], "gu")) ?? []) {
    const scale = QZ_BYTES.get(piece) ?? QZ_SCALES.get(piece);
    if (/^\.?[0-9]/.test(piece)) {
      tokens.push(qzTyped(piece));
    } else if (["x", "X", "by"].includes(piece)) {
      tokens.push("*");
    } else if (scale) {
      const last = tokens.at(-1);
      if (last === undefined || "+-*/^(,".includes(last)) {
        qzNo(`A number is missing before “${piece}”.`);
      }
      inBytes ||= QZ_BYTES.has(piece);
      if (typeof last === "number") tokens[tokens.length - 1] *= scale;
      else tokens.push("*", scale);
    } else if ("+-*/^(),".includes(piece)) {
      tokens.push(piece);
    } else if (piece !== " " && !QZ_NOISE.includes(piece)) {
      qzNo(`“${piece}” cannot be read.`);
    }
  }
  return [tokens, inBytes];
}

// A number as typed: a comma before three digits only groups them.
function qzTyped(piece) {
  const point =
    /^[0-9]+,[0-9]+$/.test(piece) && !/^[0-9]{1,3},[0-9]{3}$/.test(piece);
  const plain = point ? piece.replace(",", ".") : piece;
  const found = Number(plain.replace(/[, ]/g, ""));
  if (found <= QZ_LARGEST) return found;
  return qzNo("That is a larger number than any in this book.");
}

// What the last digit of a single number is worth; else nothing.
function qzStep(tokens) {
  if (tokens.length !== 1 || tokens[0] === 0) return 0;
  const divides = (step) => {
    const times = tokens[0] / step;
    const off = Math.abs(times - Math.floor(times + 0.5));
    return off <= 1e-9 * Math.max(1, Math.abs(times));
  };
  let step = 1e-6;
  while (step < tokens[0] && divides(step * 10)) step *= 10;
  return step;
}

// ---- Right or wrong, and why ----

const QZ_ROUNDED =
  "That is the right answer, rounded. Here every digit is asked for: try " +
  "again.";
const QZ_SCALED =
  "Your digits are right, the size is not: look at the zeros, or at K and M.";
const QZ_OTHER = "Not this time.";

function qzJudge({ digits, right, slips }, { values, step }) {
  const said = (is, kind = "", words = "", again = false) => ({
    right: is,
    kind,
    words,
    again,
  });
  if (qzNear(values, right, digits)) return said(true);
  for (const [wrong, kind, words] of slips) {
    if (qzNear(values, wrong, digits)) return said(false, kind, words);
  }
  if (values.length === 1 && right.length === 1) {
    const [[typed], [wanted]] = [values, right];
    if (!digits && Math.abs(typed - wanted) <= step / 2) {
      return said(false, "", QZ_ROUNDED, true);
    }
    const scaled = [1e-9, 1e-6, 1e-3, 1e3, 1e6, 1e9].some((scale) =>
      qzNear([typed * scale], right, digits),
    );
    if (wanted >= 10 && scaled) return said(false, "size", QZ_SCALED);
  }
  return said(false, "", QZ_OTHER);
}

// A shape may be given as torch writes it, with the maps in front.
function qzNear(given, wanted, digits) {
  if (given.length !== wanted.length) return false;
  const turned = [...wanted.slice(-1), ...wanted.slice(0, -1)];
  return [wanted, turned].some((shape) =>
    shape.every((b, i) => Math.abs(given[i] - b) <= qzWindow(b, digits)),
  );
}

// How far off an answer may be: half a step of the last digit asked for.
function qzWindow(number, digits) {
  const size = Math.abs(number);
  if (!digits || size === 0) return 1e-9 * Math.max(1, size);
  const most = qzPower(10, digits);
  let step = 1;
  while (size >= most * step) step *= 10;
  while (size < (most / 10) * step) step /= 10;
  return (step / 2) * (1 + 1e-9);
}

// ---- The deck: Leitner's boxes ----

// A right answer moves a question up a box, a wrong one back to the first. It
// comes back after so many days; what is answered earlier does not move up.
const QZ_DAYS = [1, 3, 7, 16, 35, 90];
const QZ_KEY = "cnn-review";
const QZ_VERSION = 1;

const qzEmpty = () => ({ version: QZ_VERSION, cards: {}, slips: {} });

// The day as a number, by the reader's own clock.
function qzToday(now = new Date()) {
  const minutes = now.getTime() / 60000 - now.getTimezoneOffset();
  return Math.floor(minutes / 1440);
}

// A card after an answer: { box, due, seen, right, last }.
function qzSchedule(card, right, today) {
  const early = Boolean(card) && card.due > today;
  let box = 0;
  if (right && card) {
    box = Math.min(card.box + (early ? 0 : 1), QZ_DAYS.length - 1);
  } else if (right) {
    box = 1;
  }
  return {
    box,
    due: right && early ? card.due : today + QZ_DAYS[box],
    seen: (card?.seen ?? 0) + 1,
    right: Boolean(right),
    last: today,
  };
}

// A deck after an answer; the old one stays as it is.
function qzAnswered(deck, id, right, kind, today) {
  const slips = { ...deck.slips };
  if (kind) slips[kind] = Math.min((slips[kind] ?? 0) + 1, 1e6);
  if (id === null) return { ...deck, slips };
  const card = qzSchedule(deck.cards[id], right, today);
  return { ...deck, slips, cards: { ...deck.cards, [id]: card } };
}

// A deck out of a text, or a sentence why it is none.
function qzDeck(text) {
  let data = null;
  try {
    data = JSON.parse(text);
  } catch {
    throw new QzUnreadable("This is no review deck: it is not JSON.");
  }
  const record = (thing) =>
    thing !== null && typeof thing === "object" && !Array.isArray(thing);
  const whole = (number, most) =>
    Number.isInteger(number) && number >= 0 && number <= most;
  if (!record(data) || !record(data.cards) || !record(data.slips)) {
    throw new QzUnreadable("This is no review deck: it has no cards.");
  }
  if (data.version !== QZ_VERSION) {
    throw new QzUnreadable("This deck is of another version of the book.");
  }
  const deck = qzEmpty();
  const name = /^[a-z0-9][a-z0-9_-]{0,60}$/;
  for (const [id, card] of Object.entries(data.cards).slice(0, 2000)) {
    if (
      !name.test(id) ||
      !record(card) ||
      !whole(card.box, QZ_DAYS.length - 1) ||
      ![card.due, card.seen, card.last].every((day) => whole(day, 1e6)) ||
      typeof card.right !== "boolean"
    ) {
      throw new QzUnreadable("This is no review deck: a card is damaged.");
    }
    const { box, due, seen, right, last } = card;
    deck.cards[id] = { box, due, seen, right, last };
  }
  for (const [kind, times] of Object.entries(data.slips).slice(0, 200)) {
    if (!name.test(kind) || !whole(times, 1e6)) {
      throw new QzUnreadable("This is no review deck: a count is damaged.");
    }
    deck.slips[kind] = times;
  }
  return deck;
}

// Two decks in one: of each card, what was answered later.
function qzMerged(a, b) {
  const merged = { ...a, cards: { ...a.cards }, slips: { ...a.slips } };
  for (const [id, card] of Object.entries(b.cards)) {
    const own = merged.cards[id];
    const newer =
      own === undefined ||
      card.last > own.last ||
      (card.last === own.last && card.seen > own.seen);
    if (newer) merged.cards[id] = card;
  }
  for (const [kind, times] of Object.entries(b.slips)) {
    merged.slips[kind] = Math.max(times, merged.slips[kind] ?? 0);
  }
  return merged;
}

// The deck of this browser. Where it keeps nothing, the page remembers alone.
// Each change reads first what is there, so that two tabs go together.
function qzStore(storage, changed = () => {}) {
  let here = qzEmpty();
  let kept = true;
  const read = () => {
    try {
      const text = storage().getItem(QZ_KEY);
      if (text !== null) here = qzDeck(text);
      else if (kept) here = qzEmpty();
    } catch (error) {
      // What is not readable is left alone: a newer book may have written it.
      kept = false;
      if (error instanceof QzUnreadable) return here;
    }
    return here;
  };
  const write = (change) => {
    here = change(read());
    try {
      if (kept) storage().setItem(QZ_KEY, JSON.stringify(here));
    } catch {
      kept = false;
    }
    changed();
    return here;
  };
  const clear = () => {
    here = qzEmpty();
    try {
      storage().removeItem(QZ_KEY);
      kept = true;
    } catch {
      kept = false;
    }
    changed();
  };
  return { read, write, clear, kept: () => kept };
}

// The page's own deck; its questions hear of each other's answers.
const qzDecks = qzStore(
  () => localStorage,
  () => dispatchEvent(new Event(QZ_KEY)),
);

// Call the listener when this page or another tab changes the deck.
function qzFollow(listener) {
  const other = (event) => {
    if (event.key === QZ_KEY || event.key === null) listener(true);
  };
  const own = () => listener(false);
  addEventListener("storage", other);
  addEventListener(QZ_KEY, own);
  return () => {
    removeEventListener("storage", other);
    removeEventListener(QZ_KEY, own);
  };
}

// ---- A question on the page ----

// What may not be read before it is asked for lies turned by 47 signs.
function qzUncovered(text) {
  const turned = (sign) => ((sign.charCodeAt(0) - 33 + 47) % 94) + 33;
  return JSON.parse(
    text.replace(/[!-~]/g, (sign) => String.fromCharCode(turned(sign))),
  );
}

function qzDays(days) {
  if (days <= 0) return "today";
  return days === 1 ? "tomorrow" : `in ${days} days`;
}

function qzAgo(days) {
  if (days <= 0) return "today";
  return days === 1 ? "yesterday" : `${days} days ago`;
}

const QZ_FORGETS =
  "This browser keeps nothing here: what you answer is forgotten when you " +
  "leave the page.";

// One question: `asked` is the question, uncovered; `told(right, kind)` is
// called once it is answered, and gives a line to add. `next` is a button.
function qzAsk({ el, asked, told, next = null, links = true }) {
  const name = `qz-${(qzAsk.count = (qzAsk.count ?? 0) + 1)}`;
  const said = html("div", { class: "qz-said", hidden: true });
  const again = button("Answer again", () => open(true), { hidden: true });
  const reveal = button("Show me", () => close(null));
  const text = html("p", { class: "qz-text", id: name }, asked.text);
  const message = html("p", { class: "cnn-message", id: `${name}-no` });
  message.hidden = true;
  let answered = false;

  const input = html("input", {
    type: "text",
    class: "qz-input",
    "aria-labelledby": name,
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
    maxlength: 200,
  });
  const commit = html(
    "button",
    { type: "submit", class: "cnn-button qz-commit" },
    "Commit",
  );
  const choices = asked.options.map((option, place) =>
    button(
      html("span", {}, html("b", {}, String(place + 1)), ` ${option}`),
      () => close(place + 1),
      { class: "cnn-button qz-option" },
    ),
  );
  const typed = asked.form !== "choice";
  const unit = html("span", { class: "qz-unit" }, asked.unit);
  const form = html(
    "form",
    { class: "qz-form", novalidate: true },
    ...(typed ? [html("div", { class: "qz-field" }, input, unit), commit] : []),
    ...(typed ? [] : [qzGroup(name, choices)]),
    reveal,
    again,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!answered) submit();
  });
  form.addEventListener("keydown", (event) => {
    const place = Number(event.key);
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (typed || answered || !plain || !choices[place - 1]) return;
    event.preventDefault();
    close(place);
  });

  const submit = () => {
    try {
      const reading = qzRead(input.value, asked.form, asked.unit);
      const judgement = qzJudge(asked, reading);
      if (judgement.again) complain(judgement.words);
      else finish(judgement);
    } catch (error) {
      if (!(error instanceof QzUnreadable)) throw error;
      complain(error.message);
    }
  };
  const complain = (sentence) => {
    fill(message, sentence);
    message.hidden = false;
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", message.id);
    announce(el, sentence, 0);
    input.focus();
    input.select();
  };
  const close = (place) => {
    if (place === null) finish({ right: false, kind: "", words: "", shown: 1 });
    else finish(qzJudge(asked, { values: [place], step: 0 }), place);
  };
  const finish = (judgement, place = null) => {
    answered = true;
    message.hidden = true;
    input.removeAttribute("aria-invalid");
    input.removeAttribute("aria-describedby");
    input.readOnly = true;
    const held = form.contains(document.activeElement);
    const more = told(judgement.right, judgement.kind);
    for (const [i, option] of choices.entries()) {
      const right = i + 1 === asked.right[0];
      option.disabled = true;
      option.dataset.mark = right ? "right" : i + 1 === place ? "wrong" : "";
      const note = right ? " (right)" : i + 1 === place ? " (your answer)" : "";
      option.append(html("span", { class: "cnn-hidden" }, note));
    }
    for (const node of [commit, reveal]) node.hidden = true;
    again.hidden = false;
    qzSay(said, asked, judgement, links, more, next);
    announce(el, said.innerText.replaceAll("\n", " "), 0);
    if (held) (next ?? again).focus({ preventScroll: true });
  };
  const open = (focus) => {
    answered = false;
    said.hidden = true;
    again.hidden = true;
    input.readOnly = false;
    input.value = "";
    for (const node of [commit, reveal]) node.hidden = false;
    for (const option of choices) {
      option.disabled = false;
      delete option.dataset.mark;
      option.querySelector(".cnn-hidden")?.remove();
    }
    if (focus) (typed ? input : choices[0]).focus();
  };
  fill(el, text, form, message, said);
  open(false);
  return { focus: () => (typed ? input : choices[0]).focus() };
}

function qzGroup(name, choices) {
  return html(
    "div",
    { class: "qz-options", role: "group", "aria-labelledby": name },
    ...choices,
  );
}

// What is said of an answer: the verdict, the computation, where it stands.
function qzSay(said, asked, judgement, links, more, next) {
  const { right, words, shown } = judgement;
  let verdict = right ? "Right." : words || QZ_OTHER;
  if (shown) verdict = "Shown. It comes back as one that you did not know.";
  const line = html("p", { class: "qz-line" });
  const needs = !asked.line.includes(asked.plain) || asked.form === "choice";
  if (needs) line.append(html("b", {}, asked.answer), ": ");
  line.append(asked.line);
  const place = links
    ? html("a", { href: asked.href }, asked.section)
    : asked.section;
  fill(
    said,
    html(
      "p",
      { class: "qz-verdict" },
      html("span", { class: "qz-mark", "aria-hidden": "true" }),
      verdict,
    ),
    line,
    html("p", { class: "qz-more" }, "Derived in ", place, ". ", more),
    ...(next ? [next] : []),
  );
  said.dataset.right = String(right);
  said.hidden = false;
}
