// A deck for the lecture hall: one slide at a time, by keys, touch or mouse.
//
// Every slide is laid out at 1280 × 720 and scaled to the window as a whole,
// so that it looks alike on every projector. A second window of the same page
// shows the speaker's notes; the two keep in step by messages, which works
// from a folder too. Without this script the slides stand below each other.
(() => {
  "use strict";
  const WIDTH = 1280;
  const HEIGHT = 720;
  // How much larger than on the page a thing may stand.
  const MOST = { figure: 2.3, formula: 2.1, code: 1.9, prints: 2, table: 2 };
  // A widget is drawn for the width that it has on the page.
  const WIDGET = 760;
  const root = document.documentElement;
  const slides = [...document.querySelectorAll(".slide")];
  const speaking = /[?&]speaker\b/.test(location.search);
  let now = 0;
  let other = speaking ? window.opener : null;

  const make = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (typeof value === "function") node.addEventListener(name, value);
      else node.setAttribute(name, value);
    }
    node.append(...children);
    return node;
  };

  // ---- The size of what is shown: as large as fits.

  // The part of a widget that holds its picture and, apart, its table.
  const tableBeside = (box) => {
    let table = box.querySelector("table");
    const picture = box.querySelector("svg");
    if (!table || !picture || table.contains(picture)) return null;
    while (!table.parentElement.contains(picture)) table = table.parentElement;
    const parts = [...table.parentElement.children];
    table.parentElement.classList.remove("beside");
    for (const part of parts) {
      part.style.gridColumn = part === table ? 2 : 1;
    }
    table.style.gridRow = `1 / span ${parts.length}`;
    table.parentElement.style.gridTemplateRows =
      `repeat(${parts.length - 1}, auto) 1fr`;
    return table.parentElement;
  };
  const fit = (slide) => {
    const region = slide.querySelector(".region");
    const box = region.firstElementChild;
    const [width, height] = [region.clientWidth, region.clientHeight];
    const widget = slide.matches(".widget, .question");
    const fits = (size) => {
      box.style.width = `${Math.min(widest, Math.floor(width / size))}px`;
      return box.scrollWidth * size <= width + 1 &&
        box.scrollHeight * size <= height + 1;
    };
    const kind = Object.keys(MOST).find((k) => slide.classList.contains(k));
    const largest = () => {
      let [low, high] = [0.2, MOST[kind] ?? 1.7];
      if (fits(high)) low = high;
      while (high - low > 0.01) {
        const middle = (low + high) / 2;
        if (fits(middle)) low = middle;
        else high = middle;
      }
      return low;
    };
    // Where a widget is tall, its table may stand beside its picture.
    let widest = widget ? WIDGET : Infinity;
    const parted = widget && tableBeside(box);
    let low = largest();
    if (parted) {
      const alone = low;
      parted.classList.add("beside");
      widest = 2 * WIDGET;
      low = largest();
      if (low < alone * 1.1) {
        parted.classList.remove("beside");
        [low, widest] = [alone, WIDGET];
      }
    }
    fits(low);
    const x = Math.max(0, width - box.offsetWidth * low) / 2;
    const y = Math.max(0, height - box.scrollHeight * low) * 0.4;
    box.style.transform = `translate(${x}px, ${y}px) scale(${low})`;
    box.fitted = `${box.offsetWidth} ${box.offsetHeight}`;
    slide.dataset.size = low.toFixed(2);
  };
  // A widget comes to life and may grow when it is used; an answer unfolds.
  const grown = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (target.fitted === `${target.offsetWidth} ${target.offsetHeight}`) {
        continue;
      }
      fit(target.closest(".slide"));
    }
  });

  // A tall picture is cut where least is cut, and its parts stand abreast.
  const abreast = (picture) => {
    const [left, top, width, height] = picture.viewBox.baseVal
      ? ["x", "y", "width", "height"].map((k) => picture.viewBox.baseVal[k])
      : [0, 0, 1, 1];
    const count = Math.min(4, Math.round(Math.sqrt(height / width / 0.45)));
    if (height < 1.05 * width || count < 2) return;
    // Long lines, which join the parts, may be cut.
    const frame = picture.getBoundingClientRect();
    const inside = (y) => top + ((y - frame.top) / frame.height) * height;
    const parts = [...picture.querySelectorAll("rect, text, circle, path")]
      .map((part) => part.getBoundingClientRect())
      .map((box) => [inside(box.top), inside(box.bottom)])
      .filter(([start, end]) => end - start < height / count / 2);
    const through = (y) =>
      parts.filter(([start, end]) => start < y + 2 && end > y - 2).length;
    const cuts = [top];
    for (let at = 1; at < count; at += 1) {
      const ideal = top + (height * at) / count;
      const near = Array.from({ length: 81 }, (_, step) =>
        ideal + ((step - 40) / 40) * (height / count / 3));
      near.sort((a, b) => through(a) - through(b) ||
        Math.abs(a - ideal) - Math.abs(b - ideal));
      cuts.push(near[0]);
    }
    cuts.push(top + height);
    const row = make("div", { class: "abreast" });
    picture.replaceWith(row);
    for (let at = 0; at < count; at += 1) {
      const part = at ? picture.cloneNode(true) : picture;
      const tall = cuts[at + 1] - cuts[at];
      part.setAttribute("viewBox", `${left} ${cuts[at]} ${width} ${tall}`);
      part.setAttribute("height", (tall * part.getAttribute("width")) / width);
      if (at) part.setAttribute("aria-hidden", "true");
      row.append(part);
    }
  };

  // ---- Where the slides stand in the window.

  const place = (name, width, height, left = 0, top = 0) => {
    const scale = Math.min(width / WIDTH, height / HEIGHT);
    root.style.setProperty(`--${name}-scale`, scale);
    root.style.setProperty(
      `--${name}-x`, `${left + (width - WIDTH * scale) / 2}px`);
    root.style.setProperty(
      `--${name}-y`, `${top + (height - HEIGHT * scale) / 2}px`);
  };
  const arrange = () => {
    const [width, height] = [innerWidth, innerHeight];
    if (root.dataset.deck === "speaker") {
      place("now", width * 0.6, width * 0.3375, 0, 0);
      place("next", width * 0.36, width * 0.2025, width * 0.62, 16);
    } else {
      place("now", width, height);
    }
    const thumb = slides[0].clientWidth / WIDTH;
    root.style.setProperty("--thumb", thumb);
  };

  // ---- Going from slide to slide.

  const heading = (slide) => slide.querySelector("h2").textContent.trim();
  const answers = (within = document) =>
    [...within.querySelectorAll(".fit > details, .predict .fit details")];
  const folds = () => answers(slides[now]);
  const show = () => {
    const overview = root.dataset.deck === "overview";
    slides.forEach((slide, index) => {
      slide.classList.toggle("now", index === now);
      slide.classList.toggle("next", index === now + 1);
      slide.inert = !overview && index !== now;
      slide.querySelector(".stage").inert = overview;
    });
    const active = document.activeElement;
    if (active.closest?.(".slide:not(.now)")) active.blur();
    counter.textContent = `${now + 1} / ${slides.length}`;
    bar.style.width = `${(100 * (now + 1)) / slides.length}%`;
    live.textContent =
      `Slide ${now + 1} of ${slides.length}: ${heading(slides[now])}`;
    back.href = slides[now].querySelector(".place a").href;
    document.title = `${now + 1}. ${heading(slides[now])}`;
  };
  const tell = (more = {}) => {
    const open = folds().filter((fold) => fold.open).length;
    const state = { deck: location.pathname, slide: now, open, ...more };
    // From a folder, windows have no origin that could be named.
    if (other && !other.closed) other.postMessage(state, "*");
  };
  const go = (index, quietly = false) => {
    const next = Math.max(0, Math.min(slides.length - 1, index));
    if (next === now && location.hash === `#${now + 1}`) return;
    now = next;
    if (location.hash !== `#${now + 1}`) location.hash = String(now + 1);
    show();
    if (!quietly) tell();
  };
  const forth = () => {
    const shut = folds().find((fold) => !fold.open);
    if (!shut) return go(now + 1);
    shut.open = true;
    live.textContent = shut.textContent.trim();
    tell();
  };
  const fromHash = () => {
    const asked = Number.parseInt(location.hash.slice(1), 10) || 1;
    const index = Math.max(1, Math.min(slides.length, asked)) - 1;
    if (index === now) return;
    now = index;
    show();
    tell();
  };

  // ---- The other window.

  const listen = ({ data, source }) => {
    if (!data || data.deck !== location.pathname || source === window) return;
    if (speaking !== (source === window.opener)) return;
    other = source;
    if (data.hello) return tell();
    if (Number.isInteger(data.slide)) go(data.slide, true);
    if (Number.isInteger(data.open)) {
      folds().forEach((fold, index) => { fold.open = index < data.open; });
    }
    if (typeof data.black === "boolean") blacken(data.black, true);
  };
  const openSpeaker = () => {
    if (speaking) return;
    const address = `${location.pathname}?speaker${location.hash}`;
    other = window.open(address, "speaker", "width=1100,height=800");
  };
  const speak = () => {
    const clock = make("p", { class: "clock" });
    const since = Date.now();
    const two = (number) => String(Math.floor(number)).padStart(2, "0");
    const tick = () => {
      const passed = (Date.now() - since) / 1000;
      const time = new Date();
      clock.textContent = `${two(passed / 60)}:${two(passed % 60)} · ` +
        `${two(time.getHours())}:${two(time.getMinutes())}`;
      // Whoever reloads the other window is told where we are.
      other?.postMessage({ deck: location.pathname, hello: true }, "*");
    };
    document.querySelector("main").append(clock);
    setInterval(tick, 1000);
    tick();
  };

  // ---- Black screen, overview, help.

  const blacken = (black, quietly = false) => {
    const before = root.classList.contains("black");
    root.classList.toggle("black", black && !speaking);
    if (speaking) root.classList.toggle("other-is-black", black);
    if (!quietly && black !== before) tell({ black });
  };
  const isBlack = () => root.classList.contains("black") ||
    root.classList.contains("other-is-black");
  const overview = (open) => {
    if (speaking) return;
    root.dataset.deck = open ? "overview" : "show";
    show();
    arrange();
    if (!open) return;
    slides[now].querySelector(".pick").focus();
    slides[now].scrollIntoView({ block: "center" });
  };
  const isOverview = () => root.dataset.deck === "overview";
  const turn = () => {
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
  };
  const full = () => {
    if (document.fullscreenElement) document.exitFullscreen();
    else root.requestFullscreen?.().catch(() => {});
  };
  const KEYS = [
    ["→  ↓  space  PgDn", "next slide, or the answer on this one"],
    ["←  ↑  PgUp", "previous slide"],
    ["Home  End", "first, last slide"],
    ["O", "all slides at a glance"],
    ["S", "a window with notes, next slide and clock"],
    ["F", "full screen"],
    ["B", "black screen"],
    ["D", "dark or light"],
    ["Esc", "back to the slide, also from a control"],
    ["?", "this list"],
  ];
  const help = make(
    "dialog",
    { "aria-label": "Keys" },
    make("dl", {}, ...KEYS.flatMap(([key, does]) =>
      [make("dt", {}, key), make("dd", {}, does)])),
    make("form", { method: "dialog" }, make("button", {}, "Close")),
  );

  // ---- Keys. A control keeps its own; PgUp and PgDn are what a presenter's
  // remote sends, so the deck takes them everywhere.

  const MOVES = {
    ArrowRight: forth, ArrowDown: forth, PageDown: forth, " ": forth,
    ArrowLeft: () => go(now - 1), ArrowUp: () => go(now - 1),
    PageUp: () => go(now - 1), Home: () => go(0),
    End: () => go(slides.length - 1),
    o: () => overview(true), s: openSpeaker, f: full, d: turn,
    b: () => blacken(!isBlack()), "?": () => help.showModal(),
  };
  const keepsKeys = (at, key) => {
    if (key.startsWith("Page")) return false;
    if (at.closest("input, select, textarea, .cnn-widget")) return true;
    return key === " " && at.closest("a, button, summary");
  };
  const pressed = (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.altKey || event.metaKey || help.open) return;
    if (isOverview()) return pressedInOverview(event);
    if (key === "Escape") return target.blur?.();
    const at = target instanceof Element ? target : document.body;
    const move = MOVES[key.length === 1 ? key.toLowerCase() : key];
    if (!move || keepsKeys(at, key)) return;
    event.preventDefault();
    if (isBlack() && key.toLowerCase() !== "b") blacken(false);
    move();
  };
  const pressedInOverview = (event) => {
    const columns =
      getComputedStyle(slides[0].parentElement).gridTemplateColumns;
    const row = columns.split(" ").length;
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: row,
      ArrowUp: -row, Home: -slides.length, End: slides.length };
    const { key } = event;
    if (key === "Escape" || key.toLowerCase() === "o") overview(false);
    else if (!(key in steps)) return;
    else {
      const from = Math.max(0, slides.indexOf(
        document.activeElement.closest(".slide")));
      const to = Math.max(0, Math.min(slides.length - 1, from + steps[key]));
      slides[to].querySelector(".pick").focus();
    }
    event.preventDefault();
  };
  addEventListener("keydown", pressed, { capture: true });

  // ---- Touch: a swipe that does not begin in a widget.

  let finger = null;
  addEventListener("touchstart", ({ touches, target }) => {
    const widget = target.closest(".cnn-widget, nav, dialog");
    finger = widget || touches.length > 1 || isOverview() ? null : touches[0];
  }, { passive: true });
  addEventListener("touchend", ({ changedTouches: [end] }) => {
    if (!finger) return;
    const [x, y] = [end.clientX - finger.clientX, end.clientY - finger.clientY];
    finger = null;
    if (Math.abs(x) < 50 || Math.abs(y) > Math.abs(x) / 2) return;
    if (x < 0) forth();
    else go(now - 1);
  }, { passive: true });

  // ---- What stands round the slides.

  const live = make("p", { class: "unseen", "aria-live": "polite" });
  const bar = make("div", { class: "progress", "aria-hidden": "true" });
  const counter = make("span", { class: "counter" });
  const button = (text, name, press) =>
    make("button", { type: "button", "aria-label": name, title: name,
      click: press }, text);
  const bars = document.querySelector("footer nav");
  const back = bars.querySelector("a");
  bars.prepend(
    button("‹", "Previous slide", () => go(now - 1)),
    counter,
    button("›", "Next slide", () => forth()),
    button("All", "All slides (O)", () => overview(!isOverview())),
    button("Notes", "Speaker's window (S)", openSpeaker),
    button("Full", "Full screen (F)", full),
    button("?", "Keys (?)", () => help.showModal()),
  );
  document.querySelector("footer").append(live, help);
  document.body.append(bar);
  let resting;
  const wake = () => {
    root.classList.add("awake");
    clearTimeout(resting);
    resting = setTimeout(() => root.classList.remove("awake"), 3000);
  };
  addEventListener("pointermove", wake);
  addEventListener("pointerdown", () => isBlack() && blacken(false));
  for (const [index, slide] of slides.entries()) {
    slide.append(make("a", {
      class: "pick", href: `#${index + 1}`,
      "aria-label": `${index + 1}: ${heading(slide)}`,
      click: () => {
        now = index;
        overview(false);
        tell();
      },
    }));
  }

  // ---- Begin.

  root.dataset.deck = speaking ? "speaker" : "show";
  now = -1;
  fromHash();
  arrange();
  if (speaking) speak();
  wake();
  const fitAll = () => slides.forEach(fit);
  addEventListener("resize", arrange);
  addEventListener("hashchange", fromHash);
  addEventListener("message", listen);
  addEventListener("beforeprint", () => {
    if (isOverview()) overview(false);
    for (const fold of answers()) fold.open = true;
    fitAll();
  });
  document.fonts.ready.then(() => {
    document.querySelectorAll(".figure .fit svg").forEach(abreast);
    fit(slides[now]);
    for (const slide of slides) {
      grown.observe(slide.querySelector(".fit"));
    }
    fitAll();
    root.dataset.loaded = "";
  });
})();
