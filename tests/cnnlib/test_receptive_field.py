"""Receptive fields against what outputs really depend on, found by touching one pixel after the other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cnnlib.convolution import conv
from cnnlib.errors import CnnError, ShapeError, SizeError
from cnnlib.receptive_field import (
    EVERYTHING,
    ReceptiveField,
    Step,
    Window,
    as_steps,
    input_range,
    inputs_seen,
    layers_needed,
    receptive_field,
    receptive_fields,
)
from cnnlib.upsampling import conv_transpose

# -- the truth: ones everywhere, and one pixel at a time -------------------------------------------------


def through(window, rows, pad_value=0.0):
    """One layer of ones over (pixels touched, inputs): what is above 0 depends on the pixel."""
    if window is None:
        return rows
    if window == EVERYTHING:
        return np.repeat(rows.sum(1, keepdims=True), rows.shape[1], 1)
    kernel = np.ones((window.kernel_size, 1, 1))
    inputs = rows[..., None]
    if window.transposed:
        out = conv_transpose(
            inputs, kernel, window.strides, window.padding, window.output_padding, window.dilation_rate
        )
    else:
        out = conv(inputs, kernel, window.strides, window.padding, window.dilation_rate, pad_value=pad_value)
    return np.minimum(out[..., 0], 1)


def truth(steps, size, pad_value=0.0, touched=None):
    """For every step the pixels (rows) that each of its outputs (columns) depends on."""
    start = np.eye(size) if touched is None else touched
    values = {}
    for step in steps:
        seen = [values[name] for name in step.inputs] or [start]
        values[step.name] = through(step.window, np.minimum(sum(seen), 1), pad_value)
    return values


def touches_padding(steps, size):
    """Which outputs of the last step depend on any padding: a black image, and white around every layer."""
    return truth(steps, size, pad_value=1.0, touched=np.zeros((1, size)))[steps[-1].name][0] > 0


PADDINGS = st.one_of(
    st.sampled_from(["valid", "same", "causal", "full"]),
    st.integers(0, 2),
    st.tuples(st.tuples(st.integers(0, 3), st.integers(0, 3))),
)
WINDOWS = st.builds(Window, st.integers(1, 4), st.integers(1, 3), PADDINGS, st.integers(1, 3))
UPWARDS = st.builds(
    Window,
    st.integers(1, 4),
    st.integers(1, 3),
    st.sampled_from(["valid", "same"]),
    st.integers(1, 2),
    st.just(True),
)
SIZES = st.integers(12, 30)


def fitting(windows, size):
    """The windows as steps, or no case at all where they do not fit."""
    steps = as_steps(windows)
    try:
        return steps, truth(steps, size)[steps[-1].name]
    except CnnError:
        assume(False)


@given(st.lists(WINDOWS, max_size=4), SIZES)
def test_inputs_seen_are_those_that_change_the_output(windows, size):
    _, depends = fitting(windows, size)
    assume(depends.shape[1] <= 80)
    for output in range(depends.shape[1]):
        seen = inputs_seen(windows, output, size)
        assert seen == tuple(np.flatnonzero(depends[:, output]))
        stretch = input_range(windows, output, size)
        assert set(seen) <= set(stretch)
        assert not seen or (stretch[0], stretch[-1]) == (seen[0], seen[-1])


@given(st.lists(st.one_of(WINDOWS, UPWARDS), max_size=4), SIZES)
def test_also_where_layers_enlarge_the_image(windows, size):
    _, depends = fitting(windows, size)
    assume(depends.shape[1] <= 120)
    for output in range(0, depends.shape[1], 2):
        assert inputs_seen(windows, output, size) == tuple(np.flatnonzero(depends[:, output]))


@given(st.lists(WINDOWS, max_size=4), SIZES)
def test_the_three_numbers_hold_wherever_no_padding_is_touched(windows, size):
    steps, depends = fitting(windows, size)
    field = receptive_field(windows, size)
    inside = np.flatnonzero(~touches_padding(steps, size))
    for output in inside:
        seen = np.flatnonzero(depends[:, output])
        assert seen[0] == output * field.stride + field.offset
        assert seen[-1] == seen[0] + field.size - 1


@given(st.lists(WINDOWS, min_size=1, max_size=4))
def test_size_and_stride_on_an_image_large_enough(windows):
    """Without padding every output is free of it: the formulas meet the truth at output 0 and 1."""
    free = [window._replace(padding="valid") for window in windows]
    field = receptive_field(free)
    size = field.size + field.stride
    depends = truth(as_steps(free), size)[len(free)]
    assert depends.shape[1] == 2
    for output in range(2):
        seen = np.flatnonzero(depends[:, output])
        assert (seen[0], seen[-1]) == (output * field.stride, output * field.stride + field.size - 1)
    assert field.offset == 0
    padded = receptive_field(windows)  # what is put around moves the view, and nothing else
    assert (padded.size, padded.stride) == (field.size, field.stride)
    assert padded.offset <= 0


@given(st.lists(WINDOWS, max_size=5))
def test_the_recursion_of_the_textbooks(windows):
    """Size and stride by the two lines that every account of receptive fields has."""
    size, stride, offset = 1, 1, 0
    for window in windows:
        size += (window.kernel_size - 1) * window.dilation_rate * stride
        offset -= stride
        stride *= window.strides
    all_padded = [window._replace(padding=((1, 0),)) for window in windows]
    assert receptive_field(all_padded) == ReceptiveField(size, stride, offset)


@given(st.lists(UPWARDS, min_size=1, max_size=2), st.lists(WINDOWS, max_size=2))
def test_behind_enlarging_layers_the_size_is_the_largest_and_the_mean_step_the_stride(upwards, windows):
    free = [window._replace(padding="valid") for window in [*upwards, *windows]]
    field, size = receptive_field(free), 60
    _, depends = fitting(free, size)
    period = int(np.prod([window.strides for window in upwards]))  # outputs, a multiple of the real one
    # Far enough from both ends no output misses a pixel that is not there.
    far = field.size + 8
    inside = [o for o in range(depends.shape[1]) if far <= o * field.stride <= size - 1 - 2 * far]
    assume(len(inside) >= 2 * period)
    seen = {o: np.flatnonzero(depends[:, o]) for o in inside}
    assert max(np.ptp(pixels) + 1 if len(pixels) else 0 for pixels in seen.values()) == field.size
    for here in inside[:-period]:
        np.testing.assert_array_equal(seen[here + period], seen[here] + period * field.stride)
    first = next(o for o in inside if o % period == 0)
    ahead = [pixels[0] for o, pixels in seen.items() if first <= o < first + period and len(pixels)]
    assert field.size == 0 or min(ahead) == first * field.stride + field.offset


# -- branches ---------------------------------------------------------------------------------------------


@st.composite
def branches(draw):
    """A stem, two branches that keep its size, a join, and a layer after it."""
    odd = st.builds(Window, st.sampled_from([1, 3, 5]), st.just(1), st.just("same"), st.integers(1, 2))
    stem = Step("stem", draw(WINDOWS), ("image",))
    steps, ends = [Step("image", None), stem], []
    for branch in "ab":
        below = "stem"
        for depth in range(draw(st.integers(0, 2))):
            steps.append(Step(f"{branch}{depth}", draw(odd), (below,)))
            below = f"{branch}{depth}"
        ends.append(below)
    steps.append(Step("join", None, tuple(ends)))
    steps.append(Step("last", draw(WINDOWS), ("join",)))
    return steps


@given(branches(), SIZES)
def test_branches_together_see_what_each_of_them_sees(steps, size):
    try:
        values = truth(steps, size)
    except CnnError:
        assume(False)
    assume(values["last"].shape[1] < 60)
    report = receptive_fields(steps, [size])
    assert report.misaligned == ()  # odd kernels at stride 1 look at the same place
    for step in steps:
        depends = values[step.name]
        for output in range(0, depends.shape[1], 3):
            seen = inputs_seen(steps, output, size, name=step.name)
            assert seen == tuple(np.flatnonzero(depends[:, output]))
    (field,) = report.fields["last"]
    for output in np.flatnonzero(~touches_padding(steps, size)):
        seen = np.flatnonzero(values["last"][:, output])
        assert (seen[0], seen[-1]) == (
            output * field.stride + field.offset,
            output * field.stride + field.offset + field.size - 1,
        )


@given(
    st.tuples(st.integers(1, 5), st.integers(1, 3)),
    st.tuples(st.integers(1, 5), st.integers(1, 3)),
    st.integers(1, 3),
    SIZES,
)
def test_misaligned_is_said_just_where_the_branches_differ(first, second, stride, size):
    """Two windows with `same` at one stride always meet in size; in place only where both pad alike."""
    a, b = (Window(kernel, stride, "same", dilation) for kernel, dilation in (first, second))
    steps = [Step("image", None), Step("a", a, ("image",)), Step("b", b, ("image",))]
    report = receptive_fields([*steps, Step("add", None, ("a", "b"))], [size])
    ((a,), (b,)) = report.fields["a"], report.fields["b"]
    depends = truth(steps, size)
    together = np.minimum(depends["a"] + depends["b"], 1)
    middle = together.shape[1] // 2
    if size > 25:  # far from the border the centres can be seen
        apart = {sum(np.flatnonzero(depends[name][:, middle])[[0, -1]]) for name in "ab"}
        assert bool(report.misaligned) == (len(apart) > 1)
    assert bool(report.misaligned) == (a.centre != b.centre)
    for said in report.misaligned:
        assert said.branches == {"a": (stride, a.centre), "b": (stride, b.centre)}
        assert str(said) == (
            "add, axis 0: its inputs look at different centres: "
            f"a (stride {stride}, centre {a.centre:g}), b (stride {stride}, centre {b.centre:g})"
        )
    (field,) = report.fields["add"]
    assert (field.stride, field.offset) == (stride, min(a.offset, b.offset))
    assert field.offset + field.size == max(a.offset + a.size, b.offset + b.size)


def test_nothing_is_known_behind_strides_at_odds_and_it_is_said_once():
    steps = [
        Step("image", None),
        Step("a", Window(2, 2), ("image",)),  # 4 -> 2
        Step("b", Window(3), ("image",)),  # 4 -> 2
        Step("add", None, ("a", "b")),
        Step("c", Window(2), ("add",)),
        Step("add_1", None, ("c", "c")),
    ]
    report = receptive_fields(steps, [4])
    assert [m.name for m in report.misaligned] == ["add"]
    assert report.fields["c"] == report.fields["add_1"] == (None,)
    assert str(report.misaligned[0]) == (
        "add, axis 0: its inputs move by different strides: a (stride 2, centre 0.5), b (stride 1, centre 1)"
    )
    assert inputs_seen(steps, 1, 4, name="add") == (1, 2, 3)  # one output is known all the same


def test_a_residual_block_that_halves_depends_on_the_size_of_the_image():
    """`same` pads an even size after its end alone: the 3×3 branch then looks one pixel further."""
    block = [
        Step("image", None),
        Step("conv", Window((3, 3), 2, "same"), ("image",)),
        Step("conv_1", Window(3, 1, "same"), ("conv",)),
        Step("shortcut", Window(1, 2, "same"), ("image",)),
        Step("add", None, ("conv_1", "shortcut")),
    ]
    assert receptive_fields(block, [9, 9]).misaligned == ()
    assert [m.axis for m in receptive_fields(block, [9, 8]).misaligned] == [1]
    padded = [s._replace(window=s.window._replace(padding=1)) if s.name == "conv" else s for s in block]
    assert receptive_fields(padded, [8, 8]).misaligned == ()  # as PyTorch and Keras' own ResNet pad


def test_inception_modules_stay_aligned_whatever_the_padding_of_the_stem():
    """GoogLeNet strides only where there is one road; its modules have odd kernels at stride 1."""
    steps = [Step("stem", Window(7, 2, "same")), Step("pool", Window(3, 2, "same"), ("stem",))]
    for name, kernel in (("1x1", 1), ("3x3", 3), ("5x5", 5), ("pool3", 3)):
        steps.append(Step(name, Window(kernel, 1, "same"), ("pool",)))
    steps.append(Step("concat", None, ("1x1", "3x3", "5x5", "pool3")))
    for size in (224, 225, 226, 227):
        report = receptive_fields(steps, [size])
        assert report.misaligned == ()
        assert report.fields["concat"] == report.fields["5x5"]


def test_unet_meets_its_skips_aligned():
    """Pooling and going up again by the same factor looks where the skip looks, on the mean."""
    steps = [
        Step("image", None),
        Step("c1", Window(3, 1, "same"), ("image",)),
        Step("down", Window(2, 2), ("c1",)),
        Step("c2", Window(3, 1, "same"), ("down",)),
        Step("up", Window(2, 2, transposed=True), ("c2",)),
        Step("concat", None, ("c1", "up")),
        Step("c3", Window(3, 1, "same"), ("concat",)),
    ]
    report = receptive_fields(steps, [32, 32])
    assert report.misaligned == ()
    assert report.fields["concat"][0].stride == 1
    _, depends = None, truth(steps, 32)["c3"]
    widest = max(np.ptp(np.flatnonzero(column)) + 1 for column in depends.T)
    assert report.fields["c3"][0].size == widest


# -- everything, and axes -----------------------------------------------------------------------------------


def test_dense_and_global_layers_see_the_whole_image():
    steps = [
        Step("image", None),
        Step("conv", Window(3, 1, "same"), ("image",)),
        Step("mean", EVERYTHING, ("conv",)),
        Step("gate", EVERYTHING, ("mean",)),
        Step("scale", None, ("conv", "gate")),  # squeeze and excite: a gate for every place
        Step("conv_1", Window(3, 2, "same"), ("scale",)),
    ]
    report = receptive_fields(steps, [10, None])
    assert report.misaligned == ()
    assert report.fields["conv"][0] == ReceptiveField(3, 1, -1)
    for name in ("mean", "gate", "scale", "conv_1"):
        assert report.fields[name] == (ReceptiveField(10, 0, 0), ReceptiveField(None, 0, 0))
    assert np.isnan(ReceptiveField(None, 0, 0).centre)
    for name in ("mean", "gate", "scale", "conv_1"):
        assert inputs_seen(steps, 0, 10, name=name) == tuple(range(10))
    assert inputs_seen(steps, 4, 10, name="conv") == (3, 4, 5)


def test_each_axis_has_its_own_numbers():
    windows = [Window((3, 5), (2, 1), ((0, 1), 2)), Window(2)]
    assert receptive_field(windows) == ReceptiveField(5, 2, 0)
    assert receptive_field(windows, axis=1) == ReceptiveField(6, 1, -2)
    assert input_range(windows, 0, size=9, axis=1) == range(4)
    with pytest.raises(SizeError, match="axis 2 is none of the 2 spatial axes"):
        receptive_field(windows, axis=2)


def test_layers_are_asked_for_their_window():
    class Layer:
        def window(self):
            return Window(3)

    assert receptive_field([Layer(), None, Layer()]) == ReceptiveField(5, 1, 0)


def test_a_stack_of_nothing_sees_its_pixel():
    assert receptive_field([]) == ReceptiveField(1, 1, 0)
    assert inputs_seen([], 3, 5) == (3,)


def test_an_output_of_padding_alone_sees_nothing():
    assert inputs_seen([Window(2, padding=3)], 0, 8) == ()
    assert input_range([Window(2, padding=3)], 0, 8) == range(0)


def test_cropping_is_a_window_of_one_turned_round():
    crop = Window(1, padding=((2, 1),), transposed=True)
    assert receptive_field([crop]) == ReceptiveField(1, 1, 2)
    assert [inputs_seen([crop], i, 6) for i in range(3)] == [(2,), (3,), (4,)]


@given(st.integers(1, 60), st.integers(2, 5), st.integers(1, 3), st.integers(1, 3))
def test_layers_needed_are_enough_and_no_more(size, kernel, stride, dilation):
    layers = layers_needed(size, kernel, stride, dilation)
    window = Window(kernel, stride, dilation_rate=dilation)
    assert receptive_field([window] * layers).size >= size
    assert layers == 0 or receptive_field([window] * (layers - 1)).size < size
    if stride == 1:
        assert layers == -(-(size - 1) // ((kernel - 1) * dilation))


# -- what goes wrong ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: receptive_field([Window(3), Window(5)], size=6), SizeError, "2, axis 0: kernel 5 does not"),
        (lambda: receptive_field([Window(0)]), SizeError, "kernel_size must be a whole number of at least 1"),
        (lambda: receptive_field([3]), ShapeError, "3 is neither a Window nor a layer"),
        (
            lambda: receptive_field(Window(3)),
            ShapeError,
            "a network is a list of steps, windows or layers, not",
        ),
        (lambda: receptive_field(3), ShapeError, "a network is a list of steps, windows or layers, not 3"),
        (lambda: receptive_field([np.ones((9, 9))]), ShapeError, "… is neither a Window nor a layer"),
        (lambda: receptive_field([], axis="x"), SizeError, "axis must be a whole number of at least 0"),
        (lambda: receptive_fields([Step("a", None)], 4), ShapeError, "spatial must have one number for each"),
        (lambda: receptive_field(["all"]), ShapeError, "has the window 'all'; use a Window, EVERYTHING or"),
        (
            lambda: receptive_fields([Step("a", None, ("b",)), Step("b", None)], [4]),
            ShapeError,
            "a reads b, which does not come before it",
        ),
        (
            lambda: receptive_fields(
                [Step("x", None), Step("a", Window(3), ("x",)), Step("add", None, ("x", "a"))], [8]
            ),
            ShapeError,
            "add, axis 0: x has 8, a has 6; branches that meet must be of the same size",
        ),
        (lambda: inputs_seen([Window(3)], 6, 8), SizeError, "1 has 6 outputs along axis 0, from 0 on; 6 is"),
        (lambda: inputs_seen([Window(3)], -1, 8), SizeError, "index must be a whole number of at least 0"),
        (
            lambda: inputs_seen([Window(3)], 0, 8, name="x"),
            ShapeError,
            "no step is called 'x'; there are 0, 1",
        ),
        (lambda: layers_needed(9, 1), SizeError, "never see more than 1 of 9 inputs; use a larger kernel"),
        (
            lambda: receptive_fields([Step("a", None), Step("a", None)], [4]),
            ShapeError,
            "two steps are called a",
        ),
    ],
)
def test_errors_name_the_layer_and_the_numbers(call, error, says):
    with pytest.raises(error) as caught:
        call()
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


# -- published networks ------------------------------------------------------------------------------


def steps_of_keras(model):
    """A Keras model as steps."""
    windows = {
        "Conv2D": lambda layer: Window(layer.kernel_size, layer.strides, layer.padding, layer.dilation_rate),
        "MaxPooling2D": lambda layer: Window(layer.pool_size, layer.strides, layer.padding),
        "ZeroPadding2D": lambda layer: Window(1, padding=layer.padding),
        "Dense": lambda layer: EVERYTHING,
    }
    windows |= {"DepthwiseConv2D": windows["Conv2D"], "AveragePooling2D": windows["MaxPooling2D"]}
    windows |= {"Flatten": windows["Dense"], "GlobalAveragePooling2D": windows["Dense"]}
    steps = []
    for layer in model.layers:
        kind = type(layer).__name__
        tensors = [] if kind == "InputLayer" else layer.input
        tensors = tensors if isinstance(tensors, list) else [tensors]
        names = tuple(tensor._keras_history.operation.name for tensor in tensors)
        steps.append(Step(layer.name, windows.get(kind, lambda layer: None)(layer), names))
    return steps


@pytest.mark.keras
@pytest.mark.parametrize(
    ("name", "size", "published"),
    [  # Araujo et al. (2019), their table of networks
        ("VGG16", 224, 212),
        ("VGG19", 224, 268),
        ("ResNet50", 224, 483),
        ("MobileNet", 224, 315),
        ("InceptionV3", 299, 1311),
    ],
)
def test_published_receptive_fields(name, size, published):
    import keras

    model = getattr(keras.applications, name)(weights=None, include_top=False, input_shape=(size, size, 3))
    steps = steps_of_keras(model)
    report = receptive_fields(steps, (size, size))
    for field in report.fields[steps[-1].name]:
        assert (field.size, field.stride) == (published, 32)
    assert report.misaligned == ()
    # The middle output looks at the middle of the image, to within half of a step.
    middle = model.output_shape[1] // 2
    assert abs(field.centre + middle * 32 - size / 2) <= 16
