// Brings the widgets of a page to life, without a kernel.
//
// Each widget stands in the page as a picture with its state beside it. Its
// script registers a renderer in cnnWidgets; here the picture makes room for
// what the renderer draws. A widget that fails leaves its picture alone.
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

  const mount = async (place) => {
    const name = place.dataset.widget;
    const picture = [...place.childNodes];
    const stage = document.createElement("div");
    stage.className = "cnn-stage";
    place.replaceChildren(stage);
    try {
      const model = modelOf(JSON.parse(place.dataset.state));
      await cnnWidgets[name].render({ model, el: stage });
      place.dataset.live = "true";
    } catch (error) {
      place.replaceChildren(...picture);
      console.error(`The widget ${name} shows its picture only:`, error);
    }
  };

  // What is in sight comes first; the rest follows when the page has time.
  const start = () => {
    const places = [
      ...document.querySelectorAll(".cnn-widget[data-widget]"),
    ];
    const seen = (place) =>
      place.getBoundingClientRect().top < innerHeight * 1.5;
    const later = window.requestIdleCallback || setTimeout;
    const rest = places.filter((place) => !seen(place));
    for (const place of places.filter(seen)) mount(place);
    const next = () => {
      const place = rest.shift();
      if (!place) return;
      mount(place);
      later(next);
    };
    later(next);
  };
  addEventListener("DOMContentLoaded", start);
})();
