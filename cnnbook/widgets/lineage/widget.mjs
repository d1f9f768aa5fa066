// The lineage in strokes. Python has drawn every view; the style shows the
// one whose radio button is checked. Here the reader steps through the story,
// and the address keeps the place for whoever comes back through a door.

const lnPlaces = (figure) =>
  [...figure.querySelectorAll(".ln-net")].map((row) => row.dataset.network);

// The place that an address names, as far as it exists here.
function lnRead(hash, views, networks) {
  const asked = new URLSearchParams(hash.slice(1));
  const among = (name, known) =>
    known.includes(asked.get(name)) ? { [name]: asked.get(name) } : {};
  const place = { ...among("view", views), ...among("at", networks) };
  const { at: selected = "", ...rest } = place;
  return Object.keys(place).length ? { ...rest, selected } : {};
}

function lnWrite(view, selected) {
  const at = selected ? `&at=${selected}` : "";
  try {
    history.replaceState(history.state, "", `#view=${view}${at}`);
  } catch { /* an address that cannot change: then it stays */ }
}

// On a page the picture is there; with a kernel it comes as a trait, and
// there are no chapters beside it to link to.
function lnFigure(model, el, picture) {
  if (picture.length) el.append(...picture);
  else el.innerHTML = model.get("_picture");
  const figure = el.querySelector(".ln");
  if (!picture.length) {
    for (const link of figure.querySelectorAll("a")) {
      link.removeAttribute("href");
    }
  }
  return figure;
}

// The buttons, in the place that the picture keeps for them.
function lnSteps(place, walk) {
  const arrows = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };
  place.setAttribute("role", "group");
  place.setAttribute("aria-label", "The story");
  place.addEventListener("keydown", (event) => {
    if (!(event.key in arrows)) return;
    event.preventDefault();
    walk(arrows[event.key]);
  });
  const shown = html("span", { class: "ln-count" });
  fill(
    place,
    button("←", () => walk(-1), { "aria-label": "Back" }),
    shown,
    button("Next →", () => walk(1), { "aria-label": "Next" }),
  );
  return shown;
}

function render({ model, el, picture = [] }) {
  const figure = lnFigure(model, el, picture);
  const onPage = picture.length > 0;
  const networks = lnPlaces(figure);
  const radios = [...figure.querySelectorAll("input[type=radio]")];
  const rows = figure.querySelector(".ln-rows");
  const words = figure.querySelector(".ln-words");
  const get = (name) => model.get(name);
  // The address is written once the hand rests, and before a door opens.
  let waiting = null;
  const write = () => {
    clearTimeout(waiting);
    if (onPage) lnWrite(get("view"), get("selected"));
  };
  const go = (values) => {
    change(model, values);
    clearTimeout(waiting);
    waiting = setTimeout(write, 300);
  };

  // The story is a ring: behind the last network the whole picture follows.
  const ring = ["", ...networks];
  const walk = (by) => {
    const place = ring.indexOf(get("selected")) + by;
    go({ selected: ring[(place + ring.length) % ring.length] });
  };
  const shown = lnSteps(figure.querySelector(".ln-steps"), walk);
  figure.classList.add("ln-live");

  const group = `ln-view-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
  for (const radio of radios) {
    radio.name = group;
    radio.addEventListener("change", () => go({ view: radio.value }));
  }

  // A row is a door. What points at it, or has the focus, shows its story; a
  // finger has no other way to point, so its first tap only shows.
  const rowOf = ({ target }) => target.closest(".ln-net")?.dataset.network;
  let pointing = false;
  const show = (event) => {
    const selected = rowOf(event);
    if (selected) change(model, { selected });
  };
  rows.addEventListener("pointerover", (event) => {
    if (event.pointerType === "mouse") show(event);
  });
  rows.addEventListener("pointerdown", (event) => {
    const other = rowOf(event) !== get("selected");
    pointing = event.pointerType !== "mouse" && other;
  });
  rows.addEventListener("keydown", () => { pointing = false; });
  rows.addEventListener("focusin", show);
  rows.addEventListener("click", (event) => {
    if (!rowOf(event)) return;
    if (pointing) event.preventDefault();
    pointing = false;
    change(model, { selected: rowOf(event) });
    write();
  });
  words.addEventListener("click", ({ target }) => {
    if (target.closest("a")) write();
  });

  const draw = () => {
    const [view, selected] = [get("view"), get("selected")];
    for (const radio of radios) radio.checked = radio.value === view;
    const { textContent } = radios.find(({ checked }) => checked).parentNode;
    rows.setAttribute("aria-label", `${textContent}, a row a network`);
    for (const at of figure.querySelectorAll("[data-network], [data-of]")) {
      const own = at.dataset.network ?? at.dataset.of;
      at.classList.toggle("ln-on", own === selected);
    }
    words.classList.toggle("ln-told", selected !== "");
    const place = ring.indexOf(selected);
    fill(shown, place ? `${place} of ${networks.length}` : "The story");
    const said = selected
      ? words.querySelector(".ln-on")
      : words.querySelector(`[data-in="${view}"]`);
    announce(el, said.textContent);
  };
  if (onPage) {
    const views = radios.map(({ value }) => value);
    change(model, lnRead(location.hash, views, networks));
  }
  draw();
  return bind(model, ["view", "selected"], batched(draw));
}

export default { render };
