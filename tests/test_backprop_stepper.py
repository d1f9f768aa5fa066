"""The backprop stepper: its numbers, its sentences, and its use by hand."""

from __future__ import annotations

import json
import random
import re
from itertools import product

import pytest
import torch
from conftest import ROOT
from py_mini_racer import MiniRacer
from torch.nn import functional

from cnnbook.geometry import output_size
from cnnbook.widgets import BackpropStepper
from cnnbook.widgets import backprop_stepper as bp

WIDGETS = ROOT / "cnnbook" / "widgets"
CASES = 1000


# ---- Python and JavaScript see the same ----


def in_javascript(cases: list, old: str = "", new: str = "") -> list:
    """Ask the widget's script, with one passage changed on demand."""
    source = (WIDGETS / "backprop_stepper" / "widget.mjs").read_text("utf-8")
    assert source.count(old) == 1 or not old, old
    source = source.replace(old, new) if old else source
    source = re.sub(r"^export default .*$", "", source, flags=re.M)
    with MiniRacer() as engine:
        engine.eval((WIDGETS / "base.mjs").read_text("utf-8"))
        engine.eval(source)
        asked = json.dumps(cases)
        return json.loads(
            engine.eval(
                f"JSON.stringify({asked}.map(([one, stage, step]) =>"
                " [bpSteps(one, stage), bpScene(one, stage, step),"
                " bpScene(one, stage, step).grids.map(bpDescribed)"
                ".join(' ')]))"
            )
        )


def random_cases() -> list[tuple[bp.Case, str, int]]:
    """Layers of many sizes on random numbers, each with a stage and a step."""
    draw = random.Random(1986)

    def grid(side: int) -> bp.Grid:
        return [
            [draw.randint(-9, 9) for _ in range(side)] for _ in range(side)
        ]

    found = []
    while len(found) < CASES:
        layer = draw.choice(list(bp.STAGES))
        window = draw.randint(1, 4)
        most = window // 2 if layer == "max pooling" else window - 1
        padding = draw.randint(0, most)
        stride = draw.randint(1, 4)
        size = draw.randint(window, 6)
        output = output_size(size, window, stride, padding)
        case = bp.Case(
            layer, grid(size), grid(window), grid(output), stride, padding
        )
        stage = draw.choice(bp.STAGES[layer])
        step = draw.randrange(bp.steps(case, stage))
        found.append((case, stage, step))
    return found


def differences(old: str = "", new: str = "") -> list:
    """The cases on which the two languages do not agree."""
    cases = random_cases()
    asked = [(case._asdict(), *rest) for case, *rest in cases]
    found = []
    for case, theirs in zip(
        cases, in_javascript(asked, old, new), strict=True
    ):
        now = bp.scene(*case)
        ours = [bp.steps(*case[:2]), now, bp.described(now)]
        if json.loads(json.dumps(ours)) != theirs:
            found.append((case, ours, theirs))
    return found


def test_both_languages_agree() -> None:
    assert differences() == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[...row].reverse()).reverse()", "[...row])"),
        ("upstream[row / stride]", "upstream[row]"),
        ("kernel.length - 1 - padding", "kernel.length - 1"),
        ("> bpPixel(one, best)", ">= bpPixel(one, best)"),
        ("+ taps[n] * upstream[i][j]", "+ taps[n]"),
        ("stride * j + b - padding,\n    ]", "stride * j + b,\n    ]"),
        ("fall on the padding", "fall onto the padding"),
        ("if (n > step)", "if (n >= step)"),
        ("sums.get(key) ?? 0) + upstream[i][j]", "0) + upstream[i][j]"),
    ],
)  # fmt: skip
def test_a_wrong_script_is_found(old: str, new: str) -> None:
    assert differences(old, new)


def test_both_languages_have_the_same_numbers_and_names() -> None:
    source = (WIDGETS / "backprop_stepper" / "widget.mjs").read_text("utf-8")
    settings = [
        dict(zip(list(bp.CHOICES)[:4], chosen, strict=True))
        for chosen in product(*list(bp.CHOICES.values())[:4])
    ]
    with MiniRacer() as engine:
        engine.eval((WIDGETS / "base.mjs").read_text("utf-8"))
        engine.eval(re.sub(r"^export default .*$", "", source, flags=re.M))
        asked = f"{json.dumps(settings)}.map(bpCase)"
        cases, stages, names = json.loads(
            engine.eval(f"JSON.stringify([{asked}, BP_STAGES, BP_NAMES])")
        )
    ours = [BackpropStepper(**chosen).case._asdict() for chosen in settings]
    assert cases == ours
    assert stages == {name: [*some] for name, some in bp.STAGES.items()}
    assert names == bp.NAMES


# ---- The numbers are torch's ----


def results(case: bp.Case) -> dict[str, torch.Tensor]:
    """What each stage should end with, by autograd."""
    x = torch.tensor([[case.pixels]], dtype=torch.float64, requires_grad=True)
    w = torch.tensor([[case.kernel]], dtype=torch.float64, requires_grad=True)
    if case.layer == "max pooling":
        y = functional.max_pool2d(x, case.window, case.stride, case.padding)
    else:
        y = functional.conv2d(x, w, None, case.stride, case.padding)
    y.backward(torch.tensor([[case.upstream]], dtype=torch.float64))
    found = {"forward": y, "scatter": x.grad}
    if case.layer == "convolution":
        found |= {"gather": x.grad, "weights": w.grad}
    return {stage: tensor[0, 0].detach() for stage, tensor in found.items()}


def wrong_stages(case: bp.Case) -> list[str]:
    """The stages whose last grid does not end with autograd's numbers."""
    wrong = []
    for stage, expected in results(case).items():
        cells = bp.scene(case, stage, bp.steps(case, stage) - 1)["grids"][2]
        numbers = [
            [
                int(text.replace("−", "-"))
                for text, marks in row
                if "r" not in marks
            ]
            for row in cells["cells"]
        ]
        numbers = [row for row in numbers if row]
        if numbers != expected.tolist():
            wrong.append(stage)
    return wrong


def test_it_ends_with_what_autograd_computes() -> None:
    for layer, kernel, stride, padding in product(
        *list(bp.CHOICES.values())[:4]
    ):
        case = BackpropStepper(layer, kernel, stride, padding).case
        assert wrong_stages(case) == [], case
    layers = {case.layer for case, *_ in random_cases()[:300]}
    assert layers == set(bp.STAGES)
    for case, *_ in random_cases()[:300]:
        assert wrong_stages(case) == [], case


def test_a_kernel_that_is_not_turned_is_found(monkeypatch) -> None:
    case = BackpropStepper().case
    turned = [row[::-1] for row in case.kernel[::-1]]
    monkeypatch.setattr(
        bp, "_gather", lambda one, step, was=bp._gather: was(
            one._replace(kernel=turned), step
        )
    )  # fmt: skip
    assert wrong_stages(case) == ["gather"]


def test_the_sum_of_a_step_is_the_number_it_marks() -> None:
    for case, stage, step in random_cases():
        if (case.layer, stage) == ("convolution", "scatter"):
            continue
        now = bp.scene(case, stage, step)
        cells = [cell for row in now["grids"][2]["cells"] for cell in row]
        marked = [text for text, marks in cells if "t" in marks]
        assert marked == [now["sum"].split(" = ")[-1]]


def test_no_window_has_its_largest_pixel_twice() -> None:
    for kernel, stride, padding in product((2, 3), (1, 2, 3), (0, 1)):
        case = BackpropStepper("max pooling", kernel, stride, padding).case
        for i, j in product(range(case.output), repeat=2):
            seen = [case.pixel(*place) for place in case.places(i, j)]
            most = case.pixel(*case.switch(i, j))
            assert seen.count(most) == 1


# ---- The widget without a script ----


def test_the_picture_shows_every_stage_in_words() -> None:
    page = BackpropStepper(step=1).to_html()
    assert page.count("<figure>") == page.count('role="img"') == 4
    for name in bp.NAMES.values():
        assert f"<strong>{name}.</strong>" in page
    assert "g[0, 1] = −1 goes back to every pixel that y[0, 1] read" in page
    assert "Kernel w, turned: 9, 8, 7; 6, 5, 4; 3, 2, 1." in page
    pooling = BackpropStepper("max pooling").to_html()
    assert pooling.count("<figure>") == 2


def test_a_step_past_the_end_is_the_last() -> None:
    end = BackpropStepper(step=99).to_html()
    assert "y[1, 1] is 65" in end and "w[2, 2] met 4 places, 2 apart" in end


def test_its_name_says_the_same_on_every_run() -> None:
    assert repr(BackpropStepper("max pooling", 2, 1, 0)) == (
        "BackpropStepper('max pooling', kernel=2, stride=1, padding=0)"
    )


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"layer": "pooling"},
            "no layer 'pooling'; try 'convolution' or 'max",
        ),
        ({"kernel": 4}, "no kernel 4; try 2 or 3"),
        ({"stride": 0}, "no stride 0; try 1, 2 or 3"),
        ({"stage": "back"}, "no stage 'back'; try 'forward', 'scatter'"),
    ],
)
def test_it_refuses_what_it_cannot_draw(settings: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        BackpropStepper(**settings)


# ---- By hand, in a browser ----


def titles(page) -> list[str]:
    return page.locator(".bp-title").all_inner_texts()


def test_by_mouse(show) -> None:
    page = show(BackpropStepper())
    words = page.locator(".bp-words")
    assert titles(page) == ["Input x", "Kernel w", "Output y"]
    assert "y[0, 0] is 41" in words.inner_text()
    page.get_by_role("button", name="Back to x, collected").click()
    assert titles(page)[:2] == ["Upstream g, dilated", "Kernel w, turned"]
    assert "padding 1" in words.inner_text()
    pressed = page.locator("button[aria-pressed='true']")
    assert pressed.inner_text() == "Back to x, collected"
    page.get_by_label("Layer").select_option("max pooling")
    assert titles(page) == ["Upstream g", "Switches", "Gradient for x"]
    assert page.get_by_role("button", name="Back to w").count() == 0
    case = BackpropStepper("max pooling").case
    rings = {case.switch(i, j) for i, j in product(range(2), repeat=2)}
    drawn = page.locator(".bp-s").get_attribute("d")
    assert drawn.count("M") == len(rings) == 3


def test_by_keyboard(show) -> None:
    page = show(BackpropStepper())
    words, press = page.locator(".bp-words"), page.keyboard.press
    for _ in range(3):
        press("Tab")
    press("ArrowLeft")
    assert page.get_by_label("Stride S").input_value() == "1"
    assert titles(page)[2] == "Output y"
    for _ in range(3):
        press("Tab")
    press("Space")
    assert "goes back to every pixel" in words.inner_text()
    step = page.get_by_label("Step")
    step.focus()
    press("ArrowRight")
    assert "g[0, 1] = −1" in words.inner_text()
    assert step.get_attribute("aria-valuetext") == "2 of 16"
    press("End")
    assert "g[3, 3]" in words.inner_text()
    picture = page.locator(".bp-stage svg").nth(2)
    assert picture.get_attribute("aria-label").startswith("Gradient for x: ")


def test_play_walks_through_all_stages(show) -> None:
    page = show(BackpropStepper("max pooling", step=3))
    page.emulate_media(reduced_motion="reduce")
    play = page.get_by_role("button", name="Step", exact=True)
    words = page.locator(".bp-words")
    assert "y[1, 1]" in words.inner_text()
    play.click()
    assert "g[0, 0] = 1 goes to the pixel" in words.inner_text()
    for _ in range(4):
        play.click()
    assert words.inner_text().startswith("The window that starts at")


@pytest.mark.parametrize("width", [320, 375, 1280])
def test_it_fits_the_screen(show, width: int) -> None:
    page = show(BackpropStepper(kernel=3, stride=1, stage="gather"))
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate(
        "document.documentElement.scrollWidth"
        " <= document.documentElement.clientWidth"
    )


def test_what_happens_is_said_aloud(show) -> None:
    page = show(BackpropStepper())
    page.get_by_role("button", name="Back to w").click()
    live = page.locator("[aria-live='polite']")
    live.get_by_text("Back to w, step 1. w[0, 0] met 4 places").wait_for(
        state="attached", timeout=3000
    )
