"""Chapter 11: bends, losses, the way back, and what training does and does not do."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnlib.activations import softmax
from cnnlib.exercises.dice import Dice
from cnnlib.exercises.quiz_data import Ask, Case, Quiz, among, sentences
from cnnlib.exercises.sheet import number_text
from cnnlib.exercises.tasks import Task

CHAPTER = "learning"

# --- Blocks and bends ---------------------------------------------------------------------------------

judge = Ask(
    "dense_count",
    "After the last block the maps are {input_shape}. They are flattened, and a dense layer with {units} "
    "units follows. How many parameters has it, biases counted?",
    roll=lambda dice: {
        "input_shape": (dice.roll(2, 4), dice.roll(2, 4), dice.pick((5, 8, 10))),
        "units": dice.pick((3, 10, 20)),
    },
)

halves = sentences(
    "features-and-judge",
    chapter=CHAPTER,
    question="which part has the weights, which does the work, and by what is each of them trained?",
    text="Which of these is true of a network of LeNet's size: two convolution blocks, then dense layers?",
    cases=[
        Case("", "its first dense layer has most of the parameters"),
        Case("", "its convolutions do most of the multiplications"),
        Case("", "its blocks learn the features that its judge can use"),
        Case("", "one number, the loss, trains both of its halves"),
        Case("", "a weight of a convolution is used more often than one of a dense layer"),
    ],
    wrong={
        "its convolutions have most of the parameters": "Compare 25 weights a kernel with a weight for every "
        "value of the flattened maps.",
        "its dense layers do most of the multiplications": "How often is a weight of a dense layer used, and "
        "how often one of a kernel?",
        "its blocks are trained first, and then its judge": "Where would the blocks get a gradient from, "
        "without the judge?",
        "flattening has weights that are learned": "Flattening lays values out in a row. What would there be "
        "to learn?",
        "a score belongs to a place of the picture": "A score belongs to a class.",
    },
)


def _two_kernels(dice: Dice) -> dict[str, Any]:
    first, second = (tuple(dice.pick((-2, -1, 1, 2, 3)) for _ in range(2)) for _ in range(2))
    return {"first": first, "second": second}


one_kernel = Ask(
    "joint_kernel",
    "A row passes a convolution layer with the kernel {first:list} and then one with the kernel "
    "{second:list}; there is no activation between. Which kernel would do the same in a single layer?",
    roll=_two_kernels,
    choose=True,
)

collapse = sentences(
    "what-collapses",
    chapter=CHAPTER,
    question="what comes out for −x, apart from biases: minus what came out for x?",
    text="Which of these stacks can be replaced by a single linear layer?",
    cases=[
        Case("", "a hundred convolutions"),
        Case("", "convolutions with average pooling between"),
        Case("", "convolutions, then two dense layers"),
        Case("", "convolutions with batch normalisation, in use"),
        Case("", "two dense layers with biases"),
        Case("", "convolutions with stride 2"),
    ],
    wrong={
        "convolutions with max pooling between": "The maximum of −x is not minus the maximum of x.",
        "convolutions with a ReLU after each": "What is negative becomes 0: that is the bend.",
        "convolutions with a leaky ReLU after each": "Its two halves have different slopes.",
        "convolutions with one tanh, in the middle": "One bend is enough to keep the two sides apart.",
        "dense layers with a sigmoid after each": "An S-curve is no straight line.",
    },
)

bound = Ask(
    "slopes_bound",
    "A gradient goes back through {layers} sigmoids. Their slopes alone make it smaller: by what factor at "
    "least? (1,000 would mean: to a thousandth.)",
    roll=lambda dice: {"layers": dice.roll(3, 7)},
)

bend = sentences(
    "which-bend",
    chapter=CHAPTER,
    question="which slope does a value have that is positive, very large, or negative?",
    text="Which of these is true of activations, and of the weights in front of them?",
    cases=[
        Case("", "a ReLU passes on the whole slope wherever it is active"),
        Case("", "a ReLU may leave a unit without any gradient for good"),
        Case("", "a sigmoid is flat both far left and far right"),
        Case("", "weights that begin too large let maps grow layer by layer"),
        Case("", "weights before a ReLU should begin larger than before tanh"),
        Case("", "a leaky ReLU lets a unit learn that is always negative"),
    ],
    wrong={
        "a ReLU halves every gradient that passes through it": "Its slope is 1 or 0, and nothing between.",
        "a sigmoid passes the whole slope where it is near 1": "How steep is the curve there?",
        "all weights may begin at 0, since training moves them": "What goes back through weights of 0?",
        "the first network to use a ReLU anywhere was AlexNet": "Who had rectified before, decades earlier?",
        "the slopes of the layers of a stack are added up": "What does the chain rule do with slopes?",
        "any random start will do, if only no two weights are equal": "A map is a sum of many products. How "
        "much does it vary?",
    },
)

# --- Loss, and going back -----------------------------------------------------------------------------


def _slope(task: Task) -> str:
    probabilities = softmax(np.array(task.given["scores"], float))
    shown = ", ".join(f"{p:.3f}" for p in probabilities)
    return (
        f"Softmax has made the probabilities ({shown}) of the scores of classes 0, 1 and 2. Class "
        f"{task.given['right']} is right. What is the gradient of the cross-entropy at the score of class "
        f"{task.given['asked']}? (Two decimals are enough.)"
    )


at_a_score = Ask("score_gradient", _slope)

one_number = sentences(
    "scores-to-loss",
    chapter=CHAPTER,
    question="what does softmax do with differences of scores, and which probability does the loss look at?",
    text="Scores go through softmax, and cross-entropy compares with the right class. {situation}",
    cases=[
        Case(
            "5 is added to all scores. What becomes of the probabilities?",
            "they stay as they are",
            {
                "they grow alike": "Can all of them grow, with a sum of 1?",
                "the largest grows, the others shrink": "That takes larger differences. Have they changed?",
                "they come nearer to one another": "What counts is the ratio of two powers. Does it change?",
            },
        ),
        Case(
            "All scores are doubled; they were not equal. What becomes of the probabilities?",
            "the largest grows",
            {
                "they stay as they are": "Only adding the same to all leaves the ratios as they are.",
                "all are doubled": "Their sum would be 2.",
                "they come nearer to one another": "The differences have become larger, not smaller.",
            },
        ),
        Case(
            "A network that knows nothing judges a hundred classes. About which loss is to be expected?",
            "ln 100",
            {
                "1/100": "That is a probability. The loss is minus its logarithm.",
                "0": "That would be certainty about the right class.",
                "99/100": "That is how often a guess is wrong; the loss is something else.",
            },
        ),
        Case(
            "The right class has the probability 0.7. What is the gradient of the loss at its score?",
            "0.7 − 1",
            {
                "0.7": "So it would be for a class that is not right.",
                "1 − 0.7": "Then a step against the gradient would lower the right score.",
                "1 / 0.7": "That is by the probability, up to its sign, not by the score.",
            },
        ),
        Case(
            "The two wrong classes exchange their probabilities, the right one keeps its own. What becomes "
            "of the loss?",
            "it stays as it is",
            {
                "it grows": "Which probability does cross-entropy look at?",
                "it shrinks": "Which probability does cross-entropy look at?",
                "it changes sign": "A loss of this kind is never below 0.",
            },
        ),
        Case(
            "One example's gradients at all scores are added up. What is the sum?",
            "0",
            {
                "1": "The probabilities alone add up to 1. What is taken off?",
                "the loss": "A sum of slopes is no loss. What do probabilities and targets add up to?",
                "the largest probability": "Write down p − t for every class, and add.",
            },
        ),
    ],
)


def _row(dice: Dice) -> dict[str, Any]:
    return {
        "signal": tuple(dice.roll(-2, 4) for _ in range(3)),
        "kernel": tuple(dice.pick((-2, -1, 1, 2, 3)) for _ in range(2)),
        "gradient": tuple(dice.pick((-2, -1, 1, 2, 3)) for _ in range(2)),
        "stride": 1,
    }


_BACK = (
    "The row {signal:list} met the kernel {kernel:list} at stride 1. The loss has the gradient "
    "{gradient:list} with respect to the two outputs. What is it with respect to the "
)

by_kernel = Ask("kernel_gradient", _BACK + "kernel?", roll=_row, choose=True)
by_inputs = Ask("signal_gradient", _BACK + "row?", roll=_row, choose=True)

# --- Range, dropout, the loop -------------------------------------------------------------------------


def _even_spread(dice: Dice) -> dict[str, Any]:
    """A channel whose standard deviation is a whole number."""
    middle, spread = dice.roll(3, 9), dice.roll(1, 3)
    held = [middle - spread, middle - spread, middle + spread, middle + spread]
    asked = dice.roll(0, 3)
    return {
        "held": tuple(held[i] for i in dice.pick(((0, 2, 1, 3), (0, 2, 3, 1), (2, 0, 1, 3), (0, 1, 2, 3)))),
        "asked": asked,
        "scale": dice.roll(2, 5),
        "shift": dice.pick((-3, -2, -1, 1, 2, 3)),
    }


normalised = Ask(
    "normalised_value",
    lambda task: (
        f"A channel holds {', '.join(map(number_text, task.given['held']))} in this batch. What does batch "
        f"normalisation make of the value {number_text(task.given['held'][task.given['asked']])} in "
        f"training, with γ = {number_text(task.given['scale'])}, β = {number_text(task.given['shift'])} and "
        "ε = 0?"
    ),
    roll=_even_spread,
    accept=lambda task: isinstance(task.answer, int),  # no rounding where a whole number is typed
)

range_ = sentences(
    "training-and-use",
    chapter=CHAPTER,
    question="over which values are mean and variance taken, and where do they come from in use?",
    text="Which of these is true of batch normalisation behind a convolution?",
    cases=[
        Case("", "each channel has a mean over the batch and all places"),
        Case("", "in use it works with running averages from training"),
        Case("", "the convolution before it needs no bias"),
        Case("", "inputs ten times as large do not change its outputs in training"),
        Case("", "what it puts out for one picture depends on the batch, in training"),
        Case("", "a large learning rate does less harm with it"),
    ],
    wrong={
        "each value of a map has a mean of its own": "Then places would be treated differently from one "
        "another. What is shared in a convolution?",
        "in use it takes the statistics of the picture at hand": "There may be a single picture. What was "
        "collected in training?",
        "γ and β are set by the statistics of the batch": "Mean and variance are. These two are learned.",
        "it divides neighbouring channels by their common strength": "That is local response normalisation.",
        "it is no longer linear once its statistics are fixed": "Subtracting and dividing by constants: what "
        "kind of map is that?",
        "a network can be judged by it after the first step": "How long do running averages take to settle?",
    },
)

drop = Ask(
    "dropped",
    "Dropout with rate {rate} stands behind a layer. A unit has the value {value} and is not dropped. What "
    "does dropout hand on {mode}?",
)

step = Ask(
    "momentum_step",
    lambda task: (
        "A weight is {weight}, its velocity {velocity}, its gradient {gradient}. The learning rate is "
        "{rate}, the momentum {momentum}. What is the weight after one step?"
    ).format(**{name: number_text(value) for name, value in task.given.items()}),
    roll=lambda dice: {
        "weight": dice.roll(1, 5),
        "gradient": dice.pick((-4, -3, -2, 2, 3, 4)),
        "velocity": dice.pick((-2, -1, -0.4, 0.4, 1, 2)),
        "rate": 0.1,
        "momentum": dice.pick((0.5, 0.9)),
    },
)

steps = Ask(
    "updates",
    "{examples} examples are trained on in batches of {batch}, the last batch being smaller where it does "
    "not come out even, for {epochs} epochs. How many steps of the weights are that?",
    roll=lambda dice: {
        "batch": (batch := dice.pick((10, 20, 50))),
        "examples": batch * dice.roll(3, 12) + dice.roll(1, batch - 1),
        "epochs": dice.roll(2, 10),
    },
)

# --- Digits, Keras, what was learned ------------------------------------------------------------------

split = sentences(
    "three-sets",
    chapter=CHAPTER,
    question="has anything been chosen by these examples, and has the network learned from them?",
    text="{situation}",
    cases=[
        Case(
            "Ten learning rates are tried. By which digits is the best of them chosen?",
            "the validation digits",
            {
                "the training digits": "On them, whoever learns by heart looks best.",
                "the test digits": "Whoever chooses by them has no test any more.",
                "training and test digits together": "Then nothing is left that has not had a say.",
            },
        ),
        Case(
            "Twenty networks were compared on the test digits, and the best one is reported. What is its "
            "number?",
            "too good, as luck had a say",
            {
                "just right, as it never trained on them": "It was chosen by them. Is the best of twenty "
                "lucky, too?",
                "too bad, as the test is harder": "Nothing makes these digits harder than others.",
                "the same as on the validation digits": "They are other digits.",
            },
        ),
        Case(
            "Each digit is shifted by up to two pixels before every step. Why does that help?",
            "the network sees more different digits",
            {
                "the test digits are shifted in the same way": "Nothing is done to the test digits.",
                "the labels become more accurate": "A moved digit keeps its label.",
                "each step becomes cheaper": "A shifted picture has as many pixels.",
            },
        ),
        Case(
            "In the first epochs training looks worse than validation. Which is a reason?",
            "its numbers are averages over the epoch",
            {
                "validation digits are used for training, too": "The sets are kept apart.",
                "the network overfits the validation digits": "It has never learned from them.",
                "its labels are wrong": "The same people wrote all labels.",
            },
        ),
        Case(
            "How often should the test digits be looked at?",
            "once, at the end",
            {
                "after every epoch": "That is what the validation digits are for.",
                "whenever a setting is changed": "Then settings would be chosen by them.",
                "never, as they are training digits": "They are kept for something.",
            },
        ),
        Case(
            "Why does the learning rate fall along half a cosine?",
            "first to get somewhere, then to settle",
            {
                "so that no batch counts twice": "The rate does not tell which batches are drawn.",
                "so that the gradient stays the same": "The rate multiplies the gradient; it does not make "
                "it.",
                "first to settle, then to get somewhere": "With which steps does one cross a wide valley?",
            },
        ),
    ],
)

same = sentences(
    "ours-and-keras",
    chapter=CHAPTER,
    question="what becomes of a difference in the last digit when a sum lies close to the kink of a ReLU?",
    text="{situation}",
    cases=[
        Case(
            "Two frameworks start from the same weights and get the same batches. Their losses agree to "
            "seven digits at first and part after a hundred steps. Which network is it likely to be?",
            "one with ReLU",
            {
                "one with tanh": "A smooth network only carries the rounding along.",
                "one whose gradients are wrong": "Wrong gradients show in the first steps.",
                "one without any activation": "Without a bend there is no side to fall on.",
            },
        ),
        Case(
            "How should the code of a training loop be compared with a framework's?",
            "by its first steps",
            {
                "by its accuracy after many epochs": "Two right runs may differ by then.",
                "by weights after a whole training": "With kinks they may part, and both be right.",
                "by the time that it takes": "Time tells nothing about what is computed.",
            },
        ),
        Case(
            "Two right implementations have parted after an hour of training. What should agree all the "
            "same?",
            "how good they are",
            {
                "each weight, to the last digit": "They add up in different orders.",
                "each batch's loss": "Once they part, they are two different networks.",
                "nothing, since one has a bug": "Two runs of one framework on two machines part as well.",
            },
        ),
        Case(
            "Same weights, same picture, two frameworks: the scores differ by 0.0000004. Why?",
            "they add in another order",
            {
                "one of them flips the kernel": "Then the scores would have nothing in common.",
                "one has a different activation": "That would show in the first digits.",
                "one was trained for longer": "Their weights are the same.",
            },
        ),
        Case(
            "A network with kinks parts sooner where the background of all pictures is exactly 0. Why?",
            "many sums lie on the kink at once",
            {
                "zeros cannot be stored exactly": "0 is stored exactly.",
                "zeros make the gradients of all layers 0": "The strokes are not 0, and biases act "
                "everywhere.",
                "zeros take longer to multiply": "Time is not at issue.",
            },
        ),
    ],
)

found = sentences(
    "what-was-learned",
    chapter=CHAPTER,
    question="what was asked of the network: to find edges, to be right, or to be honest?",
    text="Which of these is true of the network that was trained on digits?",
    cases=[
        Case("", "neighbouring weights of its first filters have become alike"),
        Case("", "nobody asked it for edges, and it found some"),
        Case("", "its second layer's channels answer to pieces of strokes"),
        Case("", "it can be wrong with a probability near 1"),
        Case("", "only its first filters can be read as small pictures"),
    ],
    wrong={
        "its first filters are Sobel filters, to a digit": "Compare them with a Sobel filter: nobody asked "
        "for those numbers.",
        "its first filters look like digits": "They are 5×5, and see a small piece of a stroke.",
        "a probability of 0.99 means 1 error in 100": "Probabilities add up to 1. Does that make them "
        "honest?",
        "its second filters are pictures of 5×5 pixels": "They read six maps at once, not pixels.",
        "its filters were smooth before it was trained, too": "Look at the weights at the start: what is "
        "their correlation?",
    },
)

nobody = Ask(
    "dead_cost",
    "A channel is dead. Its layer has {kernel_size:square} kernels and reads {channels} channels; the next "
    "layer has {next_filters} filters of {next_kernel:square}. How many parameters, its bias among them, are "
    "of no use because of it?",
    roll=lambda dice: {
        "kernel_size": dice.pick((3, 5)),
        "channels": dice.roll(2, 4),
        "next_kernel": 3,
        "next_filters": dice.roll(2, 10),
    },
)

# --- What goes wrong ----------------------------------------------------------------------------------

failed = sentences(
    "failed-training",
    chapter=CHAPTER,
    question="does the loss fall at all, where does it stay, and what differs between training and use?",
    text="{situation} What is the likely cause?",
    cases=among(
        {
            "the learning rate is too large": "Does this loss jump, or stay where guessing is?",
            "an activation was forgotten": "Is it as good as a linear classifier, and no better?",
            "the examples were not shuffled": "Does it believe in one class only?",
            "softmax was applied twice": "Does the loss stay above a floor although answers are right?",
            "pixels are scaled differently in use": "Is training fine, and only its use is not?",
            "dropout was left on": "Do two runs on one picture differ?",
            "the weights began at 0": "Would nothing but the last biases learn here?",
        },
        (
            "The loss jumps to about ln 10 in the first steps and stays there.",
            "the learning rate is too large",
        ),
        (
            "The network learns to the level of a linear classifier and not beyond, however deep it is.",
            "an activation was forgotten",
        ),
        (
            "After each epoch the network says 9 to every digit, and 9 was the last class in the file.",
            "the examples were not shuffled",
        ),
        (
            "Nearly all answers are right, but for ten classes the loss never falls below 1.46.",
            "softmax was applied twice",
        ),
        (
            "In training all is well. In use most answers are right, yet the loss is many times as large.",
            "pixels are scaled differently in use",
        ),
        (
            "In use the same picture gets other probabilities each time that it is shown.",
            "dropout was left on",
        ),
        (
            "The loss begins at ln 10 exactly, all scores are 0, and only how frequent each class is gets "
            "learned.",
            "the weights began at 0",
        ),
    ),
)

QUIZZES = (
    Quiz("blocks-then-a-judge", "Blocks, then a judge", halves, judge),
    Quiz(
        "without-a-bend-depth-is-worth-nothing",
        "Without a bend, depth is worth nothing",
        one_kernel,
        collapse,
    ),
    Quiz("which-bend", "Which bend?", bound, bend),
    Quiz(
        "how-wrong-from-scores-to-one-number", "How wrong? From scores to one number", at_a_score, one_number
    ),
    Quiz("going-back", "Going back", by_kernel, by_inputs),
    Quiz("keeping-numbers-in-range", "Keeping numbers in range", normalised, range_),
    Quiz("dropout", "Dropout", drop),
    Quiz("the-loop", "The loop", step, steps),
    Quiz("real-digits", "Real digits", split),
    Quiz("the-same-network-in-keras", "The same network in Keras", same),
    Quiz("what-it-has-learned", "What it has learned", found),
    Quiz("a-channel-that-nobody-misses", "A channel that nobody misses", nobody),
    Quiz("what-goes-wrong-in-training", "What goes wrong", failed),
)
