// Brings the widgets of a page to life, without a kernel.
//
// Each widget stands in the page as a picture with its state beside it. Its
// script registers a renderer in cnnWidgets; here the picture makes room for
// what the renderer draws. A widget that fails leaves its picture alone; one
// that needs a part of its picture takes it over.
const cnnWidgets = {};

(() => {
  "use strict";

  // The part of anywidget's model that a widget without a kernel can use.
  const modelOf = (state) => {
    const listeners = new Map();
    const tell = (event, ...details) => {
      for (const listener of [...(listeners.get(event) || [])]) {
        listener(...details);
      }
    };
    const model = {
      get: (name) => state[name],
      set: (name, value) => {
        if (typeof name === "object") {
          for (const [key, item] of Object.entries(name)) model.set(key, item);
          return;
        }
        if (Object.is(state[name], value)) return;
        state[name] = value;
        tell(`change:${name}`, model, value);
        tell("change", model);
      },
      on: (events, listener) => {
        for (const event of events.split(" ")) {
          if (!listeners.has(event)) listeners.set(event, new Set());
          listeners.get(event).add(listener);
        }
      },
      off: (events, listener) => {
        const names = events ? events.split(" ") : [...listeners.keys()];
        for (const event of names) {
          if (listener) listeners.get(event)?.delete(listener);
          else listeners.delete(event);
        }
      },
      save_changes: () => {},
    };
    return model;
  };

  // On paper a widget is its picture again, in the state of the page.
  const pictures = new Map();
  addEventListener("beforeprint", () => {
    for (const [place, picture] of pictures) place.append(picture);
  });
  addEventListener("afterprint", () => {
    for (const picture of pictures.values()) picture.remove();
  });

  const mount = async (place) => {
    const name = place.dataset.widget;
    const picture = [...place.childNodes];
    const still = document.createElement("div");
    still.className = "cnn-still";
    still.append(...picture.map((node) => node.cloneNode(true)));
    const stage = document.createElement("div");
    stage.className = "cnn-stage";
    place.replaceChildren(stage);
    try {
      const model = modelOf(JSON.parse(place.dataset.state));
      await cnnWidgets[name].render({ model, el: stage, picture });
      place.dataset.live = "true";
      pictures.set(place, still);
    } catch (error) {
      place.replaceChildren(...picture);
      console.error(`The widget ${name} shows its picture only:`, error);
    }
  };

  // What is near comes first; the rest follows at once, each in a task of its
  // own, so that whoever goes through the page by keyboard finds it ready.
  const start = () => {
    const waiting = new Set(
      document.querySelectorAll(".cnn-widget[data-widget]"),
    );
    const wake = (place) => {
      if (waiting.delete(place)) mount(place);
    };
    const near = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        near.unobserve(target);
        wake(target);
      }
    }, { rootMargin: "50%" });
    for (const place of waiting) near.observe(place);
    const next = () => {
      const [place] = waiting;
      if (!place) return;
      wake(place);
      setTimeout(next);
    };
    setTimeout(next);
  };
  addEventListener("DOMContentLoaded", start);
})();
