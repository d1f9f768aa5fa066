// The review deck: what is due, every question, fresh numbers, the slips.

const RV_LARGEST = 1e6;
const RV_NEW = 5;

function render({ model, el }) {
  const questions = model.get("questions").map(({ hidden, ...open }) => ({
    ...open,
    ...qzUncovered(hidden),
  }));
  const titles = Object.fromEntries(model.get("chapters"));
  const kinds = model.get("kinds");
  const templates = model.get("templates");
  const site = el.closest("[data-widget]") !== null;
  const byId = new Map(questions.map((asked) => [asked.id, asked]));

  // ---- Today ----

  const words = html("p", { class: "rv-words" });
  const lost = html("p", { class: "cnn-message" }, QZ_FORGETS);
  const start = button("", () => ask(queue()), { class: "cnn-button rv-main" });
  const stage = html("div", { class: "qz rv-stage", hidden: true });

  const queue = () => {
    const deck = qzDecks.read();
    const due = rvDue(questions, deck, qzToday());
    if (due.length) return due;
    return questions.filter(({ id }) => !deck.cards[id]).slice(0, RV_NEW);
  };

  const ask = (list, at = 0) => {
    const asked = list[at];
    const head = html(
      "p",
      { class: "qz-head" },
      html("span", { class: "qz-tag" }, titles[asked.chapter]),
      html("span", { class: "qz-progress" }, `${at + 1} of ${list.length}`),
    );
    const last = at + 1 === list.length;
    const next = button(last ? "Done" : "Next question", () => {
      if (!last) ask(list, at + 1);
      else end(list);
    });
    next.classList.add("qz-commit");
    const told = (right, kind) => {
      const today = qzToday();
      const deck = qzDecks.write((old) =>
        qzAnswered(old, asked.id, right, kind, today),
      );
      const { due } = deck.cards[asked.id];
      return `The question comes back ${qzDays(due - today)}.`;
    };
    const body = html("div");
    fill(stage, head, body);
    stage.hidden = false;
    const view = qzAsk({ el: body, asked, told, next, links: site });
    stage.scrollIntoView({ block: "nearest" });
    view.focus();
  };
  const end = (list) => {
    const { cards } = qzDecks.read();
    const right = list.filter(({ id }) => cards[id]?.right).length;
    stage.hidden = true;
    announce(el, `${right} of ${list.length} known.`, 0);
    (start.hidden ? begin : start).focus();
  };

  // ---- Chapter by chapter ----

  const chapters = model.get("chapters").map(([name, title]) => {
    const own = questions.filter(({ chapter }) => chapter === name);
    const told = html("span", { class: "rv-told" });
    const bar = html("span", { class: "rv-bar", "aria-hidden": "true" });
    const list = own.map((asked) => {
      const state = html("span", { class: "rv-state" });
      const one = button("Ask me", () => ask([asked]), {
        "aria-label": `Ask me: ${asked.text}`,
      });
      const item = html("li", {}, state, html("span", {}, asked.text), one);
      return { asked, state, item };
    });
    const ticks = own.map(() => bar.appendChild(html("i")));
    const root = html(
      "details",
      { class: "rv-chapter" },
      html("summary", {}, html("b", {}, title), bar, told),
      button(`Ask all of ${title}`, () => ask(own)),
      html("ul", {}, ...list.map(({ item }) => item)),
    );
    return { own, told, ticks, list, root };
  });

  // ---- Fresh numbers ----

  const fresh = html("div", { class: "qz rv-fresh", hidden: true });
  const streak = html("p", { class: "rv-streak" });
  let [chosen, row] = [templates[0], 0];
  const kind = choice({
    label: "Kind of question",
    options: templates.map(({ title }, place) => [place, title]),
    value: 0,
    onInput: (place) => {
      chosen = templates[place];
      row = 0;
      practise(false);
    },
  });
  const practise = (focus) => {
    const { chapter, section, href } = chosen;
    const asked = { ...rvDraw(chosen), chapter, section, href };
    const next = button("New numbers", () => practise(true));
    next.classList.add("qz-commit");
    const told = (right, slip) => {
      row = right ? row + 1 : 0;
      if (slip) {
        qzDecks.write((old) => qzAnswered(old, null, right, slip, qzToday()));
      }
      fill(streak, row > 1 ? `${row} right in a row.` : "");
      return "";
    };
    const body = html("div");
    fill(fresh, body);
    fresh.hidden = false;
    const view = qzAsk({ el: body, asked, told, next, links: site });
    if (focus) view.focus();
  };
  const begin = button("Fresh numbers", () => practise(true));

  // ---- Slips, and the deck itself ----

  const slips = html("div");
  const drawSlips = (deck) => {
    const met = Object.entries(deck.slips)
      .filter(([name]) => Object.hasOwn(kinds, name))
      .sort((a, b) => b[1] - a[1])
      .slice(0, 8);
    const most = met[0]?.[1] ?? 1;
    const items = met.map(([name, times]) =>
      html(
        "li",
        {},
        html("span", { class: "rv-slip" }, kinds[name]),
        html("span", {
          class: "rv-times",
          style: `width: ${(6 * times) / most}rem`,
          "aria-hidden": "true",
        }),
        html("span", {}, rvSome(times, "time")),
      ),
    );
    const none = "None yet. Wrong answers are the useful ones.";
    fill(slips, items[0] ? html("ol", {}, ...items) : html("p", {}, none));
  };

  const report = html("p", { class: "rv-report", role: "status" });
  const file = html("input", {
    type: "file",
    accept: ".json,application/json",
    class: "cnn-hidden",
    tabindex: -1,
    "aria-hidden": "true",
    onchange: () => take(file.files[0]),
  });
  const take = async (given) => {
    if (!given) return;
    try {
      if (given.size > RV_LARGEST) {
        throw new QzUnreadable("This is no review deck: it is too large.");
      }
      const deck = qzDeck(await given.text());
      const known = Object.keys(deck.cards).filter((id) => byId.has(id));
      qzDecks.write((old) => qzMerged(old, deck));
      fill(report, `Read: ${rvSome(known.length, "question")}.`);
    } catch (error) {
      const unreadable = error instanceof QzUnreadable;
      fill(report, unreadable ? error.message : "The file cannot be read.");
    }
    file.value = "";
  };
  const save = (name, type, text) => {
    const blob = new Blob([text], { type: `${type};charset=utf-8` });
    const href = URL.createObjectURL(blob);
    const link = html("a", { href, download: name, hidden: true });
    el.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(href), 60000);
    fill(report, `Saved as ${name}.`);
  };
  const anki = (chosen, name) => {
    if (!chosen.length) fill(report, "There is no such question yet.");
    else save(name, "text/plain", rvAnki(chosen, titles));
  };
  const unknown = () => {
    const { cards } = qzDecks.read();
    return questions.filter(({ id }) => cards[id]?.right === false);
  };
  const clear = button("Forget everything", () => {
    if (clear.dataset.sure !== "true") {
      clear.dataset.sure = "true";
      fill(clear, "Press again to forget everything");
      return;
    }
    unsure();
    stage.hidden = true;
    qzDecks.clear();
    fill(report, "Forgotten. The deck is empty.");
  });
  const unsure = () => {
    delete clear.dataset.sure;
    fill(clear, "Forget everything");
  };
  clear.addEventListener("blur", unsure);
  const tools = html(
    "div",
    { class: "cnn-row" },
    button("Save the deck", () =>
      save(
        "review-deck.json",
        "application/json",
        `${JSON.stringify(qzDecks.read(), null, 1)}\n`,
      ),
    ),
    button("Open a deck", () => file.click()),
    file,
    button("For Anki: all questions", () =>
      anki(questions, "lenet-to-resnet.txt"),
    ),
    button("For Anki: what I did not know", () =>
      anki(unknown(), "lenet-to-resnet-missed.txt"),
    ),
    clear,
  );

  const section = (title, ...parts) =>
    html("section", { class: "rv-part" }, html("h2", {}, title), ...parts);
  fill(
    el,
    html(
      "div",
      { class: "rv" },
      section("Today", words, lost, start, stage),
      section(
        "Chapter by chapter",
        ...chapters.map(({ root }) => root),
      ),
      section(
        "The same with fresh numbers",
        html("div", { class: "rv-pick" }, kind.root, begin),
        fresh,
        streak,
      ),
      section("What tripped you up", slips),
      section(
        "Your deck",
        html(
          "p",
          { class: "rv-private" },
          "It lies in this browser, and nothing of it leaves this machine. ",
          "Save it to take it along.",
        ),
        tools,
        report,
      ),
    ),
  );

  const draw = () => {
    const [deck, today] = [qzDecks.read(), qzToday()];
    const { all, known, seen, due } = rvCount(questions, deck, today);
    fill(words, rvToday(all, known, seen, due));
    fill(start, due ? `Review ${rvSome(due, "question")}` : "Ask me new ones");
    start.hidden = !due && seen === all;
    lost.hidden = qzDecks.kept();
    for (const { own, told, ticks, list } of chapters) {
      const { all, known, due } = rvCount(own, deck, today);
      fill(told, `${known} of ${all} known${due ? `, ${due} due` : ""}`);
      list.forEach(({ asked, state, item }, i) => {
        const card = deck.cards[asked.id];
        const is = card ? (card.right ? "right" : "wrong") : "open";
        item.dataset.state = ticks[i].dataset.state = is;
        fill(state, rvState(card, today));
      });
    }
    drawSlips(deck);
  };
  draw();
  return qzFollow(draw);
}

function rvToday(all, known, seen, due) {
  if (due) {
    const are = due === 1 ? "question is" : "questions are";
    return `${due} ${are} due. You know ${known} of ${all}.`;
  }
  if (!seen) {
    return (
      "Nothing is due yet. What you answer here or in the chapters comes " +
      `back; there are ${all} questions.`
    );
  }
  return `Nothing is due today. You know ${known} of ${all}.`;
}

function rvState(card, today) {
  if (!card) return "new";
  if (card.due <= today) return "due";
  return card.right ? "known" : "missed";
}

export default { render };
