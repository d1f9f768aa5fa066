// Predict, then read on: one question before the result that answers it.

function render({ model, el }) {
  const { hidden, ...open } = model.get("question");
  const asked = { ...open, ...qzUncovered(hidden) };
  const { title, ids } = model.get("chapter");
  const store = qzDecks;
  const site = el.closest("[data-widget]") !== null;

  const known = html("span", { class: "qz-known" });
  const ticks = html("span", { class: "qz-ticks", "aria-hidden": "true" });
  const head = html(
    "p",
    { class: "qz-head" },
    html("span", { class: "qz-tag" }, "Predict"),
    html("span", { class: "qz-progress" }, ticks, known),
  );
  const memo = html("p", { class: "qz-memo" });
  const body = html("div", { class: "qz-body" });
  fill(el, html("div", { class: "qz" }, head, body, memo));

  const draw = () => {
    const { cards } = store.read();
    const right = ids.filter((id) => cards[id]?.right);
    fill(ticks, ...ids.map((id) => {
      const card = cards[id];
      const state = card ? (card.right ? "right" : "wrong") : "open";
      return html("i", { "data-state": state });
    }));
    fill(known, `${right.length} of ${ids.length} known in ${title}`);
  };
  // What was answered before, as long as nothing is answered now.
  const remember = () => {
    const card = store.read().cards[asked.id];
    const today = qzToday();
    memo.hidden = !card;
    if (!card) return;
    const how = card.right ? "You knew this" : "You did not know this";
    const when = qzAgo(today - card.last);
    const back =
      card.due <= today
        ? "It is due again."
        : `It comes back ${qzDays(card.due - today)}.`;
    fill(memo, `${how} ${when}. ${back}`);
  };
  const told = (right, kind) => {
    const today = qzToday();
    const deck = store.write((old) =>
      qzAnswered(old, asked.id, right, kind, today),
    );
    memo.hidden = true;
    draw();
    if (!store.kept()) return QZ_FORGETS;
    const back = qzDays(deck.cards[asked.id].due - today);
    if (!site) return `The question comes back ${back}.`;
    return html(
      "span",
      {},
      `The question comes back ${back}, in your `,
      html("a", { href: "review.html" }, "review deck"),
      ".",
    );
  };
  qzAsk({ el: body, asked, told, links: site });
  draw();
  remember();

  return qzFollow((elsewhere) => {
    draw();
    if (elsewhere) remember();
  });
}

export default { render };
