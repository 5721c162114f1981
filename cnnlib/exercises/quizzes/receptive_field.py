"""Chapter 8: what moves with the input, what one output sees, and how much of it it uses."""

from __future__ import annotations

from typing import Any

from cnnlib.exercises.dice import Dice
from cnnlib.exercises.kinds.receptive_fields import EQUIVARIANT, INVARIANT, MAPS, NEITHER
from cnnlib.exercises.quiz_data import Ask, Case, Quiz, among, sentences
from cnnlib.exercises.tasks import Task

CHAPTER = "receptive-field"


def _windows(task: Task) -> str:
    """Layers along one axis, in words, from the input up."""
    words = []
    for kernel, stride, *more in task.given["layers"]:
        pool = kernel == stride > 1
        text = f"{'a pooling of' if pool else 'a kernel of'} {kernel} with stride {stride}"
        words.append(f"{text} and padding {more[0]}" if more else text)
    return "; ".join(words)


# --- Three properties, and moving the input -----------------------------------------------------------

saved = Ask(
    "three_layers",
    "Three layers without biases read a row of {size} inputs and have equally many outputs. Local and "
    "convolution layer look through windows of {kernel_size}, at stride 1 and without padding; the dense "
    "layer sees all inputs. How many different weights has the {layer} layer?",
    roll=lambda dice: {
        "layer": dice.pick(("local", "convolution", "dense")),
        "size": dice.roll(7, 12),
        "kernel_size": dice.roll(3, 4),
    },
)

behind = sentences(
    "property-behind-it",
    chapter=CHAPTER,
    question="would a locally connected layer, which is local but shares nothing, do the same?",
    text="{situation} Which property is behind it?",
    cases=[
        Case(
            "A convolution layer and a locally connected layer look at the same windows, but the convolution "
            "layer has far fewer parameters.",
            "parameter sharing",
            {
                "local connection": "Both of these layers are local.",
                "equivariance to translation": "Equivariance is what follows; it saves nothing by itself.",
            },
        ),
        Case(
            "A convolution layer draws far fewer connections than a dense layer with as many outputs.",
            "local connection",
            {
                "parameter sharing": "Two connections that share a weight are still two connections.",
                "equivariance to translation": "Equivariance says what happens to a shift, not how many "
                "connections there are.",
            },
        ),
        Case(
            "A row becomes twice as long, and the layer keeps its number of weights.",
            "parameter sharing",
            {
                "local connection": "A locally connected layer is local, too, and has a set of weights for "
                "every place.",
                "equivariance to translation": "Equivariance tells of shifts, not of counts.",
            },
        ),
        Case(
            "An input outside of its window changes, and the output stays as it is.",
            "local connection",
            {
                "parameter sharing": "Which weights a window has does not tell how far it reaches.",
                "equivariance to translation": "Nothing has been shifted here.",
            },
        ),
        Case(
            "An output takes three multiplications, not one for each of a thousand inputs.",
            "local connection",
            {
                "parameter sharing": "A shared weight has to be multiplied as often as one of its own.",
                "equivariance to translation": "Equivariance says what a shift does; it saves no products.",
            },
        ),
        Case(
            "What a kernel has learned at one end of the picture is known at the other end, too.",
            "parameter sharing",
            {
                "local connection": "A layer may be local and learn something else at every place.",
                "equivariance to translation": "That is a name for what you see here. What is it due to?",
            },
        ),
    ],
    wrong={"the activation function": "An activation looks at one value at a time; it decides none of this."},
)


def _pattern(dice: Dice) -> dict[str, Any]:
    pattern, kernel = ([dice.pick((-2, -1, 1, 2, 3)) for _ in range(2)] for _ in range(2))
    after = dice.roll(2, 3)
    signal = (*[0] * (5 - after), *pattern, *[0] * after)
    return {"signal": signal, "kernel": tuple(kernel), "amount": dice.roll(1, 2), "stride": 1}


moved = Ask(
    "moved_map",
    "A convolution layer (no flip, stride 1, no padding) has the kernel {kernel:list}. The row {signal:list} "
    "moves to the right by {amount}, and zeros come in. What does the layer make of the moved row?",
    roll=_pattern,
    choose=True,
)

keeps = sentences(
    "breaks-the-equation",
    chapter=CHAPTER,
    question="does what is done to a value depend on where that value stands?",
    text="The picture is closed to a ring and all strides are 1. Which of these breaks f(T x) = T f(x)?",
    cases=[
        Case("", "weights of its own at every place"),
        Case("", "a bias of its own for every place"),
        Case("", "each output times the number of its column"),
        Case("", "a dense layer on top of all values"),
        Case("", "zeros in place of the outputs of the left half"),
        Case("", "every output minus the output at place 0"),
    ],
    wrong={
        "one bias, shared by all places": "The same number is added wherever the window stands.",
        "a ReLU on every output": "A ReLU looks at one value and does not know where it stands.",
        "a second convolution layer": "The first hands the shift on, and so does the second.",
        "a kernel as wide as half of the ring": "However wide: its weights do not know where it stands.",
        "weights below zero": "The equation holds for all weights, if they are the same everywhere.",
    },
)

# --- Where it breaks ----------------------------------------------------------------------------------

exact = Ask(
    "exact_shift",
    "The layers of a network have, one after the other, the strides {strides:list}. What is the smallest "
    "shift of the picture, in pixels, after which the last map is the old one, moved and otherwise the same?",
    roll=lambda dice: {"strides": tuple(dice.pick((1, 2, 2, 3)) for _ in range(dice.roll(3, 4)))},
    bounds=(4, 36),
)

inside = Ask(
    "inside_outputs",
    "Layers with stride 1 and `same` padding have kernels of {kernel_sizes:list}. The row has {size} places. "
    "How many outputs of the last layer see no padding at all, neither directly nor through other layers?",
    roll=lambda dice: {
        "size": dice.roll(14, 24),
        "kernel_sizes": tuple(dice.pick((3, 3, 5)) for _ in range(dice.roll(2, 3))),
    },
)

_WORDS = {
    EQUIVARIANT: "equivariant to translation",
    INVARIANT: "invariant to translation",
    NEITHER: "neither of the two",
}
_TOLD = {
    (
        EQUIVARIANT,
        INVARIANT,
    ): "Invariant means that the output stays as it is. Move a row by one place: does it?",
    (EQUIVARIANT, NEITHER): "Does its rule know where a value stands? What follows if it does not?",
    (INVARIANT, EQUIVARIANT): "Equivariant means that the output moves with the input. Does this one move?",
    (INVARIANT, NEITHER): "Does it matter to this output in which order the places are visited?",
    (NEITHER, EQUIVARIANT): "Move a row by one place: does each number that came out come again, one place "
    "further on?",
    (NEITHER, INVARIANT): "Move a row by one place: does exactly the same come out?",
}


def _movement(operator: str) -> Case:
    """One of the maps of the exercises, judged as they judge it: by trying all shifts."""
    right = int(Task("movements", operators=(operator,)).answer[0])
    wrong = {_WORDS[told]: message for (found, told), message in _TOLD.items() if found == right}
    return Case(f"From a row of eight numbers, closed to a ring: {operator}.", _WORDS[right], wrong)


movement = sentences(
    "one-movement",
    chapter=CHAPTER,
    question="take a short row, move it by one place: what came out before, and what comes out now?",
    text="{situation} What is this?",
    cases=[_movement(operator) for operator in MAPS],
)

# --- What an output sees ------------------------------------------------------------------------------


def _small_stack(dice: Dice) -> dict[str, Any]:
    first = ((dice.pick((3, 5)), 1),) if dice.roll(0, 1) else ()
    strided, middle = (dice.pick((3, 5, 7)), 2), dice.pick(((2, 2), (2, 2), (3, 1), (5, 1)))
    return {"layers": (*first, strided, middle, (dice.pick((3, 5)), 1))}


sees = Ask(
    "receptive_size",
    lambda task: (
        f"Along one axis, from the input up: {_windows(task)}. How many inputs does an output of the last "
        "layer see?"
    ),
    roll=_small_stack,
    bounds=(7, 25),
)

_COSTS = {
    "larger kernels": "A larger kernel has its side squared in its weights and its work, skips nothing and "
    "keeps all places.",
    "more layers": "One more layer costs what a layer costs, brings a non-linearity, and keeps all places.",
    "subsampling": "Subsampling leaves places out, for good, and gives all later layers fewer of them.",
    "dilation": "Dilation pulls apart the weights that are there. It adds none, and it keeps all places.",
}

cost = sentences(
    "price-of-seeing-more",
    chapter=CHAPTER,
    question="what becomes of the weights, of the work, and of the number of places?",
    text="You want the outputs of a stack to see more. {situation} Which way is meant?",
    cases=among(
        _COSTS,
        ("It makes everything above it cheaper.", "subsampling"),
        ("It costs neither weights nor places, but some inputs in between may be passed over.", "dilation"),
        ("Weights and work of the layer grow with the square of what it sees.", "larger kernels"),
        ("The view grows by F − 1 for the price of a whole layer.", "more layers"),
        ("Every pixel is to be labelled from a wide view, without one weight more.", "dilation"),
        ("Only “what” is asked, not “where”, and the work has to go down.", "subsampling"),
        ("The network also gets another bend, and no new size of kernel.", "more layers"),
        ("A single layer has to see more at once, with no gaps and at every place.", "larger kernels"),
    ),
)

needed = Ask(
    "layers_needed",
    "All layers have kernels of {kernel_size}, stride 1 and no dilation. How many of them does it take until "
    "an output sees at least {size} inputs along an axis?",
    roll=lambda dice: {"size": dice.roll(11, 40), "kernel_size": dice.pick((3, 5, 7))},
    bounds=(3, 12),
)

alike = Ask(
    "alike_weights",
    "{depth} layers of {kernel_size:square} see as much as a single layer with a larger kernel. All layers "
    "have {channels} channels in and out and no biases. How many weights has the {way}?",
    roll=lambda dice: {
        "way": dice.pick(("stack", "single layer")),
        "kernel_size": dice.pick((3, 3, 5)),
        "depth": dice.roll(2, 3),
        "channels": dice.pick((2, 3, 5, 10)),
    },
    bounds=(50, 5000),
)

where = Ask(
    "pixel_range",
    lambda task: (
        f"Along one axis, from the input up: {_windows(task)}. Outputs and pixels are counted from 0. From "
        f"which to which pixel does output {task.given['output']} see? (Below 0 lies padding.)"
    ),
    given={"depth": 2, "least": 1},
    accept=lambda task: task.given["output"] <= 4,
    choose=True,
)

# --- How much it uses ---------------------------------------------------------------------------------


def _small_paths(dice: Dice) -> dict[str, Any]:
    first = (dice.roll(2, 4), dice.pick((1, 1, 2)))
    return {"layers": (first, (dice.roll(2, 4), 1))}


paths = Ask(
    "paths",
    lambda task: (
        f"Along one axis, from the input up: {_windows(task)}. Count the paths from one output of the last "
        "layer down to each input that it sees, from left to right."
    ),
    roll=_small_paths,
    accept=lambda task: task.answer.max() > 1,
    choose=True,
)

used = sentences(
    "effective-field",
    chapter=CHAPTER,
    question="how many paths lead to the middle of the field, and how many to its rim?",
    text="A deep stack of convolutions with random weights. Which of these is true of one of its units?",
    cases=[
        Case("", "the deeper it is, the smaller a share of its field it uses"),
        Case("", "more paths lead to the middle of its field than to the rim"),
        Case("", "twice as many layers widen what it uses less than twice"),
        Case("", "an object that fills its field counts mostly by its middle"),
        Case("", "training and dilation can widen what it uses"),
    ],
    wrong={
        "all inputs of its field have about the same influence on it": "Count the paths to the outermost "
        "input and to the one in the middle.",
        "what it uses grows with depth as fast as its whole field does": "The size adds F − 1 a layer. How "
        "does the spread of a sum of many parts grow?",
        "it uses the rim of its field most, where the object ends": "The fewest paths of all lead there.",
        "it uses a little of what lies outside of its field, too": "Outside of its field the gradient is "
        "exactly 0.",
        "what it uses does not depend on the weights": "Gradients go through the weights, whatever they are.",
    },
)

# --- Limits, and what goes wrong ----------------------------------------------------------------------

widened = Ask(
    "widened_weights",
    "A 3×3 layer in the middle of a network has {weights} weights. Now every layer of the network gets "
    "{factor} times as many filters. How many weights has this layer then? (Leave biases out.)",
    roll=lambda dice: {"weights": 100 * dice.roll(2, 30), "factor": dice.roll(2, 4)},
)

dead = sentences(
    "dead-channels",
    chapter=CHAPTER,
    question="what does a ReLU put out where every sum is negative, and what gradient does it let through?",
    text="Which of these is true of a dead channel behind a ReLU?",
    cases=[
        Case("", "it is 0 for every picture, not only for one"),
        Case("", "its own weights get no gradient any more"),
        Case("", "without it the network answers just as before"),
        Case("", "it costs as much work as any other channel"),
        Case("", "many pictures have to be run to be sure of it"),
    ],
    wrong={
        "one black activation map is enough to prove it": "A picture may lack what the channel looks for.",
        "more training with the same rate will wake it up": "What gradient arrives where the slope of the "
        "ReLU is 0?",
        "the accuracy shows that it is there": "Compare the accuracies of the two networks of this section.",
        "all of its weights have become 0": "Its sums are negative everywhere. That takes no weight of 0.",
        "the framework warns of it": "Nothing fails, and nothing is said: loss and accuracy look fine.",
    },
)

slip = sentences(
    "receptive-field-slip",
    chapter=CHAPTER,
    question="what would you have to compute, or look at, to check what was said?",
    text="A colleague says: {situation} Where is the slip?",
    cases=among(
        {
            "looked at the border only": "Nothing is said here of outputs at the border.",
            "added strides up": "No strides have been added up here.",
            "let a stride widen its own layer": "It is not the stride of the layer itself that has been "
            "misplaced here.",
            "left the pooling out": "Is a pooling named that has not been counted?",
            "took what is seen for what is used": "Nothing is said here of how much an input counts.",
            "overlooked the holes": "Is there any layer here that skips inputs?",
            "took padding for picture": "Do these outputs lie at the border, where padding is seen?",
            "took accuracy for health": "The accuracy is not the argument here.",
        },
        (
            "“I moved the picture by 8 and the first column of the map differs, so convolution is not "
            "equivariant.”",
            "looked at the border only",
        ),
        (
            "“Three layers with stride 2 each: neighbours in the last map lie 6 pixels apart.”",
            "added strides up",
        ),
        (
            "“One layer with a kernel of 3 and stride 2: each output sees 5 inputs.”",
            "let a stride widen its own layer",
        ),
        (
            "“A kernel of 3, a pooling of 2 with stride 2, a kernel of 3: each output sees 5 inputs.”",
            "left the pooling out",
        ),
        (
            "“The field has 212 of 224 pixels, so what stands at the margin of the photograph weighs as much "
            "as the middle.”",
            "took what is seen for what is used",
        ),
        (
            "“Three layers of width 3 with dilation 2 span 13 inputs, so each output reads 13.”",
            "overlooked the holes",
        ),
        (
            "“The output in the corner of a deep map looks at 212 by 212 pixels of the photograph.”",
            "took padding for picture",
        ),
        (
            "“97 % of the digits are read rightly, so all channels must be at work.”",
            "took accuracy for health",
        ),
    ),
)

QUIZZES = (
    Quiz("three-properties", "Three properties", behind, saved),
    Quiz("move-the-input", "Move the input", moved, keeps),
    Quiz("on-a-photograph-and-where-it-breaks", "On a photograph, and where it breaks", exact, inside),
    Quiz("equivariance-is-not-invariance", "Equivariance is not invariance", movement),
    Quiz("what-does-an-output-see", "What does an output see?", sees),
    Quiz("four-ways-to-see-more", "Four ways to see more", cost, needed),
    Quiz("three-3x3-or-one-7x7", "Three 3×3 or one 7×7?", alike),
    Quiz("where-exactly-does-it-look", "Where exactly does it look?", where),
    Quiz("seeing-is-not-using", "Seeing is not using", paths, used),
    Quiz("limits-of-the-plain-convolution", "Limits of the plain convolution", widened, dead),
    Quiz("what-goes-wrong-with-receptive-fields", "What goes wrong", slip),
)
