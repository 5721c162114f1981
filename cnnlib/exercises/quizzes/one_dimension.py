"""Chapter 2: a kernel that slides along a row, its matrix, its mirror image, and what it answers to."""

from __future__ import annotations

from typing import Any

from cnnlib.exercises.dice import Dice
from cnnlib.exercises.quiz_data import Ask, Case, Quiz, among, sentences

CHAPTER = "one-dimension"

SAME_QUESTION = sentences(
    "quiz-same-question",
    chapter=CHAPTER,
    question="how many weights are there, and at how many places is each of them used?",
    text="A recording has 1,000 samples. {situation}",
    cases=[
        Case(
            "A beat at sample 200 teaches a dense layer something. What does it know about beats at sample "
            "500?",
            "nothing: other weights are at work there",
            {
                "the same: a beat is a beat": "To the layer it is not: each of its weights belongs to one "
                "sample.",
                "half as much: 500 is farther from the start": "The distance does not count. Ask which "
                "weights "
                "meet those samples.",
                "the same, if it has enough outputs": "More outputs have more weights, and each of them "
                "belongs "
                "to one sample.",
            },
        ),
        Case(
            "A beat at sample 200 teaches a convolution something. What does it know about beats at sample "
            "500?",
            "the same: its weights are used there, too",
            {
                "nothing: other weights are at work there": "That is so in a dense layer, and in a locally "
                "connected one.",
                "the same, but only if the recording is periodic": "The kernel goes everywhere, whatever the "
                "recording does.",
                "less: it looks at a few samples only": "It does, and at these few samples it asks what it "
                "has learned.",
            },
        ),
        Case(
            "A convolution has 50 weights. The recording becomes twice as long. How many has it now?",
            "50, used at more places",
            {
                "100, one set for each half": "Sets of weights for different places: that is what sharing "
                "does "
                "away with.",
                "25, spread more thinly": "A kernel is not stretched over the recording. It slides.",
                "2,000, one for each sample": "A weight for each sample: that is an output of a dense layer.",
            },
        ),
        Case(
            "Why do the windows of a convolution count as many examples, even in a single recording?",
            "each of them trains the same weights",
            {
                "each of them has weights of its own": "Then each would learn from itself alone.",
                "they do not overlap": "At stride 1 neighbouring windows have all but one sample in common.",
                "each of them contains a beat": "Most contain none. From those, too, the weights learn.",
            },
        ),
        Case(
            "Which of the two decisions makes an output of a layer blind to what is 100 samples away?",
            "looking locally",
            {
                "sharing weights": "Sharing says which weights are used, not how far they reach.",
                "both together": "One of the two is enough for that.",
                "neither: every output sees everything": "That is a dense layer.",
            },
        ),
    ],
)


def _output(dice: Dice) -> dict[str, Any]:
    stride = dice.roll(1, 2)
    return {
        "signal": tuple(dice.roll(0, 6) for _ in range(7)),
        "kernel": tuple(dice.pick((-2, -1, 1, 2, 3)) for _ in range(2)),
        "stride": stride,
        "place": dice.roll(1, 2),
    }


def _activation(dice: Dice) -> dict[str, Any]:
    return {
        "signal": tuple(dice.roll(0, 5) for _ in range(5)),
        "kernel": tuple(dice.pick((-2, -1, 1, 2)) for _ in range(2)),
        "bias": dice.pick((-2, -1, 1, 2)),
        "stride": 1,
    }


CONV1D = sentences(
    "quiz-conv1d",
    chapter=CHAPTER,
    question="what is there before the activation, what after it, and along which axis does the kernel "
    "slide?",
    text="{situation}",
    cases=[
        Case(
            "Keras' `Conv1D` wants an array with three axes. What does the 1 in its name count?",
            "the axes along which the kernel slides",
            {
                "the channels of the recording": "There may be several channels; they have an axis of their "
                "own.",
                "the recordings in the batch": "There may be many; the batch has the first axis.",
                "the filters of the layer": "Their number is the layer's first argument.",
            },
        ),
        Case(
            "What does this book call the sums, bias included, before the activation function?",
            "the feature map",
            {
                "the activation map": "That is what comes after the activation function.",
                "the filter": "A filter is made of weights. The sums are what it makes.",
                "the kernel": "The kernel is what slides.",
            },
        ),
        Case(
            "The bias of a filter grows by 1. Which sums change?",
            "all of them, by 1",
            {
                "only the first one": "One bias a filter, but it is added at every place.",
                "only those that are positive": "That is what the ReLU looks at, after the bias.",
                "all of them, by the kernel size": "The bias is added once at a place, not once for each "
                "weight.",
            },
        ),
        Case(
            "An activation map is 0 at a place. What can its sum have been there, after a ReLU?",
            "0 or any negative number",
            {
                "0 and nothing else": "The ReLU sets a whole half of all numbers to 0.",
                "any number": "A positive sum would have passed.",
                "the negative of the bias": "That is the sum before the bias at which the answer begins.",
            },
        ),
        Case(
            "A layer with the kernel (−1, 1) and a ReLU meets a signal that only falls. What comes out?",
            "zeros",
            {
                "the sizes of the falls": "The sums are negative, and the ReLU does not take the sign away.",
                "negative numbers": "That is the feature map. After the ReLU none are left.",
                "ones": "The ReLU leaves positive numbers as they are and makes no ones.",
            },
        ),
    ],
)

TRAINED = sentences(
    "quiz-learning-does-not-care",
    chapter=CHAPTER,
    question="were the weights learned by the very operation that uses them now?",
    text="{situation} Does it matter whether the operation flips its kernel?",
    cases=among(
        {
            "no: training finds the mirrored weights": "That takes weights which are learned by the very "
            "operation that uses them.",
            "yes: the weights come from elsewhere": "Can these weights be the wrong way round at all?",
            "no: this kernel is its own mirror image": "That holds for symmetric kernels alone.",
        },
        ("A layer is trained from random weights.", "no: training finds the mirrored weights"),
        ("A kernel (1, 2, 5) is copied from a textbook on signals.", "yes: the weights come from elsewhere"),
        ("A running mean of five is taken.", "no: this kernel is its own mirror image"),
        ("Weights come in a file, from a program that flips.", "yes: the weights come from elsewhere"),
        ("A kernel (1, 4, 6, 4, 1) is copied from a textbook.", "no: this kernel is its own mirror image"),
        (
            "A program that flips, and one that does not, are trained on the same data.",
            "no: training finds the mirrored weights",
        ),
        (
            "The response (9, 3, 1) of an instrument is used as a kernel.",
            "yes: the weights come from elsewhere",
        ),
    ),
)

FAMILIES = sentences(
    "quiz-two-families",
    chapter=CHAPTER,
    question="what do the weights sum to, and what does the kernel make of an even signal?",
    text="What does the kernel {situation} do?",
    cases=among(
        {
            "smooths and keeps the level": "That takes weights that sum to 1.",
            "answers to change and drops the level": "That takes weights that sum to 0.",
            "makes an even signal stronger": "Multiply an even signal by the sum of the weights: is that "
            "more?",
        },
        ("(½, ½)", "smooths and keeps the level"),
        ("(−1, 1)", "answers to change and drops the level"),
        ("(1, 1, 1)", "makes an even signal stronger"),
        ("(¼, ½, ¼)", "smooths and keeps the level"),
        ("(1, −2, 1)", "answers to change and drops the level"),
        ("(−1, 0, 0, 0, 1)", "answers to change and drops the level"),
        ("(1, 2, 1)", "makes an even signal stronger"),
        ("(¼, ¼, ¼, ¼)", "smooths and keeps the level"),
        ("(−1, −1, 2)", "answers to change and drops the level"),
    ),
)

MATCHED = sentences(
    "quiz-matched-filter",
    chapter=CHAPTER,
    question="which of level, size and shape is still in the score?",
    text="A beat is the template of a matched filter. {situation}",
    cases=[
        Case(
            "A window holds the same beat at half its height. What is its normalised score?",
            "1: size has been divided out",
            {
                "0.5: it is half as high": "That would be so without the division by how much the window "
                "varies.",
                "0.25: both products and sums are halved": "Only the window is smaller. What is it divided "
                "by?",
                "0: it is another beat": "A score of 0 means that the two have nothing in common.",
            },
        ),
        Case(
            "A window holds the same beat, raised by 1000. What is its normalised score?",
            "1: the level has been taken away",
            {
                "far above 1: the sums are larger": "The weights sum to 0, so a level adds nothing.",
                "nearly 0: the beat is small beside the level": "A level is no variation: it is not in the "
                "denominator either.",
                "−1: the level hides the beat": "A score of −1 means the shape upside down.",
            },
        ),
        Case(
            "Which windows have a normalised score of −1?",
            "those that hold the beat upside down",
            {
                "those that hold no beat": "No likeness is 0. Below 0 products are mostly negative.",
                "those whose values are negative": "The level does not count, so neither does its sign.",
                "those that hold the beat read backwards": "The kernel is laid down as it is. Backwards is "
                "another "
                "shape.",
            },
        ),
        Case(
            "Why is the mean of the template taken away?",
            "so that a window scores nothing for its level",
            {
                "so that a window scores nothing for its size": "That is what the division is for.",
                "so that the score is never negative": "It can be: the products of opposite changes are "
                "negative.",
                "so that fewer products are needed": "There are as many weights as before.",
            },
        ),
        Case(
            "Strong noise hides a beat from the eye. Why does the filter still find it?",
            "it adds up evidence from many samples",
            {
                "it removes the noise before it looks": "It does nothing but multiply and add. In that sum "
                "noise "
                "of both signs largely cancels.",
                "it looks at the highest samples": "With strong noise these are rarely beats.",
                "it has learned what noise looks like": "It has learned nothing: its weights are one beat.",
            },
        ),
        Case(
            "Its weights sum to 0. What is their weighted sum over a window in which all samples are equal?",
            "0: nothing in it resembles the beat",
            {
                "the level of the window": "That takes weights that sum to 1.",
                "its largest value": "A weighted sum does not pick. What do equal inputs times these "
                "weights add "
                "up to?",
                "the height of the beat": "The beat is in the weights; their mean has been taken away.",
            },
        ),
    ],
)

WRONG = sentences(
    "quiz-one-dimension-goes-wrong",
    chapter=CHAPTER,
    question="look at how many outputs there are, at their values, and at where they are drawn",
    text="{situation} What is the likely cause?",
    cases=among(
        {
            "the mode is full, not valid": "That would show in the number of outputs: more of them than "
            "inputs.",
            "signal and kernel have exchanged roles": "That happens where the “kernel” is the longer of the "
            "two.",
            "the sums were made in eight bits": "Eight bits show where sums pass 255: they begin again at 0.",
            "outputs are drawn where their windows start": "That shifts all features by half a kernel, and "
            "changes no value.",
            "the kernel is mirrored": "Mirrored kernels leave the number of outputs and the size of sums "
            "alone, "
            "and answer to changes with the wrong sign or at the wrong side.",
        },
        ("`np.convolve` makes 104 values of 100 with a kernel of 5.", "the mode is full, not valid"),
        (
            "All peaks of a smoothed signal seem to come a little earlier than in the signal; the wider the "
            "kernel, the earlier.",
            "outputs are drawn where their windows start",
        ),
        ("A sum of two bright pixels comes out dark.", "the sums were made in eight bits"),
        (
            "A kernel of 8 on 5 inputs gives 4 outputs and no error, where a layer would refuse.",
            "signal and kernel have exchanged roles",
        ),
        (
            "The kernel (−1, 1) from a textbook answers to every rise with a negative number.",
            "the kernel is mirrored",
        ),
        (
            "A running sum of a picture's pixels has no value above 255, however wide the window.",
            "the sums were made in eight bits",
        ),
        (
            "The first and last few outputs of a running mean are much too small.",
            "the mode is full, not valid",
        ),
        (
            "A beat is reported 25 samples before its peak; the kernel has 50 weights.",
            "outputs are drawn where their windows start",
        ),
    ),
)

QUIZZES = (
    Quiz("the-same-question-everywhere", "The same question everywhere", SAME_QUESTION),
    Quiz(
        "six-numbers-and-a-kernel",
        "Six numbers and a kernel",
        Ask(
            "one_output",
            "The kernel ({kernel:list}) slides over ({signal:list}) with stride {stride}. Outputs are "
            "counted "
            "from 0. What is output number {place}?",
            roll=_output,
            slips=3,
        ),
    ),
    Quiz(
        "how-many-places-are-there",
        "How many places are there?",
        Ask(
            "output_size",
            "{size} inputs, a kernel of {kernel_size}, stride {stride}, no padding. How many outputs are "
            "there?",
            given={"padding": 0},
            roll=lambda dice: {
                "size": dice.roll(9, 30),
                "kernel_size": dice.roll(2, 6),
                "stride": dice.roll(2, 4),
            },
            slips=3,
        ),
        Ask(
            "dropped_inputs",
            "{size} inputs, a kernel of {kernel_size}, stride {stride}, no padding. How many inputs at the "
            "end are "
            "never seen?",
            given={"padding": 0},
            roll=lambda dice: {
                "size": dice.roll(12, 30),
                "kernel_size": dice.roll(4, 7),
                "stride": dice.roll(4, 5),
            },
        ),
    ),
    Quiz(
        "three-drawings-of-one-layer",
        "Three drawings of one layer",
        Ask(
            "matrix_shape",
            "A layer with a kernel of {kernel_size} and stride {stride} reads {size} inputs, without "
            "padding. "
            "Written as a matrix that is multiplied by the column of inputs, how many rows and how many "
            "columns "
            "does it have?",
            roll=lambda dice: {
                "size": dice.roll(6, 15),
                "kernel_size": dice.roll(2, 4),
                "stride": dice.roll(1, 2),
            },
            slips=3,
        ),
        Ask(
            "row_macs",
            "A kernel of {kernel_size} slides over {size} inputs with stride {stride}, without padding. How "
            "many "
            "multiply–accumulates does that take?",
            roll=lambda dice: {
                "size": dice.roll(8, 20),
                "kernel_size": dice.roll(2, 5),
                "stride": dice.roll(1, 2),
            },
            slips=4,
        ),
    ),
    Quiz(
        "bias-activation-and-keras-conv1d",
        "Bias, activation, and Keras' Conv1D",
        Ask(
            "activation_map",
            "Kernel ({kernel:list}), bias {bias:number}, then a ReLU, on the inputs ({signal:list}). Which "
            "is the "
            "activation map?",
            roll=_activation,
            slips=3,
            choose=True,
        ),
        CONV1D,
    ),
    Quiz(
        "the-kernel-in-the-mirror",
        "The kernel in the mirror",
        Ask(
            "full_convolution",
            "Which is the convolution, flip included and in full mode, of ({signal:list}) with the kernel "
            "({kernel:list})?",
            given={"length": 2},
            slips=5,
            choose=True,
        ),
        Ask(
            "joint_width",
            "{layers} layers in a row, each with one kernel of {kernel_size} and stride 1, with no "
            "activation "
            "between them, are one layer. How many weights has its kernel?",
            roll=lambda dice: {"kernel_size": dice.roll(2, 7), "layers": dice.roll(2, 4)},
        ),
    ),
    Quiz(
        "why-learning-does-not-care",
        "Why learning does not care",
        Ask(
            "learned_kernel",
            "A target is made from a signal with the kernel ({kernel:list}), flip included. A convolution "
            "layer "
            "learns to reproduce it from the signal. Which weights does it find?",
            choose=True,
        ),
        TRAINED,
    ),
    Quiz(
        "real-signals-1-smooth-and-subtract",
        "Real signals I: smooth and subtract",
        Ask(
            "even_response",
            "Every sample of a signal is {level}. What does the kernel ({kernel:list}) make of it at a place "
            "inside?",
            roll=lambda dice: {
                "kernel": tuple(dice.pick((-2, -1, 1, 2, 3)) for _ in range(3)),
                "level": dice.roll(3, 12),
            },
        ),
        FAMILIES,
    ),
    Quiz("real-signals-2-find-a-known-shape", "Real signals II: find a known shape", MATCHED),
    Quiz("one-dimension-goes-wrong", "What goes wrong", WRONG),
)
