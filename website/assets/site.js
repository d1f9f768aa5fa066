// What every page does: colour mode, side bars, search, contents, copying.
// The theme's templates name the elements; its own scripts are not loaded.
(() => {
  "use strict";
  const root = document.documentElement;
  const all = (selector, within = document) =>
    [...within.querySelectorAll(selector)];
  const wide = matchMedia("(min-width: 992px)");
  const dark = matchMedia("(prefers-color-scheme: dark)");

  // Colour mode: as the system, or as chosen.
  const remember = (key, value) => {
    try { localStorage.setItem(key, value); } catch { /* not remembered */ }
  };
  const setMode = (mode) => {
    root.dataset.mode = mode;
    root.dataset.theme =
      mode === "auto" ? (dark.matches ? "dark" : "light") : mode;
    remember("mode", mode);
    const says = { auto: "as the system", light: "light", dark: "dark" }[mode];
    for (const button of all(".theme-switch-button")) {
      button.setAttribute("aria-label", `Colour mode: ${says}`);
      button.title = `Colour mode: ${says}`;
    }
  };
  const modes = () =>
    dark.matches ? ["auto", "light", "dark"] : ["auto", "dark", "light"];
  for (const button of all(".theme-switch-button")) {
    for (const icon of all("[title]", button)) icon.removeAttribute("title");
    button.addEventListener("click", () => {
      const order = modes();
      setMode(order[(order.indexOf(root.dataset.mode) + 1) % order.length]);
    });
  }
  setMode(root.dataset.mode || "auto");
  dark.addEventListener("change", () => setMode(root.dataset.mode));

  // Side bars: dialogs on a narrow page; on a wide one the left one folds.
  const closeOnBackdrop = (dialog) =>
    dialog.addEventListener("click", (event) => {
      const box = dialog.getBoundingClientRect();
      const inside = event.clientX >= box.left && event.clientX <= box.right &&
        event.clientY >= box.top && event.clientY <= box.bottom;
      if (!inside && event.target === dialog) dialog.close();
    });
  const sidebar = (side, folds) => {
    const button =
      document.querySelector(`.bd-header-article .${side}-toggle`);
    const bar = document.getElementById(`pst-${side}-sidebar`);
    const dialog = document.getElementById(`pst-${side}-sidebar-modal`);
    if (!button || !bar || !dialog) return;
    const name = side === "primary" ? "Chapters" : "On this page";
    button.setAttribute("aria-label", name);
    button.title = name;
    dialog.setAttribute("aria-label", name);
    const move = (from, to) => {
      to.append(...from.childNodes);
      to.classList.add(...from.classList);
      from.removeAttribute("class");
    };
    button.addEventListener("click", () => {
      if (folds && wide.matches) {
        const hidden = bar.classList.toggle("pst-sidebar-hidden");
        button.setAttribute("aria-expanded", String(!hidden));
        return;
      }
      move(bar, dialog);
      dialog.showModal();
    });
    dialog.addEventListener("close", () => {
      move(dialog, bar);
      button.focus();
    });
    // A link within the page closes the bar that lies over it.
    dialog.addEventListener("click", (event) => {
      const link = event.target.closest("a[href^='#']");
      if (link) dialog.close();
    });
    closeOnBackdrop(dialog);
  };
  sidebar("primary", true);
  sidebar("secondary", false);

  // The chapters' bar keeps its place from page to page.
  const bar = document.getElementById("pst-primary-sidebar");
  if (bar) {
    const current = bar.querySelector(".current > a.current");
    if (current && current.offsetTop > bar.clientHeight / 2) {
      bar.scrollTop = current.offsetTop - bar.clientHeight / 4;
    }
  }

  // Search: a dialog from any page, by button or Ctrl+K.
  const search = document.getElementById("pst-search-dialog");
  const field = document.querySelector("article form.bd-search input, " +
    ".bd-search-container input");
  const openSearch = () => {
    if (field) field.select();
    else if (search && !search.open) search.showModal();
  };
  const mac = /^(Mac|iP)/.test(navigator.platform);
  if (mac) {
    for (const key of all(".kbd-shortcut__modifier")) {
      if (key.textContent === "Ctrl") key.textContent = "⌘";
    }
  }
  for (const button of all(".search-button__button")) {
    button.addEventListener("click", openSearch);
  }
  if (search) {
    search.setAttribute("aria-label", "Search");
    closeOnBackdrop(search);
  }
  if (field) field.focus({ preventScroll: true });
  addEventListener("keydown", (event) => {
    const held = mac ? event.metaKey : event.ctrlKey;
    if (held && !event.shiftKey && !event.altKey &&
        event.key.toLowerCase() === "k") {
      event.preventDefault();
      openSearch();
    }
  });

  // The contents at the right mark the section being read.
  const links = new Map();
  for (const link of all("#pst-page-toc-nav a[href^='#']")) {
    const id = decodeURIComponent(link.hash.slice(1));
    const section = id && document.getElementById(id);
    const heading = section && (section.querySelector("h1, h2, h3, h4, h5, h6")
      || section);
    if (heading) links.set(heading, link);
  }
  const mark = (chosen) => {
    for (const link of links.values()) {
      link.classList.toggle("active", link === chosen);
      if (link === chosen) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    for (const entry of all("#pst-page-toc-nav .toc-entry")) {
      entry.classList.toggle("active", entry.contains(chosen));
    }
  };
  const reading = new IntersectionObserver((entries) => {
    const entry = entries.filter((entry) => entry.isIntersecting).pop();
    if (entry) mark(links.get(entry.target));
  }, { rootMargin: "0px 0px -70% 0px" });
  for (const heading of links.keys()) reading.observe(heading);

  // The head gets its line, and the way back up appears, once scrolled.
  const up = document.getElementById("pst-back-to-top");
  const pixel = document.getElementById("pst-scroll-pixel-helper");
  if (pixel) {
    new IntersectionObserver(([entry]) => {
      const scrolled = entry.boundingClientRect.y < 0;
      document.body.classList.toggle("scrolled", scrolled);
    }).observe(pixel);
  }
  if (up) up.addEventListener("click", () => scrollTo({ top: 0 }));

  // Code can be copied; without the console's prompts there is only code.
  const copy = async (button, code) => {
    let done = true;
    try {
      await navigator.clipboard.writeText(code);
    } catch {
      done = false;
    }
    button.textContent = done ? "Copied" : "Select and copy by hand";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  };
  for (const block of all("div.cell_input div.highlight, " +
      "div[class*='highlight-'] > div.highlight")) {
    if (block.closest(".cell_output")) continue;
    const pre = block.querySelector("pre");
    if (!pre || block.querySelector(".copybtn")) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copybtn";
    button.textContent = "Copy";
    button.setAttribute("aria-label", "Copy this code");
    button.addEventListener("click", () =>
      copy(button, pre.textContent.trimEnd()));
    block.append(button);
  }

  // What scrolls sideways can be reached by keyboard.
  const scrollable = () => {
    for (const box of all("pre, .cell_output .output, .katex-display, " +
        ".pst-scrollable-table-container, .cnn-scroll")) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };
  const later = window.requestIdleCallback || setTimeout;
  // book.css holds later sections back until this; not for whoever comes to a
  // place further down.
  const layOut = () => { root.dataset.loaded = ""; };
  if (location.hash) layOut();
  addEventListener("load", () => later(() => {
    layOut();
    scrollable();
  }));
  addEventListener("resize", () => later(scrollable));
})();
