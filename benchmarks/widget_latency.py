"""How soon the picture follows the slider, for every widget of a page.

    python benchmarks/widget_latency.py                 # the built site
    python benchmarks/widget_latency.py PAGE.html …     # these pages
    python benchmarks/widget_latency.py --check         # fails over 16 ms

Each widget's sliders are moved 200 times in turn; a widget without a slider
gets as many arrow keys, and one without a button other choices. In a text
the last digits of its numbers are typed over, and typed back; the workshop's
is then measured once more as ResNet-152, with 50 ms to do it in. On a sheet
of paper a pen draws. Of every move, in milliseconds:

- *work*: the processor's time on the page's main thread, from the event to
  the end of the frame: handlers, drawing, style, layout, paint. This has to
  fit into one frame, 16 ms. Other work of the machine is not in it; the
  compositor's, beside the page, is not either; the measuring itself is.
- *sight*: the same by the clock, without the wait for the frame to begin.
  This has to fit into one frame, 16 ms.
- *frame*: from the start of this frame to the start of the next, each with
  a move in it; 16.7 ms where no frame is dropped.

What counts is *sight*. Its times are those of an idle machine only if the
machine is idle, so --check takes *work* in its place where that is less.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tools.chromium import FLAGS, ensure  # noqa: E402

SITE = ROOT / "_build" / "html"
MOVES = 200
LIMIT = 16.0
LARGER = {"workshop": ("ResNet-152", 50.0)}
"""What else to choose from a widget's list, and the limit for it."""
PREPARE = """
(place) => {
  const widget = document.querySelectorAll(".cnn-widget[data-widget]")[place];
  widget.scrollIntoView({ block: "center" });
  const sliders = [...widget.querySelectorAll("input[type=range]")].filter(
    (input) => input.checkVisibility() && !input.disabled);
  const moveSlider = (count) => {
    const slider = sliders[count % sliders.length];
    const round = Math.floor(count / sliders.length);
    const low = Number(slider.min), high = Number(slider.max || 100);
    const step = Number(slider.step) || 1;
    const places = Math.max(1, Math.round((high - low) / step));
    let next = round % (2 * places);
    if (next > places) next = 2 * places - next;
    if (low + next * step === Number(slider.value)) {
      next = next < places ? next + 1 : next - 1;
    }
    slider.value = low + next * step;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    slider.dispatchEvent(new Event("change", { bubbles: true }));
  };
  const pressKey = (count) => {
    const at = widget.contains(document.activeElement)
      ? document.activeElement
      : widget.querySelector("button[tabindex='0'], button");
    if (at !== document.activeElement) at.focus();
    const keys = ["ArrowDown", "ArrowDown", "ArrowDown", "ArrowLeft",
      "ArrowDown", "ArrowRight", "ArrowUp"];
    at.dispatchEvent(new KeyboardEvent("keydown",
      { key: keys[count % keys.length], bubbles: true, cancelable: true }));
  };
  const pickRadio = (count) => {
    const free = widget.querySelectorAll("input[type=radio]:not(:checked)");
    free[count % free.length].click();
  };
  const field = widget.querySelector("textarea");
  let typed = null;
  const typeKey = (count) => {
    field.focus({ preventScroll: true });
    if (count % 2 === 0) {
      const numbers = [...field.value.matchAll(/\\d(?!\\d)/g)];
      const at = numbers[(7 * count) % numbers.length];
      typed = [at.index, (Number(at[0]) + 1) % 10, at[0]];
    }
    field.setSelectionRange(typed[0], typed[0] + 1);
    document.execCommand("insertText", false, typed[1 + count % 2]);
  };
  const paper = widget.querySelector(".dd-paper");
  const movePen = (count) => {
    const box = paper.getBoundingClientRect();
    const turn = (count % 40) / 6;
    const tell = (kind) => paper.dispatchEvent(new PointerEvent(kind, {
      clientX: box.left + box.width * (0.5 + 0.3 * Math.cos(turn)),
      clientY: box.top + box.height * (0.5 + 0.4 * Math.sin(turn)),
      isPrimary: true, button: 0, buttons: 1, bubbles: true }));
    paper.setPointerCapture = () => {}; // no such pointer exists
    if (count % 40 === 0) tell("pointerdown");
    else tell(count % 40 === 39 ? "pointerup" : "pointermove");
  };
  const hasKeys = widget.querySelector("button") !== null;
  const move = field ? typeKey : paper ? movePen
    : sliders.length ? moveSlider : hasKeys ? pressKey : pickRadio;
  const task = () => new Promise((done) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => done();
    channel.port2.postMessage(0);
  });
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const once = async (count) => {
    await task();
    let begun;
    requestAnimationFrame(() => { begun = performance.now(); });
    const told = performance.now();
    move(count);
    widget.getBoundingClientRect();
    const handled = performance.now();
    await frame();
    widget.getBoundingClientRect();
    await task();
    const ended = performance.now();
    return { sight: handled - told + ended - begun, begun };
  };
  let count = 0, before = widget.innerHTML;
  window.cnnMove = () => once(count++);
  window.cnnChanged = () => {
    const changed = widget.innerHTML !== before;
    before = widget.innerHTML;
    return changed;
  };
  return field ? "typing" : paper ? "pen" : sliders.length
    ? `${sliders.length} slider${sliders.length > 1 ? "s" : ""}`
    : hasKeys ? "arrow keys" : "radio buttons";
}
"""
ROUND = """
async (moves) => {
  const times = [];
  for (let i = 0; i < moves; i += 1) {
    times.push({ ...await cnnMove(), changed: cnnChanged() });
  }
  return {
    changed: times.filter((t) => t.changed).length,
    sight: times.map((t) => t.sight),
    frame: times.slice(1).map((t, i) => t.begun - times[i].begun),
  };
}
"""


def p95(times: list[float]) -> float:
    """Return the time that 95 of 100 moves keep to."""
    return statistics.quantiles(times, n=20, method="inclusive")[-1]


def pages_with_widgets(site: Path) -> list[Path]:
    """Return the built pages that hold a widget."""
    return [
        page
        for page in sorted(site.rglob("*.html"))
        if page.parent.name != "slides"
        and "data-widget=" in page.read_text(encoding="utf-8")
    ]


def measure(paths: list[Path], moves: int = MOVES) -> list[dict]:
    """Move every widget of the pages; return its times in milliseconds."""
    from playwright.sync_api import sync_playwright

    figures = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=ensure(), args=list(FLAGS)
        )
        for path in paths:
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(path.resolve().as_uri())
            widgets = page.locator(".cnn-widget[data-widget]")
            for place in range(widgets.count()):
                widget = widgets.nth(place)
                widget.scroll_into_view_if_needed()
                live = widget.and_(page.locator("[data-live]"))
                live.wait_for(state="attached", timeout=10_000)
                name = widget.get_attribute("data-widget")
                figures.append(
                    {
                        "page": path.stem,
                        "name": name,
                        **times(page, place, moves),
                    }
                )
                if name in LARGER:
                    choice, limit = LARGER[name]
                    widget.locator("select").select_option(choice)
                    figures.append(
                        {
                            "page": path.stem,
                            "name": choice,
                            "limit": limit,
                            **times(page, place, moves),
                        }
                    )
            page.close()
        browser.close()
    return figures


def times(page, place: int, moves: int) -> dict:
    """Move one widget of a page; return its times in milliseconds."""
    return {
        "by": page.evaluate(PREPARE, place),
        **page.evaluate(ROUND, moves),
        "work": processor_times(page, moves),
    }


def processor_times(page, moves: int) -> list[float]:
    """Return the main thread's processor time of each move, in ms."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return next(
            1000 * metric["value"]
            for metric in metrics
            if metric["name"] == "TaskDuration"
        )

    times = []
    for _ in range(moves):
        before = spent()
        session.send(
            "Runtime.evaluate",
            {"expression": "cnnMove()", "awaitPromise": True},
        )
        times.append(spent() - before)
    session.detach()
    return times


def complaints(figures: list[dict], moves: int = MOVES) -> list[str]:
    """Name each widget that is too slow, or that did not follow."""
    found = []
    for one in figures:
        name = f"{one['name']} on {one['page']}"
        slowest = min(p95(one["sight"]), p95(one["work"]))
        limit = one.get("limit", LIMIT)
        if slowest > limit:
            found.append(
                f"{name}: p95 of {slowest:.1f} ms a move, over {limit:.0f} ms"
            )
        if one["changed"] < moves / 2:
            found.append(
                f"{name}: only {one['changed']} of {moves} moves changed it"
            )
    return found


def table(figures: list[dict]) -> str:
    """Write the medians and 95th percentiles, one line a widget."""
    lines = [
        f"{'page':16}{'widget':18}{'moved by':14}"
        f"{'work':>15}{'sight':>15}{'frame':>15}",
        f"{'':48}" + f"{'median   p95':>15}" * 3 + "  ms",
    ]
    for one in figures:
        spans = "".join(
            f"{statistics.median(one[key]):9.1f}{p95(one[key]):6.1f}"
            for key in ("work", "sight", "frame")
        )
        lines.append(
            f"{one['page'][:15]:16}{one['name']:18}{one['by']:14}{spans}"
        )
    return "\n".join(lines)


def main() -> int:
    """Measure, print, and judge if asked."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pages", nargs="*", type=Path)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    paths = options.pages or pages_with_widgets(SITE)
    if not paths:
        print(f"No page with a widget in {SITE}; run `make html` first.")
        return 1
    figures = measure(paths)
    print(table(figures))
    found = complaints(figures) if options.check else []
    print("\n".join(found), file=sys.stderr, end="\n" * bool(found))
    return int(bool(found))


if __name__ == "__main__":
    raise SystemExit(main())
