"""Chapter 13: seven answers to VGG's bill, a network with real weights, and what goes wrong with those."""

from __future__ import annotations

from cnnlib.exercises.quiz_data import Ask, Case, Quiz, among, sentences
from cnnlib.exercises.sheet import number_text
from cnnlib.exercises.tasks import Task

CHAPTER = "after-vgg"

# --- Network in Network, GoogLeNet --------------------------------------------------------------------

head = Ask(
    "dense_of_averages",
    "The last maps are {map_shape}. A 1×1 convolution makes one map for each of {units} classes, and the "
    "mean of a map is the score. How many parameters do these two steps learn, biases counted?",
    roll=lambda dice: {
        "map_shape": (dice.roll(3, 7), dice.roll(3, 7), dice.pick((8, 10, 16, 20, 32))),
        "units": dice.pick((3, 5, 10, 20)),
    },
)

ending = sentences(
    "nin-ending",
    chapter=CHAPTER,
    question="what does each of the two steps learn, and does it know how large the maps are?",
    text="A network ends in a 1×1 convolution with a map for each class, and the mean of each map. Which of "
    "these is true?",
    cases=[
        Case("", "it takes pictures of any size"),
        Case("", "its mean has nothing to learn"),
        Case("", "its last weights are the same at every place"),
        Case("", "the mean of a map is the score of a class"),
        Case("", "larger maps do not make it learn more numbers"),
    ],
    wrong={
        "its 1×1 weights differ from place to place": "It is a convolution: what do all places share?",
        "its scores tell where in the picture the class was found": "What does a mean forget?",
        "its pictures must all be of one size, as in VGG": "Which layer of VGG asks for that, and is it "
        "here?",
        "its last maps must be flattened before the mean": "A mean of each map needs no long row.",
        "a class needs as many weights as a map has places": "A 1×1 filter has a weight for each channel. "
        "And for places?",
    },
)

by_way = Ask(
    "reduced_weights",
    "A 1×1 convolution leaves {reduced} of {channels} channels; then {filters} filters of "
    "{kernel_size:square} follow. How many weights have the two layers together? (No biases.)",
    roll=lambda dice: {
        "kernel_size": dice.pick((3, 5)),
        "reduced": (few := dice.roll(2, 4)),
        "channels": few * dice.roll(3, 5),
        "filters": dice.pick((4, 8, 10)),
    },
)

stacked = Ask(
    "module_channels",
    lambda task: (
        "An inception module has four branches: {ones} filters of 1×1; {first} of 1×1, then {threes} of 3×3; "
        "{second} of 1×1, then {fives} of 5×5; a max pooling, then {projected} of 1×1. How many channels "
        "come out?"
    ).format(first=task.given["reduced"][0], second=task.given["reduced"][1], **task.given),
)

# --- ResNet, MobileNet, ShuffleNet --------------------------------------------------------------------

chain = Ask(
    "chain_slope",
    lambda task: (
        f"{task.given['blocks']} blocks stand one behind the other. Each computes "
        f"{'x + F(x)' if task.given['skip'] else 'F(x)'}, and the slope of every F is "
        f"{number_text(task.given['slope'])} here. By what is a gradient multiplied on its way back through "
        "all of them?"
    ),
    roll=lambda dice: {
        "slope": dice.pick((-0.5, 0.5, 1, 2)),
        "blocks": dice.roll(2, 3),
        "skip": bool(dice.roll(0, 3)),
    },
)

deeper = sentences(
    "why-deeper-was-worse",
    chapter=CHAPTER,
    question="how does the deep stack do on its training data, and what would it take to pass the input on?",
    text="A plain stack of 40 normalised layers does worse than one of 8. With a shortcut round every two "
    "layers it does not. Which of these is true?",
    cases=[
        Case("", "the plain one is worse on its training data, too"),
        Case("", "the plain one could copy the short one, if training found that"),
        Case("", "with shortcuts, doing nothing takes no skill"),
        Case("", "in the plain one no rate suits both its ends"),
        Case("", "by a shortcut a gradient arrives unchanged"),
    ],
    wrong={
        "the plain one overfits: it has too many weights for so few data": "How does it do on the data that "
        "it has seen?",
        "the plain one is too small for what the short one does": "It has all of the layers that the short "
        "one has.",
        "shortcuts help because they have weights of their own": "Most of them add the input, and that is "
        "all.",
        "shortcuts multiply the gradient, so that it grows": "What is the derivative of x + F(x)?",
        "batch normalisation alone would have been enough": "Both stacks are normalised.",
    },
)

thinner = Ask(
    "thinned_products",
    "A 1×1 layer of MobileNet takes {products:,} products. With the width multiplier α = {alpha}, every "
    "layer of the network has that share of its channels. How many products does this one take then?",
    roll=lambda dice: {"products": 1600 * dice.roll(1, 12), "alpha": dice.pick((0.25, 0.5, 0.75))},
)

apart = Ask(
    "grouped_parameters",
    "As in ShuffleNet, a 1×1 layer leads from {channels} channels to {filters}, in {groups} groups. Every "
    "filter has a bias. How many parameters does it learn?",
    given={"kernel_size": 1},
    roll=lambda dice: {
        "groups": (groups := dice.pick((2, 3, 4))),
        "channels": groups * dice.roll(2, 8),
        "filters": groups * dice.roll(2, 8),
    },
)

talk = sentences(
    "groups-that-talk",
    chapter=CHAPTER,
    question="what does a group read, and what does a shuffle cost?",
    text="Grouped 1×1 layers with a channel shuffle between them: which of these is true?",
    cases=[
        Case("", "the shuffle takes no products"),
        Case("", "without the shuffle, groups never hear of each other"),
        Case("", "at equal work, more groups allow wider maps"),
        Case("", "the groups divide the cost of the 1×1 layers"),
        Case("", "the shuffle leaves every place where it is"),
    ],
    wrong={
        "the shuffle has weights that mix the groups": "It deals channels out like cards.",
        "the shuffle moves pixels to other places": "Channels change places, pixels do not.",
        "after a few layers, groups mix without any shuffle": "Follow a wire through two grouped layers.",
        "at equal work, more groups mean narrower maps": "What does one do with what the groups have saved?",
        "the groups divide the cost of the depthwise layers again": "There every channel is a group already.",
    },
)

# --- SegNet and U-Net, all at once --------------------------------------------------------------------


def _masks(task: Task) -> str:
    rows = [" ".join(map(str, task.given[name])) for name in ("true", "predicted")]
    return (
        f"A row of pixels has a true mask and below it a predicted "
        f"one:\n\n```text\n{rows[0]}\n{rows[1]}\n```\n\nWhat is their intersection over union? (Two "
        "decimals.)"
    )


overlap = Ask("mask_overlap", _masks)

across = Ask(
    "bridge_bits",
    "Maps of {height}×{width}×{channels} are max-pooled by 2×2. How many bits go across to the decoder if "
    "{bridge} are handed over? A value has 32 bits; a switch tells one of four places.",
    roll=lambda dice: {
        "height": 2 * dice.roll(2, 5),
        "width": 2 * dice.roll(2, 5),
        "channels": dice.pick((2, 4, 5, 10)),
        "bridge": dice.pick(("switches", "whole maps")),
    },
)

history = sentences(
    "eight-years",
    chapter=CHAPTER,
    question="where do the discs lie, and of what are the bars made, from top to bottom?",
    text="From AlexNet to EfficientNet-Lite0: which of these is true?",
    cases=[
        Case("", "more and more of the work went to 1×1 layers"),
        Case("", "large kernels that mix space and channels went out"),
        Case("", "less work and better answers went together at times"),
        Case("", "the most laborious was not the most accurate"),
        Case("", "depthwise layers came to look after space at small cost"),
    ],
    wrong={
        "each network did more work than the one before": "Compare VGG with what came two years later, and "
        "with MobileNet.",
        "the network with the most parameters is the most accurate": "Look for the largest disc.",
        "in the newest, depthwise layers take most of the work": "Their share of the bar is small.",
        "kernels became larger from year to year": "Which bars hold kernels of 5×5 and 11×11?",
        "half a point between two accuracies shows which is the better design": "Was each of them trained in "
        "the same way?",
    },
)

# --- Real weights -------------------------------------------------------------------------------------

prepared = Ask(
    "prepared_value",
    "EfficientNet-Lite0 wants pixels with 127 taken off and the rest divided by 128. A pixel is {pixel}. "
    "What does the network get? (Two decimals.)",
    roll=lambda dice: {"pixel": 16 * dice.roll(1, 16) - 1},
)

found = sentences(
    "real-weights",
    chapter=CHAPTER,
    question="what is in the file, what do probabilities add up to, and what was the network trained for?",
    text="{situation}",
    cases=[
        Case(
            "Why should a stranger's pickle file of weights not be opened with `pickle.load`?",
            "it can run any function",
            {
                "its numbers may be inexact": "The numbers are as they were stored.",
                "it needs PyTorch": "The danger is another one, with PyTorch and without.",
                "it may hold weights of other shapes": "Those would be noticed.",
            },
        ),
        Case(
            "A network for 1,000 classes sees something that is none of them. What does it say?",
            "probabilities that add up to 1",
            {
                "probabilities that are all 0": "What does softmax do with any ten scores?",
                "“none of these”": "Is there a class of that name?",
                "an error": "A picture is a picture.",
            },
        ),
        Case(
            "Its best guess has 9 %. What may be concluded?",
            "perhaps it knows no such thing",
            {
                "it is surely wrong": "Nine in a hundred is not nothing.",
                "it has been loaded wrongly": "With real weights, too, some pictures are hard.",
                "the picture is of poor quality": "It may be a fine picture of something else.",
            },
        ),
        Case(
            "Its best guess has 97 %, for a thing that none of its classes fits. What may be concluded?",
            "high is no proof, either",
            {
                "the thing is in the picture after all": "Softmax makes probabilities add up to 1, whatever "
                "is shown.",
                "this cannot happen": "A sum of 1 has to go somewhere.",
                "the network was trained on it": "None of its classes fits.",
            },
        ),
        Case(
            "PyTorch keeps a kernel as (filters, channels, height, width). What has to be done for Keras?",
            "its axes must be transposed",
            {
                "it must be reshaped": "A reshape runs without complaint and puts numbers in wrong places.",
                "it must be flipped": "Both frameworks compute the same cross-correlation.",
                "nothing, as the shapes are the same": "Write both shapes down for 32 filters of 3×3×3.",
            },
        ),
        Case(
            "In the inverted residual, where are there many channels?",
            "where the depthwise layer works",
            {
                "where maps are kept and added": "There the block is narrow.",
                "nowhere: it is ResNet's bottleneck": "It is the other way round.",
                "only in the classifier": "A 1×1 layer widens six times.",
            },
        ),
    ],
)

weight = Ask(
    "folded_weight",
    "A batch normalisation with γ = {scale} and σ² + ε = {variance} is folded into the convolution before "
    "it. What becomes of a weight {weight}?",
)

bias = Ask(
    "folded_bias",
    lambda task: (
        "A convolution has the bias {bias}. The batch normalisation behind it has γ = {scale}, β = {shift}, "
        "μ = {mean} and σ² + ε = {variance}. What is the bias after folding?"
    ).format(**{name: number_text(value) for name, value in task.given.items()}),
)

# --- What goes wrong ----------------------------------------------------------------------------------

silent = sentences(
    "silent-mistakes",
    chapter=CHAPTER,
    question="what belongs to weights besides numbers: pixels, padding, mode, ε?",
    text="Somebody else's weights are used, and no error is raised. {situation} What is the likely cause?",
    cases=among(
        {
            "channels in another order": "Do colours play a part here?",
            "pixels that were not scaled": "Are the pixels themselves too large here?",
            "padding alike on both sides": "Does anything look from a wrong place here?",
            "normalisation in training mode": "Does the answer to one picture depend on other pictures here?",
            "another ε": "Is it the maps with a small variance that differ here?",
            "no cropping": "Has the picture changed its proportions here?",
        },
        (
            "A library read the photograph with blue first; a red fire engine is taken for a blue van.",
            "channels in another order",
        ),
        (
            "A cat stays a cat, but what depends on red or blue is judged strangely.",
            "channels in another order",
        ),
        ("Values of 0 to 255 go in; every photograph is a nail or a candle.", "pixels that were not scaled"),
        (
            "Layers with stride 2 look one pixel too far to the upper left, in a network rebuilt in PyTorch.",
            "padding alike on both sides",
        ),
        (
            "The same picture gets other probabilities, depending on what else is in the batch.",
            "normalisation in training mode",
        ),
        (
            "Only maps whose variance is tiny come out differently, after a move from PyTorch to Keras.",
            "another ε",
        ),
        ("A wide photograph is squeezed into a square before it goes in.", "no cropping"),
    ),
)

QUIZZES = (
    Quiz(
        "network-in-network-a-dense-layer-at-every-place",
        "Network in Network: a dense layer at every place",
        head,
        ending,
    ),
    Quiz("googlenet-every-kernel-size-at-once", "GoogLeNet: every kernel size at once", by_way, stacked),
    Quiz("resnet-depth-that-does-not-hurt", "ResNet: depth that does not hurt", chain, deeper),
    Quiz("mobilenet-space-and-channels-apart", "MobileNet: space and channels apart", thinner),
    Quiz("shufflenet-groups-that-talk", "ShuffleNet: groups that talk", apart, talk),
    Quiz(
        "segnet-and-u-net-an-answer-for-every-pixel",
        "SegNet and U-Net: an answer for every pixel",
        overlap,
        across,
    ),
    Quiz("all-of-them-at-once", "All of them at once", history),
    Quiz("a-real-network-in-numpy", "A real network, in NumPy", prepared, found),
    Quiz("folding-batch-normalisation-away", "Folding batch normalisation away", weight, bias),
    Quiz("what-goes-wrong-with-real-weights", "What goes wrong", silent),
)
