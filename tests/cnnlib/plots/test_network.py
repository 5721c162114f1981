"""Drawings of networks: everything is in them, to scale, readable, and nothing covers anything."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle
from matplotlib.text import Text

from cnnlib.errors import CnnError, SizeError
from cnnlib.layers import (
    Activation,
    Add,
    AveragePooling2D,
    BatchNormalization,
    ChannelShuffle,
    Concatenate,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Cropping2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    MaxPooling2D,
    MaxPoolingWithSwitches2D,
    MaxUnpooling2D,
    ReLU,
)
from cnnlib.network import Input, Model, Sequential
from cnnlib.plots import network
from cnnlib.plots.network import boxes, draw, side_by_side
from cnnlib.plots.style import WIDTH


def lenet() -> Sequential:
    return Sequential(
        [
            Input((28, 28, 1)),
            Conv2D(6, 5, padding="same", activation="tanh"),
            AveragePooling2D(),
            Conv2D(16, 5),
            BatchNormalization(),
            ReLU(),
            MaxPooling2D(3, 2),
            Flatten(),
            Dense(120),
            Dropout(0.5),
            Dense(10, activation="softmax"),
        ]
    )


def deep() -> Sequential:
    layers = [Input((224, 224, 3))]
    for filters, depth in ((64, 2), (128, 2), (512, 3), (512, 4)):
        layers += [*(Conv2D(filters, 3, padding="same") for _ in range(depth)), MaxPooling2D()]
    return Sequential([*layers, Flatten(), Dense(4096), Dense(1000)])


def inception() -> Model:
    image = Input((28, 28, 192))
    ways = [
        Conv2D(64, 1)(image),
        Conv2D(128, 3, padding="same")(Conv2D(96, 1)(image)),
        Conv2D(32, 5, padding="same")(Conv2D(16, 1)(image)),
        Conv2D(32, 1)(MaxPooling2D(3, 1, "same")(image)),
    ]
    return Model(image, Concatenate()(ways))


def nested() -> Model:
    """A branch that parts again, beside others that go on."""
    image = Input((8, 8, 32))
    one = Conv2D(8, 1)(image)
    two = Conv2D(8, 1)(Conv2D(8, 1)(Conv2D(8, 1)(image)))
    three = Conv2D(8, 3, padding="same")(image)
    parts = [Conv2D(8, (1, 3), padding="same")(three), Conv2D(8, (3, 1), padding="same")(three)]
    return Model(image, Concatenate()([one, two, *parts, three]))


def residual(blocks=2, preactivated=False) -> Model:
    image = x = Input((16, 16, 8))
    for _ in range(blocks):
        before = x
        if preactivated:
            x = ReLU()(BatchNormalization()(x))
        x = Conv2D(8, 3, padding="same")(x)
        x = ReLU()(BatchNormalization()(x))
        x = ChannelShuffle(2)(Conv2D(8, 3, padding="same", groups=2)(x))
        x = Add()([x, before])
        x = x if preactivated else ReLU()(x)
    return Model(image, Dense(3)(GlobalAveragePooling2D()(x)))


def letter_u(depth=3) -> Model:
    image = x = Input((64, 64, 1))
    skips = []
    for level in range(depth):
        x = Conv2D(4 * 2**level, 3, padding="same", activation="relu")(x)
        skips.append(x)
        x = MaxPooling2D()(x)
    x = Conv2D(4 * 2**depth, 3, padding="same")(x)
    for level in reversed(range(depth)):
        x = Conv2DTranspose(4 * 2**level, 2, strides=2)(x)
        x = Concatenate()([skips[level], x])
        x = Conv2D(4 * 2**level, 3, padding="same")(x)
    return Model(image, Conv2D(2, 1)(x))


def switched() -> Model:
    image = Input((32, 32, 3))
    one, first = MaxPoolingWithSwitches2D()(Conv2D(4, 3, padding="same")(image))
    two, second = MaxPoolingWithSwitches2D()(Conv2D(4, 3, padding="same")(one))
    x = Conv2D(4, 3, padding="same")(MaxUnpooling2D()([two, second]))
    return Model(image, Conv2D(2, 3, padding="same")(MaxUnpooling2D()([x, first])))


def several() -> Model:
    """Two inputs and two outputs."""
    left, right = Input((8, 8, 2)), Input((8, 8, 2))
    shared = Conv2D(4, 3)
    both = Add()([shared(left), shared(right)])
    return Model([left, right], [Dense(3)(Flatten()(both)), Conv2D(1, 1)(both)])


MODELS = {
    "lenet": lenet,
    "deep": deep,
    "inception": inception,
    "nested": nested,
    "residual": residual,
    "preactivated": lambda: residual(preactivated=True),
    "u": letter_u,
    "switches": switched,
    "several": several,
    "row": lambda: Sequential([Input((50, 2)), Conv1D(8, 5, strides=2), Conv1D(4, 3), Flatten(), Dense(2)]),
    "volume": lambda: Sequential([Input((8, 8, 8, 1)), Conv3D(4, 3), Flatten(), Dense(2)]),
    "dense": lambda: Sequential([Input((20,)), Dense(8, activation="relu"), Dense(2)]),
    "one": lambda: Sequential([Input((8, 8, 3)), Conv2D(4, 3)]),
    "open": lambda: Sequential([Input((None, None, 3)), Conv2D(4, 3), GlobalAveragePooling2D()]),
}
BLOCKS = {"as in the paper": lambda: residual(1), "turned round": lambda: residual(1, preactivated=True)}


@functools.cache
def drawing(name: str) -> Figure:
    """Each drawing is made once for all questions."""
    blocks = {title: make() for title, make in BLOCKS.items()}
    figure = side_by_side(blocks) if name == "blocks" else draw(MODELS[name]())
    figure.draw_without_rendering()
    return figure


every_model = pytest.mark.parametrize("name", MODELS)
every_drawing = pytest.mark.parametrize("name", [*MODELS, "blocks"])


def rectangles(figure: Figure) -> list[FancyBboxPatch]:
    return [patch for patch in figure.axes[0].patches if isinstance(patch, FancyBboxPatch)]


@every_drawing
def test_drawings_fit_the_page_and_can_be_read_on_a_phone(name):
    figure = drawing(name)
    assert isinstance(figure, Figure)
    assert figure.get_figwidth() <= WIDTH + 1e-9
    found = [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]
    assert min(text.get_fontsize() for text in found) >= 10
    page = figure.bbox.padded(1)
    for text in found:
        extent = text.get_window_extent()
        assert page.x0 <= extent.x0
        assert extent.x1 <= page.x1
        assert page.y0 <= extent.y0
        assert extent.y1 <= page.y1, text.get_text()
    extents = {text: text.get_window_extent() for text in found}
    for one, two in itertools.combinations(found, 2):
        a, b = extents[one], extents[two]
        overlap = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert min(overlap) <= 1, (one.get_text(), two.get_text())


@every_drawing
def test_boxes_hold_their_text_and_cover_nothing(name):
    figure = drawing(name)
    extents = [patch.get_window_extent() for patch in rectangles(figure)]
    for one, two in itertools.combinations(extents, 2):
        assert not (
            min(one.x1, two.x1) - max(one.x0, two.x0) > 1 and min(one.y1, two.y1) - max(one.y0, two.y0) > 1
        )
    for text in figure.axes[0].texts:
        extent = text.get_window_extent()
        around = [
            box
            for box in extents
            if box.x0 - 1 <= extent.x0
            and extent.x1 <= box.x1 + 1
            and box.y0 - 1 <= extent.y0
            and extent.y1 <= box.y1 + 1
        ]
        title = text.get_text() in BLOCKS
        assert len(around) == (0 if title else 1) or not extents, text.get_text()


@every_model
def test_every_layer_that_does_something_is_in_it(name):
    model = MODELS[name]()
    steps = boxes(model)
    quiet = (BatchNormalization, ReLU, Dropout, Flatten, Activation)
    loud = [call for call in model.calls if not isinstance(call.layer, quiet)]
    apart = [box for box in steps if box.words in ("BN", "BatchNormalization", "ReLU")]
    assert len(steps) == len(model.inputs) + len(loud) + len(apart)
    written = "\n".join(text.get_text() for text in drawing(name).axes[0].texts)
    for box in steps:
        assert written.count(box.size) >= 1
        assert box.words.split()[0] in written


def test_what_follows_quietly_stands_with_its_layer():
    steps = boxes(lenet())
    assert [box.words for box in steps] == [
        "input",
        "conv 5×5",
        "mean pool 2×2",
        "conv 5×5",
        "max pool 3×3 /2",
        "dense",
        "dense",
    ]
    assert [box.notes for box in steps] == [[], ["tanh"], [], ["BN", "ReLU"], [], ["dropout"], ["softmax"]]
    assert boxes(residual(1))[2].notes == ["2 groups"]
    # Normalisation that a skip goes round is a step of its own.
    names = [box.words for box in boxes(residual(2, preactivated=True))]
    assert names.count("BN") == 2


def test_arrows_are_the_edges():
    for make in (inception, nested, residual, several):
        model = make()
        figure = draw(model)
        arrows = [patch for patch in figure.axes[0].patches if isinstance(patch, FancyArrowPatch)]
        assert len(arrows) == sum(len(box.inputs) for box in boxes(model))


def test_arrows_go_round_the_boxes():
    """The middle of every stretch of an arrow lies outside all boxes."""
    for make in (inception, nested, residual, several, lambda: residual(3, preactivated=True)):
        figure = draw(make())
        figure.draw_without_rendering()
        extents = [patch.get_window_extent().padded(-2) for patch in rectangles(figure)]
        transform = figure.axes[0].transData
        for patch in figure.axes[0].patches:
            if isinstance(patch, FancyArrowPatch):
                points = transform.transform(
                    patch._path_original.interpolated(1).to_polygons(closed_only=False)[0]
                )
                for x, y in points:
                    assert not any(box.contains(x, y) for box in extents)


def test_volumes_are_to_scale():
    """The front of every slab is as high as its map, and as wide as its channels, on two scales."""
    figure = draw(deep())
    faces = [patch for patch in figure.axes[0].patches if isinstance(patch, Polygon)]
    fronts = [np.ptp(face.get_xy(), axis=0) for face in faces[::3]]  # front, side, lid
    steps = [box for box in boxes(deep()) if len(box.shape) == 4]
    assert len(fronts) == len(steps)
    pixels = {round(height / box.shape[1], 9) for (_, height), box in zip(fronts, steps, strict=True)}
    channels = {
        round(width / box.shape[-1], 9)
        for (width, _), box in zip(fronts, steps, strict=True)
        if width > network.THINNEST * 1.01
    }
    assert len(pixels) == len(channels) == 1
    bars = [p for p in figure.axes[0].patches if isinstance(p, Rectangle) and p.get_height() == 0.1]
    assert bars[0].get_width() / 4096 == pytest.approx(channels.pop())
    ratio = pixels.pop() / (bars[0].get_width() / 4096)
    assert f"{ratio:.1f} channels" in figure.axes[0].texts[-1].get_text()


def test_columns_are_straight():
    """Branches stand side by side; what follows without branching stands below."""
    figure = draw(inception())
    centres = sorted({round(box.get_x() + box.get_width() / 2, 6) for box in rectangles(figure)})
    assert len(centres) == 5  # four branches, and input and concatenation in the middle
    assert centres[2] == pytest.approx(figure.get_figwidth() / 2, abs=0.01)
    figure = draw(residual(3))
    assert len({round(box.get_x(), 6) for box in rectangles(figure)}) == 1


def test_a_u_has_a_row_for_every_size():
    figure = draw(letter_u(3))
    stages = rectangles(figure)
    assert len(stages) == 7  # three on each side, and one below
    rows = {round(box.get_y() + box.get_height() / 2, 6) for box in stages}
    assert len(rows) == 4
    arrows = [patch for patch in figure.axes[0].patches if isinstance(patch, FancyArrowPatch)]
    assert len(arrows) == 3 + 3 + 3
    assert len(rectangles(draw(switched()))) == 5


def test_a_u_crops_on_the_way_up_what_the_way_down_keeps():
    image = Input((16, 16, 1))
    seen = Conv2D(2, 3)(image)
    back = Conv2DTranspose(2, 2, strides=2)(Conv2D(4, 3)(MaxPooling2D()(seen)))
    network = Model(image, Concatenate()([Cropping2D(2)(seen), back]))
    texts = {text.get_text(): text.get_position()[0] for text in draw(network).axes[0].texts}
    (down,) = (x for text, x in texts.items() if "conv 3×3  14×14×2" in text)
    (up,) = (x for text, x in texts.items() if "crop  10×10×2" in text)
    assert down < up


def test_blocks_stand_beside_one_another_whole():
    figure = drawing("blocks")
    drawn = [draw(make()) for make in BLOCKS.values()]
    assert len(rectangles(figure)) == sum(len(rectangles(alone)) for alone in drawn)
    arrows = [patch for patch in figure.axes[0].patches if isinstance(patch, FancyArrowPatch)]
    assert len(arrows) == sum(len(box.inputs) for make in BLOCKS.values() for box in boxes(make()))
    titles = [text.get_text() for text in figure.axes[0].texts if text.get_weight() == "bold"]
    assert titles == list(BLOCKS)


def test_what_cannot_be_drawn_says_so():
    with pytest.raises(SizeError, match="there is no network to draw"):
        side_by_side({})
    with pytest.raises(SizeError, match="3 networks beside one another are too many"):
        side_by_side({str(number): inception() for number in range(3)})
    with pytest.raises(CnnError, match="begin the list with Input"):
        draw(Sequential([Dense(3)]))
