"""Parameters, operations, connections and receptive fields of every network, without making a weight."""

from __future__ import annotations

import itertools
import tracemalloc

import pytest

from cnnlib import architectures
from cnnlib.architectures import googlenet, lenet5, segnet, unet, vgg16

# Published by others: the paper for LeNet-5; Caffe's, Torch's, Google's and Keras' own models for AlexNet
# (grouped and not), ZFNet, VGG, GoogLeNet, ResNet, MobileNet, EfficientNet-Lite; imgclsmob's for ShuffleNet.
# Torch does not count the statistics of batch normalisation, so that learned parameters are compared.
LEARNED = [
    ("lenet5", {}, 60_000),
    ("lenet5_modern", {}, 61_706),
    ("alexnet", {}, 60_965_224),
    ("alexnet", {"towers": 1}, 62_378_344),
    ("zfnet", {}, 62_357_608),
    ("vgg11", {}, 132_863_336),
    ("vgg13", {}, 133_047_848),
    ("vgg16", {}, 138_357_544),
    ("vgg19", {}, 143_667_240),
    ("nin", {}, 966_986),
    ("googlenet", {}, 6_998_552),
    ("googlenet", {"auxiliary": True}, 13_378_280),
    ("resnet18", {}, 11_689_512),
    ("resnet34", {}, 21_797_672),
    ("resnet50", {}, 25_583_592),
    ("mobilenet", {}, 4_231_976),
    ("mobilenet", {"alpha": 0.5}, 1_331_592),
    ("mobilenet", {"alpha": 0.25}, 470_072),
    ("shufflenet", {"groups": 1}, 1_531_936),
    ("shufflenet", {"groups": 2}, 1_733_848),
    ("shufflenet", {}, 1_865_728),
    ("shufflenet", {"groups": 4}, 1_968_344),
    ("shufflenet", {"groups": 8}, 2_434_768),
    ("efficientnet_lite0", {"weights": None}, 4_652_008),
]


def label(value) -> str:
    return "-".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else str(value)


@pytest.mark.parametrize(("name", "options", "wanted"), LEARNED, ids=label)
def test_learned_parameters_are_the_published_ones(name, options, wanted):
    assert getattr(architectures, name)(**options).summary().learned == wanted


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("resnet50", 25_636_712), ("mobilenet", 4_253_864), ("vgg16", 138_357_544), ("vgg19", 143_667_240)],
)
def test_all_parameters_are_those_that_keras_counts(name, wanted):
    assert getattr(architectures, name)().count_params() == wanted


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("vgg16", 15_470_264_320),
        ("vgg19", 19_632_062_464),
        ("resnet50", 3_857_973_248),
        ("mobilenet", 568_740_352),
        ("alexnet", 724_406_816),
    ],
)
def test_multiply_accumulate_operations(name, wanted):
    assert getattr(architectures, name)().summary().macs == wanted


# A. Araujo et al., Computing receptive fields of convolutional neural networks, Distill (2019), its table.
@pytest.mark.parametrize(
    ("name", "wanted"),
    [("alexnet", 195), ("vgg16", 212), ("vgg19", 268), ("resnet50", 483), ("mobilenet", 315)],
)
def test_receptive_fields_are_the_published_ones(name, wanted):
    rows = getattr(architectures, name)().summary().rows
    *_, last = (row.field for row in rows if row.field and row.field[0].stride)
    assert [axis.size for axis in last] == [wanted, wanted]


@pytest.mark.parametrize(
    "name", ["resnet18", "resnet34", "resnet50", "googlenet", "shufflenet", "unet", "segnet"]
)
def test_branches_that_meet_look_at_the_same_place(name):
    """Padding by ``same`` at stride 2 would shift a branch of ResNet against its shortcut."""
    assert getattr(architectures, name)().summary().misaligned == ()


# -- LeNet-5, layer by layer: section II.B of the paper -------------------------------------------------


def test_lenet5_layer_by_layer():
    rows = {row.name: row for row in lenet5().summary().rows}
    paper = {
        "C1": (156, 122_304),
        "S2": (12, 5_880),
        "C3": (1_516, 151_600),
        "S4": (32, 2_000),
        "C5": (48_120, 48_120),
        "F6": (10_164, 10_164),
    }
    assert {name: (rows[name].learned, rows[name].connections) for name in paper} == paper
    assert rows["output"].learned == 0
    assert lenet5().summary().connections == 340_908
    assert [rows[n].output_shape[1:] for n in ("C1", "S2", "C3", "S4", "C5")] == [
        (28, 28, 6),
        (14, 14, 6),
        (10, 10, 16),
        (5, 5, 16),
        (1, 1, 120),
    ]


# -- shapes that the papers print ------------------------------------------------------------------------


def test_googlenet_sizes_are_those_of_its_table():
    shapes = {row.name: row.output_shape[1:] for row in googlenet().summary().rows}
    assert shapes["conv1"] == (112, 112, 64)
    assert shapes["conv2"] == (56, 56, 192)
    table = {
        "3a": 256,
        "3b": 480,
        "4a": 512,
        "4b": 512,
        "4c": 512,
        "4d": 528,
        "4e": 832,
        "5a": 832,
        "5b": 1024,
    }
    sizes = {"3": 28, "4": 14, "5": 7}
    for name, channels in table.items():
        assert shapes[f"inception_{name}_output"] == (sizes[name[0]], sizes[name[0]], channels)


def test_the_auxiliary_classifiers_see_4_by_4_maps():
    rows = {row.name: row.output_shape for row in googlenet(auxiliary=True).summary().rows}
    assert rows["auxiliary_4a_pool"] == (None, 4, 4, 512)
    assert rows["auxiliary_4d_pool"] == (None, 4, 4, 528)


def test_zfnet_sizes_are_those_of_figure_3():
    rows = {row.name: row.output_shape[1] for row in architectures.zfnet().summary().rows if row.output_shape}
    assert [rows[n] for n in ("conv1", "pool1", "conv2", "pool2", "conv5", "pool5")] == [
        110,
        55,
        26,
        13,
        13,
        6,
    ]


def test_unet_is_that_of_figure_1():
    model = unet()
    assert model.output_shape == (None, 388, 388, 2)
    convolutions = [layer for layer in model.layers if hasattr(layer, "kernel_size")]
    assert len(convolutions) == 23  # "in total the network has 23 convolutional layers"
    widths = [64, 128, 256, 512, 1024]
    down = sum(9 * a * b + b + 9 * b * b + b for a, b in itertools.pairwise([1, *widths]))
    up = sum(4 * b * a + a + 9 * b * a + a + 9 * a * a + a for a, b in itertools.pairwise(widths))
    assert model.count_params() == down + up + 64 * 2 + 2


def test_unet_with_padding_labels_every_pixel():
    assert unet((64, 96, 3), padding="same", filters=4).output_shape == (None, 64, 96, 2)


def test_the_encoder_of_segnet_is_vgg16():
    ours = segnet((224, 224, 3))
    encoder = [layer.count_params() for layer in ours.layers if layer.name.startswith("encoder")]
    names = [layer.name for layer in ours.layers if layer.name.startswith("encoder")]
    convolutions = [n for n, name in zip(encoder, names, strict=True) if name.endswith("conv")]
    peer = [layer.count_params() for layer in vgg16().layers if "conv" in layer.name]
    assert convolutions == peer
    decoder = [
        layer for layer in ours.layers if layer.name.startswith("decoder") and hasattr(layer, "filters")
    ]
    assert len(decoder) == len(peer) == 13


@pytest.mark.parametrize("size", [(360, 480), (50, 33)])
def test_segnet_takes_sizes_that_do_not_divide(size):
    assert segnet((*size, 3)).output_shape == (None, *size, 11)


# -- counting costs nothing ----------------------------------------------------------------------------


def test_counting_makes_no_weights():
    tracemalloc.start()
    try:
        model = vgg16()
        assert model.summary().parameters == 138_357_544
        assert tracemalloc.get_traced_memory()[1] < 2_000_000  # the weights would take 553 million bytes
    finally:
        tracemalloc.stop()


# -- arguments that do not fit ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: architectures.shufflenet(groups=5), "laid out for 1, 2, 3, 4, 8 groups, not 5"),
        (lambda: unet((100, 100, 1)), "level 4 has maps of 5×5, which cannot be halved and doubled again"),
        (
            lambda: architectures.lenet5_modern(pooling="median"),
            "pooling must be max or average, not 'median'",
        ),
        (
            lambda: vgg16((16, 16, 3)),
            r"block5_pool \(MaxPooling2D\): axis 0: kernel 2 does not fit into input 1",
        ),
        (
            lambda: architectures.alexnet(towers=5),
            r"256 filters cannot be split into 5 groups",
        ),
        (lambda: vgg16(classes=0), "units must be a whole number of at least 1, not 0"),
    ],
)
def test_what_cannot_be_built_is_said_in_a_line(make, message):
    with pytest.raises(ValueError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
