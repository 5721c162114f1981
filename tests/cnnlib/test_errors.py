"""Bad input: every row must give one of our errors, on one line, with the numbers and the mend.

A row is a call, the class that a caller may catch, and what the message must say.
"""

from __future__ import annotations

import importlib
import re
import tempfile
from pathlib import Path

import numpy as np
import pytest

import cnnlib
from cnnlib import algorithms, errors, filters, images, keras_bridge, padding, sizes
from cnnlib.errors import CnnError, DtypeError, MissingExtraError, ShapeError, SizeError
from cnnlib.layers.base import ArgumentError
from cnnlib.optimizers import OptionError
from cnnlib.torch_file import TorchFileError
from cnnlib.training import TrainingError
from cnnlib.weights import WeightsError

X = np.ones((1, 6, 6, 3), np.float32)  # an image
K = np.ones((3, 3, 3, 4), np.float32)  # four filters for it
ONES = np.ones
NAMES = {**vars(algorithms), "np": np, "X": X, "K": K, "ones": ONES, "sizes": sizes, "filters": filters}
NAMES |= {"images": images, "padding": padding, "bridge": keras_bridge}
NAMES |= {name: getattr(cnnlib, name) for name in cnnlib.__all__}

NAMES |= {name: importlib.import_module(f"cnnlib.{name}") for name in ("layers", "network", "functional")}
NAMES |= {name: importlib.import_module(f"cnnlib.{name}") for name in ("training", "weights", "torch_file")}
NAMES |= {name: importlib.import_module(f"cnnlib.{name}") for name in ("receptive_field", "upsampling")}
NAMES |= {name: importlib.import_module(f"cnnlib.{name}") for name in ("variants", "convolution", "pooling")}
NAMES["DIGITS"] = ONES((6, 4, 4, 1), np.float32)


def small(units=3, name="small"):
    """A network of one dense layer over 4×4 digits."""
    layer = NAMES["layers"]
    return NAMES["network"].Sequential(
        [NAMES["network"].Input((4, 4, 1)), layer.Flatten(), layer.Dense(units, activation="softmax")], name
    )


def saved(change=None, cut=None, units=3):
    """The weights of a small network in a file, after ``change`` and cut off at ``cut`` bytes."""
    path = Path(tempfile.mkdtemp()) / "weights.npz"
    model = small(units)
    if change:
        for weight in model.get_layer("dense").weights.values():
            weight[...] = change(weight)
    NAMES["weights"].save(model, path)
    if cut:
        path.write_bytes(path.read_bytes()[:cut])
    return path


NAMES |= {"__file__": __file__, "small": small, "saved": saved, "LABELS": np.array([0, 1, 2, 0, 1, 2])}

WHOLE = "must be a whole number of at least"
ROWS = [
    # convolution: ranks and channels
    ("conv(ones(6), ones(3))", ShapeError, "(6,) … (3,) … need (batch, *spatial, channels)"),
    ("conv(3, K)", ShapeError, "() … (3, 3, 3, 4)"),
    ("conv(X, ones((3, 3)))", ShapeError, "(1, 6, 6, 3) … (3, 3)"),
    ("conv(X, ones((3, 3, 3)))", ShapeError, "(*kernel_size, channels / groups, filters)"),
    ("conv(X, ones((3, 3, 2, 4)))", ShapeError, "3 channels … sees 2 … must have shape (3, 3, 3, 4)"),
    ("conv(X, K[..., :2, :])", ShapeError, "must have shape (3, 3, 3, 4)"),
    ("conv(X, ones((3, 0, 3, 4)))", ShapeError, "(3, 0, 3, 4) is empty … at least 1"),
    ("conv(X, ones((3, 3, 3, 0)))", ShapeError, "(3, 3, 3, 0) is empty"),
    ("conv(X[..., :0], ones((3, 3, 0, 4)))", ShapeError, "empty"),
    ("conv([[1, 2], [3]], K)", ShapeError, "inputs is ragged … equally long"),
    # groups
    ("conv(X, K, groups=2)", ShapeError, "3 channels cannot be split into 2 groups … divisors of 3"),
    ("conv(X, ones((3, 3, 1, 4)), groups=3)", ShapeError, "4 filters cannot be split into 3 groups"),
    ("conv(X, ones((3, 3, 3, 6)), groups=3)", ShapeError, "must have shape (3, 3, 1, 6)"),
    ("conv(X, K, groups=0)", SizeError, f"groups {WHOLE} 1, not 0"),
    ("conv(X, K, groups=True)", SizeError, "not True"),
    ("conv(X, K, groups=1.0)", SizeError, "not 1.0"),
    # strides and dilation
    ("conv(X, K, strides=0)", SizeError, f"strides {WHOLE} 1, not 0"),
    ("conv(X, K, strides=-1)", SizeError, "not -1"),
    ("conv(X, K, strides=1.5)", SizeError, "not 1.5"),
    ("conv(X, K, strides=2.0)", SizeError, "not 2.0"),
    ("conv(X, K, strides=True)", SizeError, "not True"),
    ("conv(X, K, strides=None)", SizeError, "not None"),
    ("conv(X, K, strides='2')", ShapeError, "1 values ('2',) for 2 axes"),
    ("conv(X, K, strides=(1, 2, 3))", ShapeError, "3 values (1, 2, 3) for 2 axes; give one number or 2"),
    ("conv(X, K, strides=np.array([1.0, 2.0]))", SizeError, "1.0"),
    ("conv(X, K, dilation_rate=0)", SizeError, f"dilation_rate {WHOLE} 1, not 0"),
    ("conv(X, K, dilation_rate=(1,))", ShapeError, "1 values (1,) for 2 axes"),
    ("conv(X, K, dilation_rate=3)", SizeError, "axis 0: kernel 3 spread over 7 by dilation 3 … input 6; pad"),
    # a kernel that does not fit
    (
        "conv(X[:, :2], K)",
        SizeError,
        "axis 0: kernel 3 does not fit into input 2; pad by at least 1 … at most 2",
    ),
    (
        "conv(X[:, :, :1], K)",
        SizeError,
        "axis 1: kernel 3 does not fit into input 1; pad by at least 1 … at most 1",
    ),
    (
        "conv(X[:, :0], K)",
        SizeError,
        "axis 0: kernel 3 does not fit into input 0; pad by at least 2 on each side",
    ),
    # padding
    ("conv(X, K, padding='sane')", SizeError, "'sane' is unknown; use one of valid, same, full, causal"),
    ("conv(X, K, padding=b'same')", ShapeError, "4 entries"),
    ("conv(X, K, padding=-1)", SizeError, f"padding {WHOLE} 0, not -1"),
    ("conv(X, K, padding=1.5)", SizeError, "not 1.5"),
    ("conv(X, K, padding=True)", SizeError, "not True"),
    ("conv(X, K, padding=None)", SizeError, "padding None is unknown; use one of valid, same"),
    ("conv(X, K, padding=())", ShapeError, "0 entries () for 2 axes … one mode, one number, or 2"),
    ("conv(X, K, padding=(1, 2, 3))", ShapeError, "3 entries (1, 2, 3) for 2 axes"),
    ("conv(X, K, padding=((1, 2, 3), 1))", ShapeError, "3 values (1, 2, 3) for 2 axes"),
    ("conv(X, K, padding=(None, 1))", SizeError, "padding None is unknown"),
    ("conv(X, K, pad_mode='mirror')", SizeError, "'mirror' is unknown … constant, edge, reflect, circular"),
    ("conv(X, K, padding=1, pad_value='a')", DtypeError, "one real number, not 'a'"),
    ("conv(X, K, padding=1, pad_value=1j)", DtypeError, "not 1j"),
    ("conv(X, K, padding=1, pad_value=None)", DtypeError, "not None"),
    ("conv(X, K, padding=1, pad_value=[1, 2])", DtypeError, "not [1, 2]"),
    # bias
    ("conv(X, K, bias=1.0)", ShapeError, "bias has shape (); 4 filters need (4,)"),
    ("conv(X, K, bias=ones(3))", ShapeError, "bias has shape (3,); 4 filters need (4,)"),
    ("conv(X, K, bias=ones((4, 1)))", ShapeError, "(4, 1)"),
    ("conv(X, K, bias=1j * ones(4))", DtypeError, "bias has dtype complex128"),
    # what is no real number
    ("conv(X * 1j, K)", DtypeError, "inputs has dtype complex64; convert it to float32 or float64"),
    ("conv(X, K * 1j)", DtypeError, "kernel has dtype complex64"),
    ("conv(X.astype(object), K)", DtypeError, "inputs has dtype object"),
    ("conv([['a']], K)", DtypeError, "inputs has dtype <U1"),
    ("conv(None, K)", DtypeError, "inputs has dtype object"),
    ("conv({}, K)", DtypeError, "inputs has dtype object"),
    ("conv(ones((1, 1, 1)).astype('datetime64[D]'), ones((1, 1, 1)))", DtypeError, "datetime64[D]"),
    # the way back
    ("conv_backward(X, X, K)", ShapeError, "gradient has shape (1, 6, 6, 3); … have (1, 4, 4, 4)"),
    ("conv_backward(ones((1, 4, 4, 4)), X, K, needs=['weights'])", ShapeError, "gradient of weights; choose"),
    ("conv_backward(ones((1, 4, 4, 4)), X, K, needs=None)", ShapeError, "gradient of None"),
    ("conv_backward(1j * ones((1, 4, 4, 4)), X, K)", DtypeError, "gradient has dtype complex128"),
    ("pooling.max_pool_backward(X, X, 2)", ShapeError, "(1, 6, 6, 3) … (1, 3, 3, 3)"),
    ("functional.dense_backward(ones((2, 3)), ones((2, 4)), ones((4, 5)))", ShapeError, "(2, 3) … (2, 5)"),
    ("functional.dense_backward(ones((2, 5)), ones((2, 4)), ones((4, 5)), needs=['x'])", ShapeError, "of x"),
    ("functional.relu_backward(ones(3), ones(4))", ShapeError, "(3,) … (4,)"),
    ("padding.pad_backward([[1], [2, 3]], [(1, 1)])", ShapeError, "gradient is ragged"),
    # variants
    ("depthwise_conv(X, ones((3, 3, 2, 1)))", ShapeError, "3 channels … for 2 … (3, 3, 3, 1)"),
    ("depthwise_conv(X, ones((3, 3)))", ShapeError, "(1, 6, 6, 3) … (3, 3)"),
    ("depthwise_conv(X, ones((7, 7, 3, 1)))", SizeError, "axis 0: kernel 7 does not fit into input 6"),
    ("separable_conv(X, ones((3, 3, 3, 2)), ones((1, 1, 3, 4)))", ShapeError, "6 channels … (1, 1, 3, 4)"),
    ("pointwise_conv(X, ones((4, 2)))", ShapeError, "3 channels"),
    ("channel_shuffle(X, 2)", ShapeError, "3 channels … 2 groups"),
    ("channel_shuffle([[1], [2, 3]], 1)", ShapeError, "inputs is ragged"),
    ("variants.factors(np.eye(3))", SizeError, "rank 3 … 3 pairs"),
    ("variants.low_rank(np.eye(3), 4)", SizeError, "rank 4 … at most 3"),
    ("variants.separable_rank([[1, float('nan')]])", SizeError, "1 value"),
    ("locally_connected(X, ones((2, 2, 3, 3, 3, 4)))", ShapeError, "(4, 4) places … (2, 2, 3, 3, 3, 4)"),
    # going up again
    ("conv_transpose(X, ones((3, 3, 4, 2)))", ShapeError, "3 channels"),
    ("conv_transpose(X, ones((3, 3, 4, 3)), strides=0)", SizeError, "not 0"),
    ("conv_transpose(X, ones((3, 3, 4, 3)), 2, output_padding=2)", SizeError, "output_padding 2 … stride 2"),
    ("conv_transpose(X[:, :1], ones((1, 3, 4, 3)), padding=1)", SizeError, "axis 0 … cuts off 1 + 1"),
    ("conv_transpose(X, ones((3, 3, 4, 3)), bias=ones(3))", ShapeError, "(3,) … (4,)"),
    ("upsampling.upsample_nearest(X, 0)", SizeError, f"{WHOLE} 1, not 0"),
    ("upsampling.upsample_bilinear(X, (2, 2, 2))", ShapeError, "3 values (2, 2, 2) for 2 axes"),
    ("upsampling.max_unpool(X, X, (1, 9, 9, 3))", DtypeError, "switches have dtype float32"),
    ("upsampling.max_unpool(X[:, :1], np.full((1, 1, 6, 3), 99), (1, 6, 6, 3))", SizeError, "99"),
    # between convolutions
    ("functional.dense(ones((2, 3)), ones((4, 5)))", ShapeError, "(2, 3) … (4, 5) … (3, units)"),
    ("functional.dropout(X, 1.0, np.random.default_rng())", SizeError, "below 1, not 1.0"),
    ("functional.dropout(X, 0.5, np.random.default_rng(), (2, 1, 1, 3))", ShapeError, "(2, 1, 1, 3)"),
    ("functional.softmax(X, axis=4)", ShapeError, "(1, 6, 6, 3) … axis 4"),
    ("functional.softmax(X, axis=1.5)", SizeError, "axis … not 1.5"),
    ("functional.activation('relo', X)", CnnError, "'relo' … relu, relu6"),
    ("functional.leaky_relu(X, 'steep')", SizeError, "negative_slope must be a number, not 'steep'"),
    ("functional.elu(X, float('inf'))", SizeError, "alpha must be a number, not inf"),
    ("functional.batch_normalization(X, ones(2), ones(3))", ShapeError, "mean has shape (2,) … (3,)"),
    ("functional.batch_normalization(X, ones(3), -ones(3))", SizeError, "variance -1.0 of channel 0"),
    ("functional.batch_normalization(X, ones(3), ones(3), epsilon=-1)", SizeError, "epsilon … not -1"),
    ("functional.batch_normalization_train(X[:0])", ShapeError, "(0, 6, 6, 3) have no mean"),
    ("functional.local_response_normalization(X, -1)", SizeError, f"depth_radius {WHOLE} 0, not -1"),
    ("functional.local_response_normalization(X, alpha=-1)", SizeError, "alpha … of at least 0, not -1"),
    ("functional.categorical_crossentropy(ones((2, 3)), ones((2, 4)))", ShapeError, "(2, 3) … (2, 4)"),
    ("functional.sparse_categorical_crossentropy([0, 3], ones((2, 3)))", SizeError, "label 3 … 3 classes"),
    ("functional.sparse_categorical_crossentropy([0.5, 1], ones((2, 3)))", DtypeError, "float64; labels"),
    ("functional.mean_squared_error([], [])", ShapeError, "(0,)"),
    # layers
    ("layers.Conv2D(0, 3)(X)", SizeError, f"filters {WHOLE} 1, not 0"),
    ("layers.Conv2D(4, 7)(X)", SizeError, "conv2d (Conv2D): axis 0: kernel 7 does not fit into input 6"),
    ("layers.Conv2D(4, 3, groups=2)(X)", ShapeError, "conv2d (Conv2D): 3 channels … 2 groups"),
    ("layers.Conv2D(4, 3, activation='relo')(X)", CnnError, "'relo'"),
    ("layers.Conv2D(4, 3, kernel_initializer='he')(X)", CnnError, "initializer 'he' is unknown … he_normal"),
    ("layers.Conv2D(4, 3, seed=-1)(X)", SizeError, f"seed {WHOLE} 0, not -1"),
    ("layers.Conv2D(4, 3, dtype='int8')(X)", DtypeError, "float32 or float64, not 'int8'"),
    ("layers.Conv1D(4, 3)(X)", ShapeError, "conv1d (Conv1D)"),
    ("layers.Conv2D(4, 3)(X * 1j)", DtypeError, "complex64"),
    ("layers.Dropout(1)(X)", SizeError, "rate must be a number of at least 0 and below 1, not 1"),
    ("layers.BatchNormalization(momentum='high')(X)", SizeError, "momentum … not 'high'"),
    ("layers.Add()([X, X[:, :3]])", ShapeError, "add (Add) … (1, 6, 6, 3)"),
    ("layers.Add()(X)", ShapeError, "add (Add)"),
    ("layers.Concatenate(axis=9)([X, X])", ShapeError, "axis 9"),
    ("layers.Flatten()(True)", ShapeError, "flatten (Flatten): inputs True are no batch"),
    ("layers.Reshape((5, -1))(X)", ShapeError, "reshape (Reshape)"),
    ("layers.Reshape(4)(X)", ShapeError, "target_shape must have one number for each axis"),
    ("layers.Permute((1, 1))", SizeError, "dims (1, 1)"),
    ("layers.Rescaling('half')(X)", DtypeError, "scale has dtype"),
    ("layers.Rescaling((1, 2))(X)", ShapeError, "scale has shape (2,); give one number or 3"),
    ("layers.ReLU(max_value='six')(X)", SizeError, "max_value … not 'six'"),
    ("layers.MaxPooling2D(7)(X)", SizeError, "kernel 7 does not fit into input 6"),
    ("layers.ChannelShuffle(2)(X)", ShapeError, "3 channels … 2 groups"),
    ("layers.Cropping2D(3)(X)", SizeError, "cropping2d (Cropping2D)"),
    # loop twins
    ("conv_loops(X, K, groups=None)", SizeError, f"groups {WHOLE} 1, not None"),
    ("conv_loops(X, K, strides=None)", SizeError, f"strides {WHOLE} 1, not None"),
    ("pool_loops(X, None)", SizeError, f"pool_size {WHOLE} 1, not None"),
    # layers, when they are made
    (
        "layers.Conv2D(4, kernel=3)",
        ArgumentError,
        "Conv2D has no argument 'kernel'; do you mean 'kernel_size'?",
    ),
    ("layers.MaxPooling2D(2, stride=2)", ArgumentError, "MaxPooling2D has no argument 'stride' … 'strides'"),
    ("layers.Conv2D(4)", ArgumentError, "Conv2D needs kernel_size; there are filters, kernel_size"),
    (
        "layers.Conv2D(4, 3, 1, 'same', 1)",
        ArgumentError,
        "Conv2D takes 4 … 5 were given; give the others by name",
    ),
    ("layers.Conv2D(4, 3, filters=4)", ArgumentError, "multiple values for argument 'filters'"),
    (
        "layers.Conv2D(4, 3, data_format='channels_first')",
        ArgumentError,
        "channels_first … np.moveaxis(images, 1",
    ),
    ("layers.Conv2D(4, 3, padding='sme')", SizeError, "padding 'sme' is unknown; use one of valid, same"),
    ("layers.Conv2D(4, 3, padding=(1, None))", SizeError, "padding None is unknown; use one of valid"),
    ("layers.Conv2D(4, 3, padding=-1)", SizeError, f"padding {WHOLE} 0, not -1"),
    ("layers.MaxPooling2D(2, padding='x')", SizeError, "padding 'x' is unknown"),
    ("layers.Conv2D(6, 3, groups=4)", ShapeError, "6 filters cannot be split into 4 groups"),
    ("layers.Conv2D(6, 3, pad_mode='mirror')", SizeError, "mode 'mirror' is unknown; use one of constant"),
    ("layers.Conv2D(6, 3, pad_value='0')", DtypeError, "padding value must be one real number"),
    ("layers.Dense(3, kernel_initializer='he')", CnnError, "initializer 'he' is unknown; use one of zeros"),
    ("layers.BatchNormalization(gamma_initializer=1)", CnnError, "initializer 1 is unknown"),
    # networks
    ("network.Input(5)", ShapeError, "not 5"),
    ("network.Input((0, 4))", SizeError, "0"),
    ("small()(ones((2, 5, 5, 1)))", ShapeError, "small … (2, 5, 5, 1)"),
    ("small().get_layer('conv')", CnnError, "'conv'"),
    ("small().get_layer()", CnnError, "a name or an index="),
    ("small().get_layer('dense', 1)", CnnError, "one of them"),
    ("small().get_layer(1)", CnnError, "index=1"),
    ("small().get_layer(index=2)", CnnError, "2 layers, from index 0 to 1; 2 is none"),
    (
        "small().set_weights([ones((16, 3)) * np.nan, ones(3)])",
        DtypeError,
        "dense (Dense): 48 of 48",
    ),
    ("small().set_weights([ones((16, 3)), [0, np.inf, 0]])", DtypeError, "1 of 3 numbers of bias … infinite"),
    ("small().set_weights([ones(3)])", ShapeError, "has 2 weights, but 1 were given"),
    ("small().predict(DIGITS, batch_size=0)", SizeError, f"batch_size {WHOLE} 1, not 0"),
    # learning
    ("training.fit(small(), DIGITS, LABELS[:5])", ShapeError, "6 … 5"),
    ("training.fit(small(), DIGITS, LABELS + 1, verbose=0)", SizeError, "label 3 is none of 3 classes"),
    ("training.fit(small(), DIGITS[:0], LABELS[:0])", ShapeError, "(0, 4, 4, 1)"),
    ("training.fit(small(), DIGITS, LABELS, epochs=0)", SizeError, f"epochs {WHOLE} 1, not 0"),
    (
        "training.fit(small(), DIGITS, LABELS, loss='hinge')",
        OptionError,
        "'hinge' … categorical_crossentropy",
    ),
    ("training.fit(small(), DIGITS, LABELS, optimizer='lion')", OptionError, "'lion' … adam"),
    ("training.fit(small(), DIGITS, LABELS, seed=-1)", SizeError, f"seed {WHOLE} 0, not -1"),
    ("training.fit(small(), DIGITS * np.nan, LABELS, verbose=0)", TrainingError, "NaN … 6 of 6 examples"),
    # files of weights
    ("weights.load(small(), 'nowhere.npz')", WeightsError, "nowhere.npz"),
    ("weights.load(small(), saved(cut=100))", WeightsError, "weights.npz"),
    ("weights.load(small(4), saved())", WeightsError, "(16, 3) … (16, 4)"),
    ("saved(lambda w: w * np.nan)", WeightsError, "dense: 48 of 48 numbers of kernel are NaN"),
    ("weights.load(small(), __file__)", WeightsError, "test_errors.py"),
    ("torch_file.read('nowhere.pth')", TorchFileError, "nowhere.pth"),
    ("torch_file.read(__file__)", TorchFileError, "test_errors.py"),
    # receptive fields
    ("receptive_field.receptive_field([receptive_field.Window(0)])", SizeError, "not 0"),
    ("receptive_field.receptive_field([3])", ShapeError, "3 is neither a Window"),
    ("receptive_field.receptive_field(small(), axis=2)", SizeError, "axis 2 is none of the 2 … 'small'"),
    (
        "receptive_field.receptive_fields([None])",
        ShapeError,
        "size of image; give spatial, such as [224, 224]",
    ),
    # images without their first or last axis
    (
        "small()(DIGITS[..., 0])",
        ShapeError,
        "not (6, 4, 4); give grey images an axis … images[..., np.newaxis]",
    ),
    ("small()(DIGITS[0])", ShapeError, "not (4, 4, 1); make one image a batch of one, by image[np.newaxis]"),
    ("receptive_field.layers_needed(0, 3)", SizeError, "not 0"),
    ("receptive_field.layers_needed(10, 1)", SizeError, "1"),
    # plain signals
    ("correlate([1, 2], [[1]])", ShapeError, "(2,) … (1, 1) … same number of axes"),
    ("correlate(3, 2)", ShapeError, "at least one"),
    ("correlate([1, 2], [1, 2, 3])", SizeError, "axis 0: kernel 3 does not fit into input 2"),
    ("correlate([1], [])", ShapeError, "empty"),
    ("correlate([1, 2, 3], [1], stride=0)", SizeError, "not 0"),
    ("correlate('abc', [1])", DtypeError, "signal has dtype <U3"),
    ("convolve([1, 2], 'ab')", DtypeError, "kernel has dtype <U2"),
    ("convolve([1, 2], None)", DtypeError, "kernel has dtype object"),
    ("convolve([], [1])", SizeError, "does not fit into input 0"),
    ("convolve([[1, 2], [3]], [1])", ShapeError, "signal is ragged"),
    # pooling
    ("max_pool(ones(5), 2)", ShapeError, "(5,) cannot be pooled; they need (batch, *spatial, channels)"),
    ("max_pool(X, 0)", SizeError, f"pool_size {WHOLE} 1, not 0"),
    ("max_pool(X, 2.0)", SizeError, "not 2.0"),
    ("max_pool(X, None)", SizeError, "not None"),
    ("max_pool(X, 7)", SizeError, "axis 0: kernel 7 does not fit into input 6"),
    ("max_pool(X, (2, 2, 2))", ShapeError, "pool_size has 3 values (2, 2, 2) for 2 axes"),
    ("max_pool(X, 2, strides=0)", SizeError, "not 0"),
    ("max_pool(X, 2, padding=2)", SizeError, "axis 0: padding (2, 2) leaves a window of 2 without any input"),
    ("max_pool(X, 2, padding=(0, 2))", SizeError, "axis 1: padding (2, 2)"),
    ("max_pool(X, 2, padding='SAM')", SizeError, "'SAM' is unknown"),
    ("max_pool(X * 1j, 2)", DtypeError, "complex64"),
    ("max_pool(X[:, :0], 2, padding='same')", SizeError, "nothing to pool"),
    ("average_pool(ones(5), 2)", ShapeError, "(5,)"),
    ("average_pool(X, 9)", SizeError, "kernel 9 does not fit into input 6"),
    ("average_pool(X[:, :0], 1, padding='same')", SizeError, "(0, 6) are empty"),
    ("average_pool(None, 2)", DtypeError, "object"),
    ("global_max_pool(ones((2, 3)))", ShapeError, "(2, 3) cannot be pooled"),
    ("global_max_pool(X[:, :0])", SizeError, "(0, 6) are empty"),
    ("global_average_pool(ones((2, 3)))", ShapeError, "(2, 3) cannot be pooled"),
    ("global_average_pool(X[:, :, :0])", SizeError, "(6, 0) are empty"),
    # the arithmetic
    ("output_size(3, 5)", SizeError, "kernel 5 does not fit into input 3; pad by at least 1 … at most 3"),
    ("output_size(0, 1)", SizeError, "kernel 1 does not fit into input 0; pad by at least 1 on each side"),
    ("output_size(-1, 1)", SizeError, f"input size {WHOLE} 0, not -1"),
    ("output_size(3.0, 1)", SizeError, "not 3.0"),
    ("output_size(True, 1)", SizeError, "not True"),
    ("output_size('3', 1)", SizeError, "not '3'"),
    ("output_size(float('nan'), 2)", SizeError, "not nan"),
    ("output_size(np.array([3, 4]), 2)", SizeError, "not array([3, 4])"),
    ("output_size(3, 0)", SizeError, f"kernel_size {WHOLE} 1, not 0"),
    ("output_size(3, 2, 0)", SizeError, f"stride {WHOLE} 1, not 0"),
    ("output_size(3, 2, 1, 'semi')", SizeError, "'semi' is unknown; use one of valid, same, full, causal"),
    ("output_size(3, 2, 1, -1)", SizeError, "not -1"),
    ("output_size(3, 2, 1, (1,))", ShapeError, "1 values (1,) for 2 axes"),
    ("output_size(3, 2, 1, (1, 'a'))", SizeError, "not 'a'"),
    ("output_size(3, 2, 1, 0, 0)", SizeError, f"dilation {WHOLE} 1, not 0"),
    ("padding_amounts(-5, 3)", SizeError, "not -5"),
    ("padding_amounts(5, 3, 1, 'some')", SizeError, "'some' is unknown"),
    ("output_shape(5, 3)", ShapeError, "input_shape must have one number for each axis"),
    ("output_shape(None, 3)", ShapeError, "not None"),
    ("output_shape('abcd', 3)", ShapeError, "not 'abcd'"),
    ("output_shape((32, 32), 3)", ShapeError, "(32, 32) has 2 axes; it needs (batch, "),
    ("output_shape((1, 32, 32, 3), (3, 3, 3))", ShapeError, "3 values (3, 3, 3) for 2 axes"),
    ("output_shape((1, 32, 32, 3), 3, filters=0)", SizeError, f"filters {WHOLE} 1, not 0"),
    ("output_shape((1, 32, 32, 3), 3, filters=2.5)", SizeError, "not 2.5"),
    ("output_shape((1, 32, 4, 3), 5)", SizeError, "axis 1: kernel 5 does not fit into input 4"),
    ("output_shape((-1, 32, 32, 3), 3)", SizeError, f"batch {WHOLE} 0, not -1"),
    ("output_shape((1, None, 32, 3), 3)", SizeError, "axis 0: input size … not None"),
    ("output_shape((1, 32, 32, '3'), 3)", SizeError, "channels … not '3'"),
    (
        "conv_weights(3, 4, 5)",
        ShapeError,
        "kernel_size must have one number for each axis, such as (3, 3), not 3",
    ),
    ("conv_weights((3,), 5, 4, 2)", ShapeError, "5 channels cannot be split into 2 groups … divisors of 5"),
    ("conv_weights((3,), 4, 5, 2)", ShapeError, "5 filters cannot be split into 2 groups"),
    ("conv_weights((3, 0), 4, 5)", SizeError, f"kernel_size {WHOLE} 1, not 0"),
    ("conv_weights((3, 3), 0, 5)", SizeError, f"channels {WHOLE} 1, not 0"),
    ("conv_parameters((3, 3), 3, 0)", SizeError, f"filters {WHOLE} 1, not 0"),
    ("conv_macs((1, 32, 3), (3, 3), 4)", ShapeError, "2 values (3, 3) for 1 axes"),
    ("conv_macs((1, 2, 1), 3, 4)", SizeError, "axis 0: kernel 3 does not fit into input 2"),
    ("conv_macs((1, 9, 3), 3, 4, groups=2)", ShapeError, "3 channels cannot be split into 2 groups"),
    ("sizes.dense_parameters(0, 5)", SizeError, f"inputs {WHOLE} 1, not 0"),
    ("sizes.dense_parameters(5, 1.5)", SizeError, f"units {WHOLE} 1, not 1.5"),
    # padding and windows
    ("pad(X, 1)", ShapeError, "amounts must have one number for each axis"),
    ("pad(X, [(1, 1)])", ShapeError, "1 pairs of padding for 2 spatial axes of shape (1, 6, 6, 3)"),
    ("pad(X, [(1, 1, 1), (0, 0)])", ShapeError, "3 values (1, 1, 1) for 2 axes"),
    ("pad(X, [(-1, 1), (0, 0)])", SizeError, "not -1"),
    ("pad(X, [(1, 1), (0, 0)], 'wrap')", SizeError, "'wrap' is unknown; use one of constant, edge"),
    ("pad(X[:, :0], [(1, 1), (0, 0)], 'edge')", SizeError, "(1, 0, 6, 3) has nothing to repeat … constant"),
    ("pad(ones((1, 4, 3), 'uint8'), [(1, 1)], value=-1)", DtypeError, "-1 is no whole number from 0 to 255"),
    ("pad(ones((1, 4, 3), 'uint8'), [(1, 1)], value=300)", DtypeError, "300 … uint8 … convert … float32"),
    (
        "pad(ones((1, 4, 3), 'int8'), [(1, 1)], value=0.5)",
        DtypeError,
        "0.5 is no whole number from -128 to 127",
    ),
    ("pad(ones((1, 4, 3), 'int8'), [(1, 1)], value=float('nan'))", DtypeError, "nan"),
    ("pad([1, 2], [(1, 1)])", ShapeError, "(2,)"),
    ("padding.amounts_for(6, 3)", ShapeError, "spatial must have one number for each axis"),
    ("sliding_windows([1, 2, 3], 2)", ShapeError, "(3,) has 1 axes"),
    ("sliding_windows(X, 7)", SizeError, "axis 0: kernel 7 does not fit into input 6"),
    ("sliding_windows(X, 2, 0)", SizeError, f"strides {WHOLE} 1, not 0"),
    # pictures, recordings and classic kernels
    ("photograph('dog')", SizeError, "no photograph 'dog'; there are astronaut, brick, camera, cat"),
    ("photograph(['cat'])", SizeError, "no photograph ['cat']"),
    ("recording('song')", SizeError, "no recording 'song'; there are heartbeat, sea_temperature"),
    ("recording(['heartbeat'])", SizeError, "no recording"),
    ("images.to_floats(X)", DtypeError, "dtype float32 … only uint8"),
    ("images.to_pixels('abc')", DtypeError, "<U3 … real numbers from 0 to 1"),
    ("images.to_pixels([1j])", DtypeError, "complex128"),
    ("images.to_pixels([0.5, float('nan')])", DtypeError, "1 of 2 values are NaN"),
    ("images.crop(X[0], 7, 6)", ShapeError, "cannot cut 7x6 out of a picture of 6x6; ask for at most 6x6"),
    ("images.crop(X[0], 0, 3)", SizeError, f"height {WHOLE} 1, not 0"),
    ("images.crop(X[0], 2, 2.5)", SizeError, "width … not 2.5"),
    ("images.crop(ones(3), 1, 1)", ShapeError, "(height, width, ...), but this has shape (3,)"),
    ("filters.identity(4)", SizeError, "size 4 has no middle; use an odd size such as 5"),
    ("filters.identity(-3)", SizeError, "not -3"),
    ("filters.box(0)", SizeError, f"size {WHOLE} 1, not 0"),
    ("filters.gaussian(4)", SizeError, "an odd size such as 5"),
    ("filters.gaussian(5, 0)", SizeError, "sigma must be above 0 pixels, not 0"),
    ("filters.gaussian(5, float('nan'))", SizeError, "not nan"),
    ("filters.gaussian(5, 'wide')", SizeError, "not 'wide'"),
    ("filters.sobel('up')", SizeError, "'up' are unknown; use one of vertical, horizontal, diagonal"),
    ("filters.sobel(['vertical'])", SizeError, "unknown"),
    ("filters.apply(ones(4), filters.box())", ShapeError, "(4,) … (3, 3) … need (height, width)"),
    ("filters.apply(ones((4, 4)), ones(3))", ShapeError, "(3,)"),
    ("filters.apply(ones((4, 4)), ones((5, 5)), 'valid')", SizeError, "kernel 5 does not fit into input 4"),
    (
        "filters.apply(ones((0, 4)), filters.box())",
        SizeError,
        "input 0 with padding 1 + 1; pad by at least 2",
    ),
    ("filters.apply('cat', filters.box())", DtypeError, "image has dtype <U3"),
    # the roads for teaching and the door to Keras
    ("toeplitz_matrix(np.array([1, 2]), 1)", SizeError, "kernel 2 does not fit into input 1"),
    ("correlate_loops(np.array([1]), np.array([1, 2]))", SizeError, "kernel 2 does not fit into input 1"),
    ("conv_loops(X, ones((7, 7, 3, 1)))", SizeError, "axis 0: kernel 7 does not fit into input 6"),
    ("pool_loops(X, 7)", SizeError, "axis 0: kernel 7 does not fit into input 6"),
    ("bridge.agree('min_pool', X, 2)", CnnError, "'min_pool' … max_pool … All are in PEERS"),
    ("bridge.max_pool(ones((1, 2, 2, 2, 2, 1)), 2)", ShapeError, "1D, 2D and 3D, but the input has 4"),
]


def test_there_are_many_rows_and_none_twice():
    calls = [call for call, *_ in ROWS]
    assert len(calls) >= 240
    assert len(set(calls)) == len(calls)


@pytest.mark.parametrize(
    ("call", "kind", "says"),
    [pytest.param(*row, id=row[0], marks=[pytest.mark.keras] * ("bridge." in row[0])) for row in ROWS],
)
def test_bad_input_is_answered_in_one_line(call, kind, says):
    with pytest.raises(CnnError) as caught:
        eval(call, dict(NAMES))
    message = str(caught.value)
    assert type(caught.value) is kind
    assert "\n" not in message
    assert 20 < len(message) < 260
    assert re.search(".*".join(re.escape(part.strip()) for part in says.split("…")), message), message


def test_callers_may_catch_python_s_own_classes():
    """A ValueError is a ValueError, whoever raised it: code that knows nothing of this library works."""
    assert issubclass(SizeError, ValueError)
    assert issubclass(ShapeError, ValueError)
    assert issubclass(DtypeError, TypeError)
    assert issubclass(MissingExtraError, ImportError)
    for kind in (SizeError, ShapeError, DtypeError, MissingExtraError, keras_bridge.DisagreementError):
        assert issubclass(kind, CnnError)


def test_every_class_is_tried():
    raised = {kind for _, kind, _ in ROWS}
    defined = {c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, CnnError)}
    assert defined - raised == {MissingExtraError}


@pytest.mark.parametrize(
    ("package", "call", "extra"),
    [("skimage", "photograph('coins')", "data"), ("pywt", "recording('heartbeat')", "data")],
)
def test_a_package_that_is_missing_is_named_with_its_extra(monkeypatch, package, call, extra):
    for name in (package, f"{package}.data"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    images._load.cache_clear()
    with pytest.raises(
        MissingExtraError, match=rf"is not installed; get it with: pip install 'cnnlib\[{extra}\]'"
    ):
        eval(call, dict(NAMES))
    images._load.cache_clear()
