"""Chapter 14: pictures of what a network sees, and the tests that such a picture could fail."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnlib.exercises.dice import Dice
from cnnlib.exercises.quiz_data import Ask, Case, Quiz, among, sentences
from cnnlib.exercises.sheet import number_text
from cnnlib.exercises.tasks import Task

CHAPTER = "seeing"

# --- Filters, maps, favourites ------------------------------------------------------------------------

first = sentences(
    "reading-the-first-layer",
    chapter=CHAPTER,
    question="what does a weight of this layer multiply, and on which scale is it drawn?",
    text="The filters of the first layer of a trained network are drawn, each on a scale of its own. Which "
    "of these is true?",
    cases=[
        Case("", "only in this layer are the channels of a filter colours"),
        Case("", "a filter whose weights are next to nothing looks like any other"),
        Case("", "a channel that is 0 for every photograph costs as much as others"),
        Case("", "green beside violet is an edge in brightness, too"),
        Case("", "filters that look strong may belong to silent channels"),
    ],
    wrong={
        "filters of later layers can be drawn in red, green and blue as well": "What are the channels that "
        "those filters read?",
        "a filter that can be seen in the drawing takes part in the answer": "Each was drawn on a scale of "
        "its own. What does that hide?",
        "whatever is drawn mid-grey is the largest weight of its filter": "Mid-grey stands for a weight of "
        "0.",
        "somebody must have set some of them to edges before training": "Nobody asked for edges. What were "
        "the filters at first?",
        "a network that is used by millions has no silent channels": "How many did you expect to do nothing, "
        "and how many do?",
    },
)

levels = sentences(
    "from-low-to-high",
    chapter=CHAPTER,
    question="what becomes of the size of maps, their number, what they see, and how often they speak?",
    text="One photograph goes through a trained network. Which of these is true on the way up?",
    cases=[
        Case("", "there are more maps, and each has fewer places"),
        Case("", "fewer and fewer values are above 0"),
        Case("", "in the end, one place sees more than the whole photograph"),
        Case("", "the last maps still tell roughly where something is"),
        Case("", "means of the last maps serve other questions, too"),
    ],
    wrong={
        "more and more places of the maps have something to say": "Is a channel for something specific "
        "active in many places, or in few?",
        "the last maps show the edges more sharply than the first": "How many places have they left for an "
        "edge?",
        "every map is a copy of the photograph, only smaller": "What would the later filters be for?",
        "each of the last 7×7 places sees 7×7 pixels": "7×7 is how many places there are. How far does one "
        "of them see?",
        "what the last maps hold is of use for the trained classes only": "What does one do who cuts the "
        "network there?",
    },
)

tied = Ask(
    "tied_at_the_top",
    "Eight pieces of photographs give a channel the sums {sums:list} before its ReLU6. How many of the "
    "pieces share the first place behind it?",
    roll=lambda dice: {"sums": tuple(dice.pick((-8, -1, 0.5, 1, 5.5, 7, 8, 9, 12)) for _ in range(8))},
    bounds=(2, 5),
)

likes = sentences(
    "favourite-patches",
    chapter=CHAPTER,
    question="which pictures has the channel been shown, and what could prove the name wrong?",
    text="The five patches that a channel answers to most are all eyes. Which of these is true?",
    cases=[
        Case("", "“eye detector” is a guess until it has been tested"),
        Case("", "among other photographs, it might like wheels more"),
        Case("", "drawn rings and squares would make a test"),
        Case("", "the five should be ranked by what is there before the activation"),
        Case("", "it may answer to several things that have little in common"),
    ],
    wrong={
        "five of five prove that it detects eyes and nothing else": "Five of how many, and which had no "
        "chance to be there?",
        "its name can be read off its weights as well": "Its weights weigh maps of the layer below.",
        "it must have been trained with labels for eyes": "Which labels were there?",
        "a channel answers to one kind of thing, or it would be of no use": "What helps to tell a thousand "
        "classes apart need not have a name of ours.",
        "if light and dark are exchanged it must be silent": "That would be true of an edge of one "
        "direction. Was it so in the test with rings?",
    },
)

climb = sentences(
    "climbing",
    chapter=CHAPTER,
    question="what changes in a climb, what stays, and what has been added by us?",
    text="A picture is made by climbing the gradient of the score “espresso”, from faint noise. Which of "
    "these is true?",
    cases=[
        Case("", "the picture changes, the weights do not"),
        Case("", "without restraints it convinces the network, and nobody else"),
        Case("", "what restraints add is partly our own taste"),
        Case("", "it shows what the network could answer to"),
        Case("", "next to a photograph there are such pictures, too"),
    ],
    wrong={
        "the network learns, step by step, what an espresso looks like": "What is it that changes here?",
        "the surer the network is, the more a person sees in the picture": "How sure was it of the noise?",
        "it converges to one of the photographs it was trained with": "The shortest way up leads where no "
        "camera was.",
        "its steps go down, against the gradient of the score": "Down is how a loss is trained away.",
        "shifting and fading the picture are done to make it faster": "What would it look like without?",
    },
)

# --- Why this answer? ---------------------------------------------------------------------------------


def _sum_of(weights: tuple[int, ...]) -> str:
    """A neuron's sum in words: x₁ − x₂."""
    terms = [
        f"{'−' if weight < 0 else '+'} x{index}"
        for index, weight in zip("₁₂₃", weights, strict=True)
        if weight
    ]
    text = " ".join(terms)
    return text.removeprefix("+ ") if text.startswith("+") else text.replace("− ", "−", 1)


def _toy(task: Task) -> str:
    weights, outer = task.given["weights"], task.given["outer"]
    neurons = [f"max(0, {_sum_of(row)})" for row in weights]
    score = f"{number_text(outer[0])} · {neurons[0]} + {number_text(outer[1])} · {neurons[1]}"
    x = ", ".join(map(number_text, task.given["x"]))
    return (
        f"The score is s = {score.replace('+ −', '− ')}. What comes back to the three pixels at x = ({x}) by "
        f"{task.given['way']}?"
    )


way = Ask("way_back", _toy, choose=True)


def _small_cam(dice: Dice) -> dict[str, Any]:
    """Two maps of one row of three places, and slopes whose means are whole."""
    maps = [[dice.roll(0, 3) for _ in range(2)] for _ in range(3)]
    slopes = []
    for mean in (dice.roll(1, 3), -dice.roll(1, 3)):
        off = dice.roll(0, 2)
        slopes.append([mean - off, mean, mean + off])
    return {
        "maps": np.array([maps], float),
        "slopes": np.array([np.transpose(slopes)], float),
    }


def _cam_text(task: Task) -> str:
    def rows(array: Any) -> str:
        return "\n".join("  ".join(number_text(v).rjust(2) for v in array[0, :, k]) for k in range(2))

    return (
        "Two feature maps of a row of three places, a line each:\n\n```text\n"
        f"{rows(task.given['maps'])}\n```\n\nThe slopes of the score at these places:\n\n```text\n"
        f"{rows(task.given['slopes'])}\n```\n\nWhich map does Grad-CAM make of them?"
    )


cam = Ask("cam", _cam_text, roll=_small_cam, accept=lambda task: task.answer.any(), choose=True)

tests = sentences(
    "maps-under-test",
    chapter=CHAPTER,
    question="what does the map do when the class, the weights or the picture are changed?",
    text="{situation} Which of them is it?",
    cases=among(
        {
            "saliency": "Saliency is the gradient's size at each pixel: fine, speckled, and it depends on "
            "the weights.",
            "guided backpropagation": "Guided backpropagation is sharp, and passes only what is positive.",
            "Grad-CAM": "Grad-CAM weighs the last maps by their mean slopes: coarse, and close to the "
            "decision.",
            "none of them": "One of the three does so. What became of each in the tests?",
        },
        (
            "All weights of the upper blocks are shuffled, and the map hardly changes.",
            "guided backpropagation",
        ),
        ("It draws the edges of the photograph, as an edge detector would.", "guided backpropagation"),
        ("Another class is asked for, and the bright part moves to another half of the picture.", "Grad-CAM"),
        ("It has no more places than the last maps have.", "Grad-CAM"),
        ("It tells where a small change of a pixel would matter, for or against.", "saliency"),
        ("It may rightly be bright where nothing of the class is to be seen.", "saliency"),
        ("It needs no test, as it shows what the network thinks.", "none of them"),
        ("It tells what the score would be if a place were covered.", "none of them"),
    ),
)

# --- Style --------------------------------------------------------------------------------------------

together = Ask(
    "gram",
    "At four places (rows), two feature maps (columns) have the values\n{features:rows}\nWhich is their "
    "Gram matrix?",
    roll=lambda dice: {"features": tuple(tuple(dice.roll(-1, 3) for _ in range(2)) for _ in range(4))},
    choose=True,
)

gram_changes = sentences(
    "gram-changes",
    chapter=CHAPTER,
    question="an entry is a sum over places of products of two maps; which products change?",
    text="{situation} Which entries of their Gram matrix change?",
    cases=among(
        {
            "none": "Write a sum down before and after: are all of its products there again?",
            "those beside the diagonal": "The diagonal multiplies a map with itself. Does it change, too, or "
            "does nothing?",
            "those on the diagonal": "An entry beside the diagonal is made of the same maps. Does it stay?",
            "all of them": "Look at one map's product with itself, and at that of two maps: do both change?",
        },
        ("The places of two maps are shuffled, in both alike.", "none"),
        ("The places of one of two maps are shuffled, the other stays.", "those beside the diagonal"),
        ("Both of two maps are mirrored from left to right.", "none"),
        ("One of two maps gets the other sign.", "those beside the diagonal"),
        ("Both of two maps are doubled.", "all of them"),
        ("Both of two maps get the other sign.", "none"),
        ("Two maps are closed to a ring and moved by three places, both alike.", "none"),
        ("Each of two maps is joined with a copy of itself, so that it is twice as wide.", "all of them"),
    ),
)

transfer = sentences(
    "terms-of-a-style",
    chapter=CHAPTER,
    question="which term compares places, which compares what goes together, and which looks at neighbours?",
    text="Style transfer adds up a content term, a style term and a term for smoothness. {situation} Which "
    "is it?",
    cases=among(
        {
            "the content term": "The content term compares feature maps, place by place.",
            "the style term": "The style term compares Gram matrices, which forget places.",
            "the term for smoothness": "This term looks at neighbouring pixels and at no network.",
            "none of them": "One of the three does it. Which picture does each of them look at?",
        },
        ("One of them keeps eyes and nose where they are.", "the content term"),
        ("One of them does not mind if everything is moved about.", "the style term"),
        ("One of them needs no network.", "the term for smoothness"),
        ("One of them is 0 at first, if one begins at the photograph itself.", "the content term"),
        ("One of them brings the grain and the colours of a brick wall.", "the style term"),
        ("One of them keeps down what looks like snow.", "the term for smoothness"),
        ("One of them trains the weights of the network.", "none of them"),
        ("One of them counts how many bricks there are.", "none of them"),
    ),
)

wrong = sentences(
    "seeing-slip",
    chapter=CHAPTER,
    question="which scale, which number was differentiated, which values were ranked, and what was tested?",
    text="{situation} Where is the slip?",
    cases=among(
        {
            "each map had a scale of its own": "Are the brightnesses of two maps compared here?",
            "the gradient of a probability was taken": "Is it the softmax that is at work here?",
            "the ranking was made behind the activation": "Has anything been ranked here?",
            "a name was not put to the test": "Has a channel been given a name here?",
            "the pixels were not prepared": "Is there anything wrong with what went in?",
        },
        (
            "Grad-CAM for “espresso” on a picture without any cup is as bright as that for “cat”: “so it "
            "sees a cup”.",
            "each map had a scale of its own",
        ),
        (
            "A network is sure to 99.99 %, and its saliency map is all but 0: “so no pixel mattered”.",
            "the gradient of a probability was taken",
        ),
        (
            "The five best patches of a channel have an activation of exactly 6: “it likes them equally”.",
            "the ranking was made behind the activation",
        ),
        (
            "A channel is silent on all photographs, and its best patches are printed all the same.",
            "the ranking was made behind the activation",
        ),
        (
            "Nine patches show eyes: “channel 485 is the eye detector”.",
            "a name was not put to the test",
        ),
        (
            "Values from 0 to 255 were fed in, and the map looks no worse than others: “see what it attends "
            "to”.",
            "the pixels were not prepared",
        ),
    ),
)

QUIZZES = (
    Quiz("the-first-layer-filters-in-colour", "The first layer: filters in colour", first),
    Quiz("from-low-to-high-one-photograph-on-its-way", "From low to high: one photograph on its way", levels),
    Quiz("what-does-a-channel-like-best", "What does a channel like best?", tied, likes),
    Quiz("climbing-the-gradient", "Climbing the gradient", climb),
    Quiz("why-this-answer-gradients-three-ways", "Why this answer? Gradients, three ways", way, cam),
    Quiz("three-tests-that-a-map-can-fail", "Three tests that a map can fail", tests),
    Quiz(
        "style-which-channels-answer-together",
        "Style: which channels answer together",
        together,
        gram_changes,
    ),
    Quiz("style-transfer", "Style transfer", transfer),
    Quiz("what-goes-wrong-in-seeing", "What goes wrong", wrong),
)
