// What the book's widgets share: elements, controls, the way to the model,
// and the arithmetic of cnnbook/geometry.py, sentence for sentence.
// No import, no export: it stands before each widget's own module.

// ---- Elements ----

// Make an element: `html("p", { class: "words" }, "text", child)`. A function
// under an `on…` name listens; null and false leave an attribute out.
function html(tag, attributes = {}, ...children) {
  return dress(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  const space = "http://www.w3.org/2000/svg";
  return dress(document.createElementNS(space, tag), attributes, children);
}

function dress(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") {
      node.addEventListener(name.slice(2), value);
    } else if (value !== null && value !== undefined && value !== false) {
      node.setAttribute(name, value === true ? "" : value);
    }
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

// Give a node new children; a text that is the same stays untouched.
function fill(node, ...children) {
  const same =
    children.length === 1 &&
    typeof children[0] === "string" &&
    node.textContent === children[0] &&
    node.childElementCount === 0;
  if (!same) node.replaceChildren(...children);
}

// 61706 is written 61,706.
function grouped(number) {
  return String(number).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

// ---- Controls: native, labelled, each with root and set(value) ----

function slider({ label, min, max, step = 1, value, onInput }) {
  const shown = html("span", { class: "cnn-value", "aria-hidden": "true" });
  const input = html("input", { type: "range", min, max, step });
  input.addEventListener("input", () => {
    fill(shown, input.value);
    onInput(Number(input.value));
  });
  const name = html("span", { class: "cnn-name" }, label);
  const root = html(
    "div",
    { class: "cnn-control" },
    html("label", {}, name, input),
    shown,
  );
  const set = (next, text = String(next)) => {
    if (Number(input.value) !== next) input.value = next;
    fill(shown, text);
  };
  set(value);
  return { root, input, shown, set };
}

function choice({ label, options, value, onInput }) {
  const select = html(
    "select",
    { onchange: () => onInput(select.value) },
    ...options.map(([key, text]) => html("option", { value: key }, text)),
  );
  const name = html("span", { class: "cnn-name" }, label);
  const root = html(
    "div",
    { class: "cnn-control" },
    html("label", {}, name, select),
  );
  const set = (next) => {
    select.value = next;
  };
  set(value);
  return { root, select, set };
}

function button(label, onPress, attributes = {}) {
  return html(
    "button",
    { type: "button", class: "cnn-button", ...attributes, onclick: onPress },
    label,
  );
}

// A button that walks by itself: `step()` goes one further and answers false
// at the end. For readers who want no motion, each press is one step.
function player({ step, pause = 600, label = "Play" }) {
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let timer = null;
  const root = button("", () => {
    if (still.matches) step();
    else if (timer === null) walk();
    else stop();
  });
  const say = () => {
    root.dataset.playing = String(timer !== null);
    fill(root, still.matches ? "Step" : timer === null ? label : "Pause");
  };
  const stop = () => {
    clearTimeout(timer);
    timer = null;
    say();
  };
  const walk = () => {
    const ended = !root.isConnected || step() === false;
    timer = ended ? null : setTimeout(walk, pause);
    say();
  };
  still.addEventListener("change", stop);
  say();
  return { root, stop, playing: () => timer !== null };
}

// ---- The way to the model ----

// Call the listener when a trait changes; the answer takes it away again.
function bind(model, names, listener) {
  const events = names.map((name) => `change:${name}`);
  for (const event of events) model.on(event, listener);
  return () => {
    for (const event of events) model.off(event, listener);
  };
}

// In JupyterLab, keys pressed inside a widget are the widget's own: without
// this mark, on the very control that has the focus, JupyterLab takes arrows.
function keepingKeys(render) {
  return ({ model, el }) => {
    el.addEventListener("focusin", ({ target }) => {
      target.dataset.lmSuppressShortcuts = "true";
    });
    return render({ model, el });
  };
}

// Set traits in the view, and tell the kernel where there is one.
function change(model, values) {
  for (const [name, value] of Object.entries(values)) model.set(name, value);
  model.save_changes();
}

// However often it is called by one event, it draws once, and before the
// frame of that event is shown.
function batched(draw) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    queueMicrotask(() => {
      waiting = false;
      draw();
    });
  };
}

// Say a result to those who listen, once the hand rests.
function announce(el, text, rest = 500) {
  const region =
    el.querySelector(":scope > .cnn-live") ??
    el.appendChild(
      html("p", { class: "cnn-live cnn-hidden", "aria-live": "polite" }),
    );
  clearTimeout(region.waiting);
  region.waiting = setTimeout(() => fill(region, text), rest);
}

// ---- The twin of cnnbook/geometry.py ----

function outputSize(
  size,
  kernel,
  stride = 1,
  padding = 0,
  dilation = 1,
  rounding = "floor",
) {
  wholeNumber("size", size, 1);
  wholeNumber("stride", stride, 1);
  const [before, after] = paddingPair(padding);
  const span = kernelSpan(kernel, dilation);
  if (!["floor", "ceil", "exact"].includes(rounding)) {
    throw new Error(
      `There is no rounding '${rounding}'; try 'floor', 'ceil' or 'exact'.`,
    );
  }
  const room = size + before + after - span;
  if (rounding === "ceil") {
    let places = Math.ceil(room / stride) + 1;
    if ((places - 1) * stride >= size + before) places -= 1;
    if (places >= 1) return places;
  }
  if (room < 0) {
    throw new Error(
      `A kernel that spans ${span} does not fit into ${size} pixels with ` +
        `padding ${showPadding(before, after)}; make the kernel smaller, ` +
        `or add ${-room} pixel${room === -1 ? "" : "s"} of size or padding.`,
    );
  }
  if (rounding === "exact" && room % stride) {
    throw new Error(whyNotExact(size, span, stride, before, after));
  }
  return Math.floor(room / stride) + 1;
}

// One field per layer: { size, jump, start } as in the Python twin.
function receptiveFields(layers) {
  let field = { size: 1, jump: 1, start: 0.5 };
  return layers.map(({ kernel, stride = 1, padding = 0, dilation = 1 }) => {
    wholeNumber("stride", stride, 1);
    const [before] = paddingPair(padding);
    const reach = kernelSpan(kernel, dilation) - 1;
    field = {
      size: field.size + reach * field.jump,
      jump: field.jump * stride,
      start: field.start + (reach / 2 - before) * field.jump,
    };
    return field;
  });
}

function wholeNumber(name, value, least) {
  if (!Number.isInteger(value)) {
    throw new Error(
      `The ${name} is a whole number, not ${value}; try ${name}=${least}.`,
    );
  }
  if (value < least) {
    throw new Error(
      `The ${name} is at least ${least}, not ${value}; try ${name}=${least}.`,
    );
  }
  return value;
}

function paddingPair(padding) {
  const pair = Array.isArray(padding) ? padding : [padding, padding];
  return pair.map((side) => wholeNumber("padding", side, 0));
}

function kernelSpan(kernel, dilation) {
  wholeNumber("kernel", kernel, 1);
  return wholeNumber("dilation", dilation, 1) * (kernel - 1) + 1;
}

function showPadding(before, after) {
  return before === after ? String(before) : `(${before}, ${after})`;
}

function whyNotExact(size, span, stride, before, after) {
  const room = size + before + after - span;
  const rest = room % stride;
  const sizes = [size - rest, size + stride - rest].filter((s) => s >= 1);
  const strides = [];
  for (let s = 1; s <= room; s += 1) if (room % s === 0) strides.push(s);
  strides.sort((a, b) => Math.abs(a - stride) - Math.abs(b - stride));
  const near = strides.slice(0, 2).sort((a, b) => a - b);
  const away = (p) => Math.abs(2 * p - before - after);
  let best = null;
  for (let p = 0; p < Math.max(before, after) + stride; p += 1) {
    const tiles = (size + 2 * p - span) % stride === 0;
    if (size + 2 * p < span || !tiles) continue;
    if (best === null || away(p) < away(best)) best = p;
  }
  return (
    `Windows that span ${span} do not tile ${size} pixels with stride ` +
    `${stride} and padding ${showPadding(before, after)}, because ` +
    `${room} / ${stride} is not whole; try size ${sizes.join(" or ")}, ` +
    `stride ${near.join(" or ")}, or padding ` +
    `${best ?? showPadding(before, after + stride - rest)}.`
  );
}
