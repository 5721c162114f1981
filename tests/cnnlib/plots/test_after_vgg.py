"""The figures of chapter 13 show what cnnlib counts, and can be read on a phone."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from cnnlib import architectures
from cnnlib.architectures.imagenet import Guess
from cnnlib.errors import ShapeError, SizeError
from cnnlib.layers import AveragePooling2D, Conv2D, Dense, DepthwiseConv2D, Flatten, L2Pooling2D
from cnnlib.network import Input, Sequential
from cnnlib.plots import after_vgg as plots
from cnnlib.plots import style
from cnnlib.plots.after_vgg import ACCURACIES, LOOKS, amount, operations_by_kind

RNG = np.random.default_rng(13)


def small(size: int | None = 8) -> Sequential:
    return Sequential(
        [
            Input((size, size, 4)),
            Conv2D(6, 5, padding="same"),
            Conv2D(6, (3, 3)),
            Conv2D(5, 1),
            DepthwiseConv2D(3),
            AveragePooling2D(),
            Conv2D(2, (1, 2)),
            Flatten(),
            Dense(7),
        ]
    )


@functools.cache
def networks() -> dict[str, Sequential]:
    names = {"VGG-16": "vgg16", "ResNet-18": "resnet18", "MobileNet": "mobilenet"}
    return {name: getattr(architectures, function)() for name, function in names.items()}


FOUND = {
    "one": [Guess("n1", "drilling platform", 0.75), Guess("n2", "cup", 0.2), Guess("n3", "tabby", 0.001)],
    "two": [Guess("n1", "chocolate sauce", 1.0)],
}
PICTURES = {"one": RNG.integers(0, 256, (230, 240, 3), dtype=np.uint8), "two": RNG.random((20, 20))}
FIGURES = {
    "operations": lambda: plots.operations(networks(), share=True),
    "bars": lambda: plots.operations({"small": small(), "twice": small(16)}),
    "gradients": lambda: plots.gradient_norms({"plain": [1e-3, 2, 30.0], "residual": [1, 2, 3.0]}),
    "losses": lambda: plots.losses({str(n): [2.3, 1.0 + n] for n in range(4)}),
    "accuracies": lambda: plots.accuracy_and_cost(networks()),
    "guesses": lambda: plots.guesses(PICTURES, FOUND),
}


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text() and text.get_visible()]


@pytest.mark.parametrize("name", FIGURES)
def test_figures_fit_the_page_and_can_be_read_on_a_phone(name: str, check_drawing: Callable) -> None:
    figure = FIGURES[name]()
    assert figure.get_figwidth() <= style.WIDTH
    check_drawing(figure)


def test_operations_are_sorted_and_none_is_lost() -> None:
    macs = {row.name: row.macs for row in small().summary().rows}
    counts = operations_by_kind(small())
    assert list(counts) == list(LOOKS)
    assert counts["larger"] == macs["conv2d"] + macs["conv2d_3"]  # 5×5, and 1×2
    assert counts["three"] == macs["conv2d_1"]
    assert counts["one"] == macs["conv2d_2"]
    assert counts["depthwise"] == macs["depthwise_conv2d"]
    assert counts["dense"] == macs["dense"]
    assert counts["other"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", architectures.__all__)
def test_operations_by_kind_add_up_to_those_of_the_network(name: str) -> None:
    options = {"weights": None} if name == "efficientnet_lite0" else {}
    model = getattr(architectures, name)(**options)
    counts = operations_by_kind(model)
    assert sum(counts.values()) == model.summary().macs
    if name != "lenet5":  # its output layer, and its subsampling, are of no kind that others have
        assert counts["other"] == 0


def test_what_mobilenet_spends_on_pointwise_convolutions_is_what_its_paper_says() -> None:
    """Table 2 of Howard et al. (2017): 94.86, 3.06 and 0.18 per cent, the last for the classifier.

    Here and in Keras the classifier is a 1×1 convolution too.
    """
    counts = operations_by_kind(architectures.mobilenet())
    total = sum(counts.values())
    assert [round(100 * counts[kind] / total, 2) for kind in ("one", "depthwise")] == [94.86 + 0.18, 3.06]


def test_open_sizes_and_pooling_that_multiplies() -> None:
    with pytest.raises(ShapeError, match="open size"):
        operations_by_kind(Sequential([Input((None, None, 3)), Conv2D(4, 3)]))
    model = Sequential([Input((8, 8, 3)), L2Pooling2D(2)])
    assert sum(operations_by_kind(model).values()) == model.summary().macs


@pytest.mark.parametrize("share", [False, True])
def test_bars_are_as_long_as_what_is_counted(share: bool) -> None:
    models = {"small": small(), "twice": small(16)}
    figure = plots.operations(models, share)
    (axes,) = figure.axes
    drawn: dict[float, float] = {}
    for bar in axes.findobj(Rectangle):
        if bar.get_height() == 0.62:
            drawn[round(bar.get_y() + 0.31)] = max(
                drawn.get(round(bar.get_y() + 0.31), 0), bar.get_x() + bar.get_width()
            )
    totals = [model.summary().macs for model in models.values()]
    assert [drawn[0], drawn[1]] == pytest.approx([1, 1] if share else totals)
    written = texts(figure)
    assert all(amount(total) in written for total in totals)
    assert plots.WORDS["other"] not in written
    with pytest.raises(SizeError, match="no network"):
        plots.operations({}, share)


def test_discs_lie_where_operations_and_accuracies_are() -> None:
    models = networks()
    figure = plots.accuracy_and_cost(models)
    discs = [c for c in figure.axes[0].collections if isinstance(c, PathCollection)]
    for (name, model), disc in zip(models.items(), discs, strict=True):
        summary = model.summary()
        assert disc.get_offsets().tolist() == [[summary.macs, ACCURACIES[name].top_1]]
        assert disc.get_sizes()[0] == pytest.approx(summary.learned / 1e5)
        assert f"{name}\n{amount(summary.learned)}" in texts(figure)
    with pytest.raises(SizeError, match="no published accuracy of SkyNet"):
        plots.accuracy_and_cost({"SkyNet": small()})
    with pytest.raises(SizeError, match="no network"):
        plots.accuracy_and_cost({})


@pytest.mark.slow
def test_the_names_of_the_networks_do_not_cover_one_another() -> None:
    functions = {name: name.lower().replace("-", "_" if "Eff" in name else "") for name in ACCURACIES}
    options = {"EfficientNet-Lite0": {"weights": None}}
    models = {n: getattr(architectures, f)(**options.get(n, {})) for n, f in functions.items()}
    figure = plots.accuracy_and_cost(models)
    figure.draw_without_rendering()
    notes = [text for text in figure.axes[0].texts if text.get_text()]
    extents = [text.get_window_extent() for text in notes]
    for disc in (c for c in figure.axes[0].collections if isinstance(c, PathCollection)):
        (middle,) = figure.axes[0].transData.transform(disc.get_offsets())
        radius = np.sqrt(disc.get_sizes()[0] / np.pi) * figure.dpi / 72
        extents.append(Bbox([middle - 0.7 * radius, middle + 0.7 * radius]))
    for place, one in enumerate(extents):
        for two in extents[: min(place, len(notes))]:
            assert (
                min(one.x1, two.x1) - max(one.x0, two.x0) < 1 or min(one.y1, two.y1) - max(one.y0, two.y0) < 1
            )


def test_every_accuracy_has_a_source_in_the_bibliography(root) -> None:
    bibliography = (root / "book" / "references.bib").read_text(encoding="utf-8")
    known = set(re.findall(r"^@\w+\{([\w:-]+),", bibliography, re.MULTILINE))
    assert {published.source for published in ACCURACIES.values()} <= known


def test_lines_are_the_values_given() -> None:
    for draw, scale in ((plots.gradient_norms, "log"), (plots.losses, "linear")):
        lines = {"plain": [3.0, 2.0, 0.5], "residual": [2.0, 1.0]}
        (axes,) = draw(lines).axes
        assert axes.get_yscale() == scale
        assert [list(line.get_ydata()) for line in axes.lines] == list(lines.values())
        assert list(axes.lines[0].get_xdata()) == [1, 2, 3]
        assert len({line.get_linestyle() for line in axes.lines}) == 2
        with pytest.raises(SizeError, match="5 lines"):
            draw({str(n): [1.0] for n in range(5)})
        with pytest.raises(SizeError, match="plain has no values"):
            draw({"plain": [np.nan]})


def test_guesses_stand_beside_their_pictures() -> None:
    figure = plots.guesses(PICTURES, FOUND)
    page, *squares = figure.axes
    assert len(squares) == len(PICTURES)
    widths = [p.get_width() for p in page.patches if isinstance(p, Rectangle)]
    wanted = [guess.probability for found in FOUND.values() for guess in found]
    assert np.array(widths) / max(widths) == pytest.approx(wanted)
    written = texts(figure)
    assert {"one", "two", "drilling platform", "75 %", "20 %", "< 1 %", "100 %"} <= set(written)
    for axes, values in zip(squares, PICTURES.values(), strict=True):
        shown = axes.images[0].get_array()
        assert max(shown.shape[:2]) <= 90
        scale = 255 if values.dtype == np.uint8 else 1
        assert shown.mean() == pytest.approx(values[:230, :230].mean() / scale, abs=0.02)


def test_guesses_need_a_picture_each() -> None:
    with pytest.raises(SizeError, match="give both"):
        plots.guesses({}, {})
    with pytest.raises(SizeError, match="give both"):
        plots.guesses(PICTURES, {"one": FOUND["one"]})
    with pytest.raises(SizeError, match="1 to 5"):
        plots.guesses({"one": PICTURES["one"]}, {"one": FOUND["one"] * 2})
    with pytest.raises(ShapeError, match="cannot be shown"):
        plots.guesses({"one": np.zeros((2, 2, 2, 2))}, {"one": FOUND["one"]})
