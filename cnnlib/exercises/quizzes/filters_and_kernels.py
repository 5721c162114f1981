"""Chapter 5: channels, kernels, filters, and what they cost."""

from __future__ import annotations

from typing import Any

from cnnlib.exercises.dice import Dice
from cnnlib.exercises.quiz_data import Ask, Case, Quiz, among, sentences

CHAPTER = "filters-and-kernels"

GREY = sentences(
    "quiz-where-grey-is-not-enough",
    chapter=CHAPTER,
    question="do the two sides differ in brightness, in colour, or in both?",
    text="{situation} In which pictures can a filter find that edge?",
    cases=among(
        {
            "in the colour picture only": "What stands in the colour picture only differs in colour alone. "
            "Is that so here?",
            "in the grey and in the colour picture": "A grey picture shows an edge only where the two sides "
            "differ "
            "in brightness.",
            "in neither of them": "The two sides differ in at least one channel.",
        },
        ("A red tile lies beside a green one that looks equally bright.", "in the colour picture only"),
        ("A black cat sits before a white wall.", "in the grey and in the colour picture"),
        ("Two sheets of the same paper touch, with the same light on both.", "in neither of them"),
        ("A yellow lemon lies on dark blue cloth.", "in the grey and in the colour picture"),
        ("An orange stripe runs over a blue wall of the same brightness.", "in the colour picture only"),
        ("A grey stone lies before a darker grey stone.", "in the grey and in the colour picture"),
        ("Letters are printed in purple on a brown of equal brightness.", "in the colour picture only"),
    ),
)

ALL_CHANNELS = sentences(
    "quiz-one-window-all-channels",
    chapter=CHAPTER,
    question="what is added up before a number stands in the feature map?",
    text="{situation}",
    cases=[
        Case(
            "One filter has stood at every place of a colour picture. How many channels has the result?",
            "one",
            {
                "three, one for each colour": "The partial sums of the three colours are added up.",
                "three, one for each kernel": "The kernels of one filter make one sum together.",
                "none, as all is summed up": "All channels are summed up, but there is a sum for every "
                "place.",
            },
        ),
        Case(
            "The channels of a picture are reversed, and the kernels of a filter with them. What happens to "
            "the "
            "feature map?",
            "it stays as it was",
            {
                "it is reversed, too": "It has a single channel. What does the order of the terms do to a "
                "sum?",
                "it changes its sign": "The same numbers meet the same weights.",
                "it becomes that of another filter": "The same numbers meet the same weights.",
            },
        ),
        Case(
            "At one place the partial sums are 5, −5 and 2, at another 1, 0 and 1. Where is the feature map "
            "larger?",
            "at neither",
            {
                "at the first, where partial sums are larger": "Large partial sums can cancel.",
                "at the second, where none is negative": "Negative ones count like all others. What is the "
                "sum?",
                "at the first, where all channels answer": "It does not matter how many of them answer.",
            },
        ),
        Case(
            "Why is a filter as deep as the picture?",
            "each number in the window needs a weight",
            {
                "so that the output is just as deep": "The output of one filter is one map.",
                "so that it can slide in depth as well": "It fills the depth: there is no room to slide.",
                "so that all colours weigh the same": "Each kernel of the filter has weights of its own.",
            },
        ),
        Case(
            "Somebody has the feature map of one filter and wants to know how much red gave to it. Can that "
            "be told?",
            "no: only the sum is left",
            {
                "yes: red is its first channel": "A feature map is a single channel.",
                "yes: it is a third of each value": "The three partial sums need not be equal.",
                "yes: after taking away the bias": "Without the bias it is still a sum of three.",
            },
        ),
    ],
)

LIKENESS = sentences(
    "quiz-dot-product",
    chapter=CHAPTER,
    question="do the numbers of the block rise and fall where the weights do?",
    text="The weights of a filter sum to 0, its bias is 0. {situation} What is its answer?",
    cases=among(
        {
            "large and positive": "That takes a block which rises and falls as the weights do.",
            "large and negative": "That takes a block which falls where the weights rise.",
            "about 0": "That takes a block with nothing in common with the weights.",
        },
        ("It meets a block with its own pattern.", "large and positive"),
        ("It meets a very bright, even block.", "about 0"),
        ("It meets its own pattern with dark and bright exchanged.", "large and negative"),
        ("It meets its own pattern, brighter by the same amount everywhere.", "large and positive"),
        ("It meets a block of random noise that is weak.", "about 0"),
        ("It meets a black block.", "about 0"),
        ("It meets its own pattern with twice the contrast.", "large and positive"),
    ),
)

FILTERS = sentences(
    "quiz-what-decides-which-size",
    chapter=CHAPTER,
    question="does it belong to the input, to your choice of kernel, or to your choice of filters?",
    text="What decides {situation}?",
    cases=among(
        {
            "the channels of the input": "The channels of the input decide how deep a filter has to be.",
            "the kernel size that you choose": "The kernel size decides how far a filter looks to the sides.",
            "the number of filters that you choose": "Each filter makes one map.",
        },
        ("the depth of a filter", "the channels of the input"),
        ("the channels of the output", "the number of filters that you choose"),
        ("the width of a filter", "the kernel size that you choose"),
        ("how many biases a layer has", "the number of filters that you choose"),
        ("how many kernels a filter has", "the channels of the input"),
        ("the height of a filter", "the kernel size that you choose"),
        ("the depth of the filters in the next layer", "the number of filters that you choose"),
    ),
)

RECIPES = sentences(
    "quiz-colour-recipes",
    chapter=CHAPTER,
    question="what do the three partial sums add up to where red, green and blue have these values?",
    text="A filter is a soft round spot, with weight {situation}. What does it answer to a bright grey wall?",
    cases=among(
        {
            "0: the partial sums cancel": "They cancel only if the three factors add up to 0.",
            "a positive number": "For that the three factors must add up to more than 0.",
            "a negative number": "For that the three factors must add up to less than 0.",
        },
        ("+1 on red, −1 on green and 0 on blue", "0: the partial sums cancel"),
        ("−½ on red, −½ on green and +1 on blue", "0: the partial sums cancel"),
        ("+1 on red, +1 on green and −1 on blue", "a positive number"),
        ("0 on red, 0 on green and +1 on blue", "a positive number"),
        ("+1 on red, −1 on green and −1 on blue", "a negative number"),
        ("−1 on red, +2 on green and −1 on blue", "0: the partial sums cancel"),
        ("+1 on red, −2 on green and 0 on blue", "a negative number"),
    ),
)

MAPS = sentences(
    "quiz-feature-or-activation",
    chapter=CHAPTER,
    question="does it hold before the non-linearity, after it, or on both sides?",
    text="{situation} Of which map is that true, where the activation is a ReLU?",
    cases=among(
        {
            "the feature map only": "The ReLU sets what is below 0 to 0 and leaves the rest.",
            "the activation map only": "Ask for each side of the ReLU by itself whether it is true there.",
            "both": "The ReLU changes all negative numbers, and only those.",
        },
        ("An edge from light to dark can be told from no edge.", "the feature map only"),
        ("No value can be negative.", "the activation map only"),
        ("The places where the pattern was found best stand out.", "both"),
        ("It is a weighted sum of the inputs plus a bias.", "the feature map only"),
        ('It is what Keras\' `Conv2D(6, 5, activation="relu")` gives back.', "the activation map only"),
        ("Doubling all inputs, without a bias, doubles it.", "both"),
        (
            "Without a bias, turning the signs of all weights turns the sign of every value.",
            "the feature map only",
        ),
    ),
)

FULL_SIZE = sentences(
    "quiz-full-size",
    chapter=CHAPTER,
    question="does it depend on the sides of the picture, on the number of filters, or on both?",
    text="A picture has twice the height and twice the width of before; the layer stays. What happens to "
    "{situation}?",
    cases=among(
        {
            "it stays as it is": "It belongs to the outputs, and there are more of them now.",
            "it becomes about four times as large": "Does it feel both sides of the picture?",
            "it becomes about twice as large": "Which sides of the picture does it feel?",
        },
        ("the number of weights", "it stays as it is"),
        ("the number of output values", "it becomes about four times as large"),
        ("the work, in multiply–accumulates", "it becomes about four times as large"),
        ("the number of feature maps", "it stays as it is"),
        ("the memory for the output", "it becomes about four times as large"),
        ("the work for one output value", "it stays as it is"),
        ("the height of a feature map", "it becomes about twice as large"),
    ),
)

DEPTH = sentences(
    "quiz-nothing-but-depth",
    chapter=CHAPTER,
    question="does it mix places, channels, both or neither?",
    text="{situation} What does the layer mix?",
    cases=among(
        {
            "channels, but not neighbouring places": "A 1×1 kernel looks at one place and at all of its "
            "channels.",
            "neighbouring places, but not channels": "With one group a channel, nothing is added up over "
            "channels.",
            "both": "At least one of the two is left apart here.",
            "neither": "Something is added up here: over the window, or over the channels.",
        },
        ("A filter of 1×1×3 turns a colour picture grey.", "channels, but not neighbouring places"),
        ("Filters of 5×5 read six maps, in one group for each map.", "neighbouring places, but not channels"),
        ("Filters of 3×3×64 read 64 maps.", "both"),
        ("Filters of 1×1×256 make 64 maps of 256.", "channels, but not neighbouring places"),
        ("Every colour of a photograph is blurred by itself.", "neighbouring places, but not channels"),
        ("Kernels of 1×1 read six maps, in one group for each map.", "neither"),
        ("Filters of 5×5×3 read a colour picture.", "both"),
    ),
)

WRONG = sentences(
    "quiz-filters-go-wrong",
    chapter=CHAPTER,
    question="do the shapes fit, and if they do, does each axis mean what the layer takes it for?",
    text="{situation} What is the likely cause?",
    cases=among(
        {
            "the filters have another depth than the input": "That is refused with an error.",
            "the channels come in another order": "All shapes fit then; a filter for one colour answers to "
            "another.",
            "the channels come first where they should be last": "Then the layer takes the last axis for "
            "channels: "
            "filters become far too deep.",
            "each channel was filtered by itself": "Then the channels are kept apart, and there is one "
            "result for "
            "each.",
        },
        (
            "The layer stops: 3 channels do not go with filters for 6.",
            "the filters have another depth than the input",
        ),
        ("The filter that looked for red things answers to blue ones.", "the channels come in another order"),
        (
            "Over a picture of 96×128 pixels in colour, the weights have the shape (3, 3, 128, 6).",
            "the channels come first where they should be last",
        ),
        (
            "A single 5×5 pattern over a colour picture gives three maps.",
            "each channel was filtered by itself",
        ),
        (
            "The feature maps of a 3×3 layer are one pixel high.",
            "the channels come first where they should be last",
        ),
        (
            "Pictures loaded by OpenCV are recognised worse than the same ones loaded otherwise.",
            "the channels come in another order",
        ),
        ("A blurred photograph is still in colour.", "each channel was filtered by itself"),
        (
            "Filters learned on colour pictures are put over grey ones, and there is an error.",
            "the filters have another depth than the input",
        ),
    ),
)


def _layer(dice: Dice) -> dict[str, Any]:
    return {"kernel_size": dice.pick((2, 3)), "channels": dice.roll(2, 5), "filters": 2 * dice.roll(1, 5)}


def _maps(dice: Dice) -> dict[str, Any]:
    kernel_size = dice.pick((3, 5))
    return {
        "input_shape": (kernel_size + dice.roll(5, 7), kernel_size + dice.roll(8, 11), dice.roll(2, 4)),
        "kernel_size": kernel_size,
        "filters": dice.roll(5, 10),
    }


def _unpadded(dice: Dice) -> dict[str, Any]:
    return {**_maps(dice), "strides": 1, "padding": 0}


QUIZZES = (
    Quiz("where-grey-is-not-enough", "Where grey is not enough", GREY),
    Quiz(
        "one-window-all-channels",
        "One window, all channels",
        Ask(
            "channel_sum",
            "At one place the partial sums of a filter, one a channel, are {sums:list}; its bias is "
            "{bias:number}. "
            "What "
            "stands there in the feature map?",
            slips=3,
        ),
        ALL_CHANNELS,
    ),
    Quiz(
        "kernel-and-filter-are-not-the-same",
        "Kernel and filter are not the same",
        Ask(
            "filter_weights",
            "A layer with a kernel of {kernel_size:square} reads an input of {input_shape}. How many "
            "weights has one "
            "of its filters?",
            slips=3,
        ),
    ),
    Quiz(
        "a-dot-product-and-a-bias",
        "A dot product and a bias",
        Ask(
            "window_rows",
            "A kernel of {kernel_size:square} slides over an input of {input_shape} (height, width, "
            "channels), "
            "without padding. Each window is unrolled into a row. Which shape has the matrix of all of them?",
            slips=3,
            choose=True,
        ),
        LIKENESS,
    ),
    Quiz(
        "many-filters-many-features",
        "Many filters, many features",
        Ask(
            "weight_shape",
            "A layer has {filters} filters with kernels of {kernel_size:square}; {channels} feature maps "
            "reach it. "
            "Which shape has its weight array, as Keras stores it?",
            roll=lambda dice: {
                "kernel_size": dice.pick((3, 5, 7)),
                "channels": dice.roll(2, 12),
                "filters": dice.roll(13, 24),
            },
            slips=3,
        ),
        FILTERS,
    ),
    Quiz(
        "counting-parameters",
        "Counting parameters",
        Ask(
            "conv_parameters",
            "A convolution layer has {filters} filters with kernels of {kernel_size:square}. Its input has "
            "{channels} channels. How many parameters does the layer learn, biases counted?",
            roll=_layer,
            bounds=(20, 300),
        ),
    ),
    Quiz("the-real-thing", "The real thing", RECIPES, MAPS),
    Quiz(
        "a-full-size-image",
        "A full-size image",
        Ask(
            "conv_output",
            "{filters} filters of {kernel_size:square} read a picture of {input_shape} (height, width, "
            "channels), "
            "with stride 1 and without padding. Which shape has the output?",
            roll=_unpadded,
            slips=4,
        ),
        FULL_SIZE,
    ),
    Quiz(
        "a-filter-that-is-nothing-but-depth",
        "A filter that is nothing but depth",
        Ask(
            "conv_parameters",
            "A layer of 1×1 filters makes {filters} maps of {channels}. How many parameters does it learn, "
            "biases "
            "counted?",
            roll=lambda dice: {
                "kernel_size": 1,
                "channels": dice.roll(5, 12),
                "filters": dice.roll(2, 9),
                "use_bias": True,
            },
            slips=3,
        ),
        DEPTH,
    ),
    Quiz("filters-go-wrong", "What goes wrong", WRONG),
)
