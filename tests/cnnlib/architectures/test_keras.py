"""Every network against Keras: its own applications, twins written in Keras here, and ours taken across.

The twins of LeNet-5, AlexNet, GoogLeNet, ResNet-18, ShuffleNet and U-Net are written with Keras' functional
style alone, so that no line of ours takes part in them; the others go through
:func:`cnnlib.keras_bridge.models.to_keras`.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from cnnlib import architectures as zoo
from cnnlib.architectures.googlenet import MODULES
from cnnlib.architectures.lenet import TABLE, digit_codes
from cnnlib.images import photograph, resize
from cnnlib.keras_bridge.backend import keras, tensorflow
from cnnlib.keras_bridge.models import copy_weights, to_keras

#: Blocks for a SegNet of few weights.
SMALL = ((6, 2), (8, 2), (12, 3), (16, 1))

pytestmark = [pytest.mark.keras, pytest.mark.slow]


def randomise(model, seed: int = 1) -> None:
    """Random weights through which pictures stay different, all of them neither 0 nor 1.

    Kernels keep the scale of what goes through (He et al., 2015), and normalisations have the statistics of
    the test pictures. Without that all pictures look the same to a deep network, and nothing is compared.
    """
    random = np.random.default_rng(seed)
    model.initialize(seed=seed)
    norms = [layer for layer in model.layers if hasattr(layer, "momentum")]
    for layer in model.layers:
        for name, weight in layer.weights.items():
            if "kernel" in name:
                fan = math.prod(weight.shape[:-2] if "depthwise" in layer.name else weight.shape[:-1])
                weight[...] = random.normal(0, (2 / fan) ** 0.5, weight.shape)
            elif name in ("beta", "bias"):
                weight[...] = random.normal(0, 0.1, weight.shape)
            elif name in ("gamma", "coefficient"):
                weight[...] = weight * random.uniform(0.7, 1.3, weight.shape)
    for norm in norms:
        norm.momentum, norm.kept = 0.0, norm.momentum
    model.forward(images(model), training=True)
    for norm in norms:
        norm.momentum = norm.kept


def images(model) -> np.ndarray:
    """Two photographs in the size and channels that the network takes, from about -1 to 1."""
    *size, channels = model.input_shape[1:]
    pictures = [photograph(name, grey=channels == 1) for name in ("cat", "coffee")]
    batch = np.stack([resize(p / 127.5 - 1, *size).reshape(*size, channels) for p in pictures])
    return batch.astype(model.dtype)


def in_doubles(model):
    """Where two values are nearly equal, rounding decides which is the maximum, and switches jump."""
    model.astype("float64")
    return model


def compare(ours, theirs) -> None:
    """The same outputs, up to rounding in all layers."""
    x = images(ours)
    mine, keras_ = ours(x), theirs(x)
    if not isinstance(mine, list):
        mine, keras_ = [mine], [keras_]
    assert len(mine) == len(keras_)
    for a, b in zip(mine, map(np.asarray, keras_), strict=True):
        assert a.shape == b.shape
        allowed = 2000 * np.finfo(ours.dtype).eps * np.abs(b).max()
        # Random weights that say the same of every image would compare nothing.
        assert np.abs(b[0] - b[1]).max() > 30 * allowed
        assert np.abs(a - b).max() <= allowed


def same_weights(ours, theirs) -> None:
    """Copy by the names of the layers, which have to be the same on both sides."""
    mine = [layer for layer in ours.layers if layer.weight_shapes]
    peers = [layer for layer in theirs.layers if layer.weights]
    by_name = {layer.name: layer for layer in peers}
    assert {layer.name for layer in mine} == set(by_name)
    for layer in mine:
        by_name[layer.name].set_weights(layer.get_weights())
    assert ours.count_params() == theirs.count_params()


# -- keras.applications -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "peer", "size"),
    [
        ("vgg16", "VGG16", 32),
        ("vgg19", "VGG19", 32),
        ("resnet50", "ResNet50", 64),
        ("mobilenet", "MobileNet", 64),
        ("mobilenet", "MobileNet", 75),  # odd sizes, where Keras' padding differs from "same"
    ],
)
def test_networks_of_keras_applications(name, peer, size):
    options = {"input_shape": (size, size, 3), "classes": 7, "classifier_activation": None}
    ours = getattr(zoo, name)(**options)
    randomise(ours)
    theirs = getattr(keras().applications, peer)(weights=None, **options)
    assert ours.count_params() == theirs.count_params()
    same_weights(ours, theirs)
    compare(ours, theirs)


# -- twins in Keras' own words ---------------------------------------


def lenet5_modern_in_keras():
    k = keras().layers
    return keras().Sequential(
        [
            keras().Input((28, 28, 1)),
            k.Conv2D(6, 5, padding="same", activation="relu", name="C1"),
            k.MaxPooling2D(),
            k.Conv2D(16, 5, activation="relu", name="C3"),
            k.MaxPooling2D(),
            k.Flatten(),
            k.Dense(120, activation="relu", name="C5"),
            k.Dense(84, activation="relu", name="F6"),
            k.Dense(10, activation="softmax", name="output"),
        ]
    )


def conv_bn_in_keras(x, filters, size, strides, name, act="relu", padding="same", groups=1, epsilon=1e-3):
    k = keras().layers
    if isinstance(padding, int):
        x, padding = k.ZeroPadding2D(padding)(x), "valid"
    x = k.Conv2D(filters, size, strides, padding, groups=groups, use_bias=False, name=f"{name}_conv")(x)
    x = k.BatchNormalization(epsilon=epsilon, name=f"{name}_bn")(x)
    return k.Activation(act)(x) if act else x


def alexnet_in_keras(size, classes):
    k, tf = keras().layers, tensorflow()

    def towers(x, filters, size, name, padding="same"):
        """Two convolutions beside each other, as on the two cards."""
        halves = k.Lambda(lambda t: tf.split(t, 2, axis=-1))(x)
        made = [
            k.Conv2D(filters // 2, size, padding=padding, activation="relu", name=f"{name}_{i}")(half)
            for i, half in enumerate(halves)
        ]
        return k.Concatenate()(made)

    lrn = k.Lambda(lambda t: tf.nn.lrn(t, 2, 2.0, 1e-4, 0.75))
    image = keras().Input((size, size, 3))
    x = lrn(k.Conv2D(96, 11, 4, activation="relu", name="conv1")(image))
    x = lrn(towers(k.MaxPooling2D(3, 2)(x), 256, 5, "conv2"))
    x = k.Conv2D(384, 3, padding="same", activation="relu", name="conv3")(k.MaxPooling2D(3, 2)(x))
    x = towers(towers(x, 384, 3, "conv4"), 256, 3, "conv5")
    x = k.Flatten()(k.MaxPooling2D(3, 2)(x))
    x = k.Dense(4096, activation="relu", name="fc6")(x)
    x = k.Dense(4096, activation="relu", name="fc7")(x)
    return keras().Model(image, k.Dense(classes, name="fc8")(x))


def googlenet_in_keras(size, classes):
    k, tf = keras().layers, tensorflow()
    conv = lambda x, f, s, name, strides=1: k.Conv2D(  # noqa: E731
        f, s, strides, padding="same", activation="relu", name=name
    )(x)
    lrn = k.Lambda(lambda t: tf.nn.lrn(t, 2, 1.0, 1e-4 / 5, 0.75))
    pool = lambda x, strides=2: k.MaxPooling2D(3, strides, padding="same")(x)  # noqa: E731

    def side(x, name):
        x = conv(k.AveragePooling2D(5, 3)(x), 128, 1, f"{name}_conv")
        x = k.Dense(1024, activation="relu", name=f"{name}_fc")(k.Flatten()(x))
        return k.Dense(classes, name=f"{name}_predictions")(x)

    image = keras().Input((size, size, 3))
    x = lrn(pool(conv(image, 64, 7, "conv1", 2)))
    x = pool(lrn(conv(conv(x, 64, 1, "conv2_reduce"), 192, 3, "conv2")))
    sides = []
    for name, module in MODULES.items():
        if module is None:
            x = pool(x)
            continue
        n = f"inception_{name}"
        a = conv(x, module[0], 1, f"{n}_1x1")
        b = conv(conv(x, module[1], 1, f"{n}_3x3_reduce"), module[2], 3, f"{n}_3x3")
        c = conv(conv(x, module[3], 1, f"{n}_5x5_reduce"), module[4], 5, f"{n}_5x5")
        d = conv(pool(x, 1), module[5], 1, f"{n}_pool_proj")
        x = k.Concatenate()([a, b, c, d])
        if name in ("4a", "4d"):
            sides.append(side(x, f"auxiliary_{name}"))
    x = k.GlobalAveragePooling2D()(x)
    return keras().Model(image, [k.Dense(classes, name="predictions")(x), *sides])


def resnet18_in_keras(size, classes):
    k, eps = keras().layers, 1.001e-5
    image = keras().Input((size, size, 3))
    x = conv_bn_in_keras(image, 64, 7, 2, "conv1", padding=3, epsilon=eps)
    x = k.MaxPooling2D(3, 2)(k.ZeroPadding2D(1)(x))
    for stage, filters in enumerate((64, 128, 256, 512), start=2):
        for number in (1, 2):
            name, strides = f"conv{stage}_block{number}", 2 if number == 1 and stage > 2 else 1
            y = conv_bn_in_keras(x, filters, 3, strides, f"{name}_1", padding=1, epsilon=eps)
            y = conv_bn_in_keras(y, filters, 3, 1, f"{name}_2", None, padding=1, epsilon=eps)
            if strides == 2:
                x = conv_bn_in_keras(x, filters, 1, 2, f"{name}_0", None, "valid", epsilon=eps)
            x = k.ReLU()(k.Add()([x, y]))
    x = k.GlobalAveragePooling2D()(x)
    return keras().Model(image, k.Dense(classes, name="predictions")(x))


def shufflenet_in_keras(size, classes, groups, channels):
    k, ops = keras().layers, keras().ops

    def shuffle(x):
        """As in the paper: (groups, n) transposed and flattened back."""
        h, w, c = x.shape[1:]
        x = k.Reshape((h, w, groups, c // groups))(x)
        return k.Reshape((h, w, c))(k.Permute((1, 2, 4, 3))(x))

    image = keras().Input((size, size, 3))
    x = k.MaxPooling2D(3, 2, padding="same")(conv_bn_in_keras(image, 24, 3, 2, "conv1"))
    for stage, units in enumerate((4, 8, 4)):
        filters = channels * 2**stage
        for number in range(units):
            name, strides = f"stage{stage + 2}_{number + 1}", 2 if number == 0 else 1
            first = 1 if stage == number == 0 else groups
            made = filters - x.shape[-1] if strides == 2 else filters
            y = shuffle(conv_bn_in_keras(x, filters // 4, 1, 1, f"{name}_reduce", groups=first))
            y = k.DepthwiseConv2D(3, strides, padding="same", use_bias=False, name=f"{name}_depthwise_conv")(
                y
            )
            y = k.BatchNormalization(name=f"{name}_depthwise_bn")(y)
            y = conv_bn_in_keras(y, made, 1, 1, f"{name}_expand", None, groups=groups)
            if strides == 2:
                x = ops.relu(k.Concatenate()([k.AveragePooling2D(3, 2, padding="same")(x), y]))
            else:
                x = ops.relu(x + y)
    x = k.GlobalAveragePooling2D()(x)
    return keras().Model(image, k.Dense(classes, name="predictions")(x))


def unet_in_keras(size, filters, classes):
    k = keras().layers
    double = lambda x, f, name: k.Conv2D(f, 3, activation="relu", name=f"{name}_conv2")(  # noqa: E731
        k.Conv2D(f, 3, activation="relu", name=f"{name}_conv1")(x)
    )
    image = x = keras().Input((size, size, 1))
    skipped = []
    for level in (1, 2, 3, 4):
        x = double(x, filters * 2 ** (level - 1), f"down{level}")
        skipped.append(x)
        x = k.MaxPooling2D()(x)
    x = double(x, filters * 16, "bottom")
    for level in (4, 3, 2, 1):
        width, y = filters * 2 ** (level - 1), skipped.pop()
        x = k.Conv2DTranspose(width, 2, 2, name=f"up{level}_conv_transpose")(x)
        x = double(k.Concatenate()([k.CenterCrop(*x.shape[1:3])(y), x]), width, f"up{level}")
    return keras().Model(image, k.Conv2D(classes, 1, name="predictions")(x))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (zoo.lenet5_modern, lenet5_modern_in_keras),
        (
            lambda: zoo.googlenet((128, 128, 3), 7, auxiliary=True, classifier_activation=None),
            lambda: googlenet_in_keras(128, 7),
        ),
        (lambda: zoo.resnet18((64, 64, 3), 7, None), lambda: resnet18_in_keras(64, 7)),
        (
            lambda: zoo.shufflenet((64, 64, 3), 7, classifier_activation=None),
            lambda: shufflenet_in_keras(64, 7, 3, 240),
        ),
        (
            lambda: zoo.shufflenet((64, 64, 3), 7, groups=8, classifier_activation=None),
            lambda: shufflenet_in_keras(64, 7, 8, 384),
        ),
        (
            lambda: zoo.unet((188, 188, 1), 3, filters=4, classifier_activation=None),
            lambda: unet_in_keras(188, 4, 3),
        ),
    ],
    ids=["lenet5_modern", "googlenet", "resnet18", "shufflenet-3", "shufflenet-8", "unet"],
)
def test_twins_written_in_keras(ours, theirs):
    mine, peer = ours(), theirs()
    randomise(mine)
    same_weights(mine, peer)
    compare(mine, peer)


def test_googlenet_has_as_many_parameters_as_its_twin():
    assert googlenet_in_keras(224, 1000).count_params() == zoo.googlenet(auxiliary=True).count_params()


def test_alexnet_on_two_cards():
    """Groups are two towers: each half of a kernel belongs to a convolution of its own."""
    ours, theirs = zoo.alexnet((131, 131, 3), 7, classifier_activation=None), alexnet_in_keras(131, 7)
    randomise(ours)
    for layer in ours.layers:
        if not layer.weight_shapes:
            continue
        kernel, bias = layer.get_weights()
        if layer.name in ("conv2", "conv4", "conv5"):
            for i, (k, b) in enumerate(zip(np.split(kernel, 2, axis=-1), np.split(bias, 2), strict=True)):
                theirs.get_layer(f"{layer.name}_{i}").set_weights([k, b])
        else:
            theirs.get_layer(layer.name).set_weights([kernel, bias])
    assert ours.count_params() == theirs.count_params()
    compare(ours, theirs)


def test_lenet5_of_1998():
    """A full convolution with a mask for C3, sums of four for the subsampling, distances at the end."""
    ours = zoo.lenet5()
    randomise(ours)
    weights = {layer.name: layer.weights for layer in ours.layers if layer.weight_shapes}
    tf = tensorflow()
    squash = lambda t: 1.7159 * tf.tanh(2 / 3 * t)  # noqa: E731

    def subsample(t, name):
        sums = 4 * tf.nn.avg_pool2d(t, 2, 2, "VALID")
        return squash(sums * weights[name]["coefficient"] + weights[name]["bias"])

    def conv(t, kernel, name):
        return squash(tf.nn.conv2d(t, kernel, 1, "VALID") + weights[name]["bias"])

    masked, place = np.zeros((5, 5, 6, 16), np.float32), 0
    for filter_, seen in enumerate(TABLE):
        for channel in seen:
            masked[:, :, channel, filter_] = weights["C3"]["kernel"][:, :, place]
            place += 1
    x = images(ours)
    t = subsample(conv(x, weights["C1"]["kernel"], "C1"), "S2")
    t = subsample(conv(t, masked, "C3"), "S4")
    t = tf.reshape(conv(t, weights["C5"]["kernel"], "C5"), (-1, 120))
    t = squash(t @ weights["F6"]["kernel"] + weights["F6"]["bias"])
    t = tf.reduce_sum((t[:, :, None] - digit_codes()) ** 2, axis=1)
    assert np.abs(ours(x) - t.numpy()).max() <= 1e-5 * np.abs(t).max()


# -- ours taken across -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: zoo.lenet5(scores=True),
        lambda: zoo.alexnet((67, 67, 3), 7, towers=1, classifier_activation=None),
        lambda: zoo.zfnet((96, 96, 3), 7, (48, 24, 12), classifier_activation=None),
        lambda: zoo.vgg11((32, 32, 3), 7, classifier_activation=None),
        lambda: zoo.nin(classifier_activation=None),
        lambda: zoo.resnet34((64, 64, 3), 7, None),
        lambda: in_doubles(zoo.segnet((64, 96, 3), 5, SMALL)),
        lambda: in_doubles(zoo.segnet((50, 33, 3), 5, SMALL)),
        lambda: zoo.unet((32, 48, 3), 3, padding="same", filters=4),
    ],
    ids=["lenet5", "alexnet", "zfnet", "vgg11", "nin", "resnet34", "segnet", "segnet-odd", "unet"],
)
def test_networks_taken_to_keras(make):
    ours = make()
    randomise(ours)
    theirs = to_keras(ours)
    assert ours.count_params() == theirs.count_params()
    compare(ours, theirs)


@pytest.mark.parametrize("training", [False, True], ids=["in use", "in training"])
@pytest.mark.parametrize(
    "make",
    [
        zoo.lenet5,
        lambda: zoo.resnet18((48, 48, 3), 7),
        lambda: zoo.segnet((32, 32, 3), 5, SMALL),
        lambda: zoo.unet((32, 48, 3), 3, padding="same", filters=4, dropout=0),
        lambda: zoo.efficientnet_lite0(None, (64, 64, 3), 7, dropout=0),
    ],
    ids=["lenet5", "resnet18", "segnet", "unet", "efficientnet"],
)
def test_gradients_all_the_way_back(make, training):
    """Of the inputs and of every weight, in doubles, against TensorFlow's tape."""
    ours = in_doubles(make())
    randomise(ours)
    theirs = to_keras(ours)
    x = images(ours)
    outputs, tape = ours.forward(x, training=training)
    slopes = np.random.default_rng(3).normal(size=outputs.shape)
    of_inputs, of_weights = ours.backward(slopes, tape, needs_inputs=True)
    tf = tensorflow()
    with tf.GradientTape() as peer:
        fed = tf.constant(x)
        peer.watch(fed)
        loss = tf.reduce_sum(theirs(fed, training=training) * slopes)
    wanted, *weights = peer.gradient(loss, [fed, *theirs.trainable_weights])
    mine = [slope for layer in ours.layers for slope in of_weights.get(layer.name, {}).values()]
    assert len(mine) == len(weights) > 4
    for a, b in zip(_by_size([of_inputs, *mine]), _by_size([wanted, *weights]), strict=True):
        assert a.shape == b.shape
        assert np.abs(a - b).max() <= 1e-7 * max(np.abs(b).max(), 1e-3)


def _by_size(arrays):
    """In an order that does not depend on that of the layers, which Keras sorts by depth."""
    return sorted(map(np.asarray, arrays), key=lambda a: (a.shape, float(np.abs(a).sum().round(6))))


def test_weights_that_differ_are_noticed():
    """The comparison itself: one weight changed a little is a failure."""
    ours = zoo.lenet5_modern()
    randomise(ours)
    theirs = to_keras(ours)
    compare(ours, theirs)
    ours.get_layer("C3").weights["kernel"][2, 2, 1, 3] += 0.05
    with pytest.raises(AssertionError):
        compare(ours, theirs)
    copy_weights(ours, theirs)
    compare(ours, theirs)
