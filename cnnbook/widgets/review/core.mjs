// include ../question/core.mjs

// ---- Fresh numbers: the twin of compose() in cnnbook/quiz/__init__.py ----

function rvFill(text, names) {
  return text.replace(/\{([^{}]+)\}/g, (_, expression) =>
    qzNumber(qzValue(qzParse(expression)[0], names)),
  );
}

const rvValues = (expression, names) =>
  qzParse(expression).map((tree) => qzValue(tree, names));

// A question with these numbers, or null if they do not suit it.
function rvCompose(kind, given) {
  try {
    const names = { ...given };
    for (const [name, expression] of kind.let ?? []) {
      names[name] = rvValues(expression, names)[0];
    }
    if (Math.min(...rvValues(kind.fair ?? "1", names)) <= 0) return null;
    const digits = kind.digits ?? 0;
    const trees = qzParse(kind.answer);
    const right = trees.map((tree) => qzValue(tree, names));
    const slips = rvSlips(kind, names, right, digits);
    if (slips.length < 2) return null;
    const plain = right.map(qzNumber).join("×");
    const unit = kind.unit ?? "";
    return {
      text: rvFill(kind.text, names),
      form: right.length > 1 ? "shape" : "number",
      unit,
      digits,
      options: [],
      right,
      plain,
      answer: rvAnswer(plain, unit),
      line: rvLine(kind, trees, names, plain),
      slips,
    };
  } catch (error) {
    if (error instanceof QzUnreadable) return null;
    throw error;
  }
}

function rvAnswer(plain, unit) {
  const said = plain === "1" ? unit.replace(/s$/, "") : unit;
  return `${plain}\u00a0${said}`.trimEnd();
}

function rvSlips(kind, names, right, digits) {
  const taken = [right];
  const slips = [];
  for (const [expression, slip, words] of kind.slips) {
    let wrong = null;
    try {
      wrong = rvValues(expression, names);
    } catch (error) {
      if (!(error instanceof QzUnreadable)) throw error;
      continue; // these numbers cannot be computed with
    }
    if (!taken.every((one) => rvApart(wrong, one, digits))) continue;
    taken.push(wrong);
    slips.push([wrong, slip, rvFill(words, names)]);
  }
  return slips;
}

function rvApart(one, other, digits) {
  if (one.length !== other.length || one.length > 1) {
    return !qzNear(one, other, digits) && !qzNear(other, one, digits);
  }
  const between = Math.abs(one[0] - other[0]);
  return between > qzWindow(one[0], digits) + qzWindow(other[0], digits);
}

function rvLine(kind, trees, names, plain) {
  if (kind.line) return rvFill(kind.line, names);
  const steps = trees.map((tree) => qzShow(tree, names));
  if (steps.join("×") === plain) return steps.join(" × ");
  if (steps.length > 1) return `${steps.join(" by ")}: ${plain}`;
  return `${steps[0]} = ${plain}`;
}

function rvDraw(kind, chance = Math.random) {
  const pick = (all) => all[Math.floor(chance() * all.length)];
  for (let tries = 0; tries < 500; tries += 1) {
    const given = Object.entries(kind.draw).map(([k, all]) => [k, pick(all)]);
    const made = rvCompose(kind, Object.fromEntries(given));
    if (made) return made;
  }
  return null;
}

// ---- What the page shows ----

// Due ones first in the order in which they fell due, then the book's.
function rvDue(questions, deck, today) {
  const due = questions.filter(({ id }) => deck.cards[id]?.due <= today);
  const when = ({ id }) => deck.cards[id].due;
  return due.sort((a, b) => when(a) - when(b));
}

function rvCount(questions, deck, today) {
  const cards = questions.map(({ id }) => deck.cards[id]);
  return {
    all: cards.length,
    known: cards.filter((card) => card?.right).length,
    seen: cards.filter(Boolean).length,
    due: cards.filter((card) => card?.due <= today).length,
  };
}

const rvSome = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

// ---- Anki: basic cards as a text that it imports ----

function rvAnki(questions, titles) {
  const plain = (text) =>
    text
      .replaceAll("&", "&amp;")
      .replaceAll("<", "&lt;")
      .replaceAll(">", "&gt;")
      .replaceAll('"', "&quot;")
      .replace(/\s+/g, " ");
  const cards = questions.map((asked) => {
    const options = asked.options.map((one) => `<li>${plain(one)}</li>`);
    const front =
      plain(asked.text) + (options[0] ? `<ol>${options.join("")}</ol>` : "");
    const back =
      `<b>${plain(asked.answer)}</b><br>${plain(asked.line)}<br>` +
      `<i>${plain(`${titles[asked.chapter]}: ${asked.section}`)}</i>`;
    return [front, back, asked.chapter].join("\t");
  });
  return [
    "#separator:tab",
    "#html:true",
    "#notetype:Basic",
    "#deck:From LeNet to ResNet",
    "#columns:Front\tBack\tTags",
    "#tags column:3",
    ...cards,
    "",
  ].join("\n");
}
