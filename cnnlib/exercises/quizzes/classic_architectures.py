"""Chapter 12: what four networks are built of, what each pays, and which of their numbers may be compared."""

from __future__ import annotations

from collections import Counter
from typing import Any

from cnnlib.exercises.dice import Dice
from cnnlib.exercises.quiz_data import Ask, Case, Quiz, among, sentences
from cnnlib.exercises.tasks import Task

CHAPTER = "classic-architectures"

# --- Four bills, and what came before -----------------------------------------------------------------

bills = sentences(
    "which-bill",
    chapter=CHAPTER,
    question="is it about what is learned, what is computed, what is handed on, or what is seen?",
    text="Parameters, operations, activations, receptive field: {situation} Which of the four is it?",
    cases=among(
        {
            "the parameters": "Parameters are learned once and stored, however many places use them.",
            "the operations": "Operations are products: every weight, at every place where it is used.",
            "the activations": "Activations are the numbers that layers hand on, one for each place and map.",
            "the receptive field": "The receptive field tells how much of the image one unit depends on.",
        },
        ("one of them is due above all where the maps are largest.", "the activations"),
        ("one of them is due above all where maps first meet a dense layer.", "the parameters"),
        ("one of them is due above all where many filters visit many places.", "the operations"),
        ("one of them decides how large the file is in which a network is sent.", "the parameters"),
        ("one of them costs time and leaves nothing behind.", "the operations"),
        ("one of them is paid for in errors, if it is too small.", "the receptive field"),
        ("one of them is kept in training until the way back has passed.", "the activations"),
        ("one of them must not be smaller than the thing that is to be named.", "the receptive field"),
    ),
)

handed_on = Ask(
    "conv_values",
    "A layer reads {input_shape}. It has {filters} filters of {kernel_size:square}, stride {strides} and "
    "padding {padding}. How many values does it hand on?",
    roll=lambda dice: {
        "input_shape": (2 * dice.roll(4, 6), 2 * dice.roll(4, 6), dice.roll(2, 4)),
        "kernel_size": 3,
        "filters": dice.roll(5, 10),
        "strides": 1,
        "padding": 0,
    },
)

before = sentences(
    "before-lenet",
    chapter=CHAPTER,
    question="does it compute with shared weights, forget the exact place, bend, or learn?",
    text="{situation} What is that called today?",
    cases=among(
        {
            "a convolution": "A convolution: the same weighted sum at every place, for a whole plane.",
            "pooling": "Pooling gathers a neighbourhood, so that the exact place is forgotten.",
            "a ReLU": "A ReLU passes what is positive and makes the rest 0.",
            "training by a gradient": "A gradient tells each weight how the error changes with it.",
        },
        ("In the Neocognitron all S-cells of a plane share their weights.", "a convolution"),
        ("In the Neocognitron a C-cell gathers the S-cells of a neighbourhood.", "pooling"),
        ("Behind the sum of an S-cell, whatever is negative is cut off.", "a ReLU"),
        (
            "The Neocognitron lacked it; the network for postal codes had it nine years later.",
            "training by a gradient",
        ),
        (
            "Simple cells of the visual cortex, everywhere alike, answer to an edge at one place.",
            "a convolution",
        ),
        ("Complex cells answer to an edge anywhere in a small region.", "pooling"),
        ("Often credited to AlexNet, it had been used on images since 1969.", "a ReLU"),
    ),
)

# --- LeNet-5 and the competition ----------------------------------------------------------------------


def _seen(task: Task) -> str:
    maps, kernel = task.given["maps"], task.given["kernel_size"]
    counts = Counter(len(seen) for seen in task.given["table"])
    words = "; ".join(
        f"{count} of its filters read {seen} maps each" for seen, count in sorted(counts.items())
    )
    return (
        f"A layer with {kernel}×{kernel} kernels stands behind {maps} maps. {words}. Every filter has one "
        "bias. How many parameters does the layer learn?"
    )


def _table(dice: Dice) -> dict[str, Any]:
    maps = dice.roll(4, 6)
    few, more = dice.roll(2, 5), dice.roll(2, 4)
    table = (
        *[tuple((first + step) % maps for step in range(maps - 2)) for first in range(few)],
        *[tuple((first + step) % maps for step in range(maps - 1)) for first in range(more)],
    )
    return {"table": table, "maps": maps, "kernel_size": 3}


partly = Ask("partial_parameters", _seen, roll=_table)

then_and_now = sentences(
    "lenet-then-and-now",
    chapter=CHAPTER,
    question="is it in the network that read cheques, in the one that Keras builds today, or in both?",
    text="{situation} In which LeNet is that so?",
    cases=among(
        {
            "in that of 1998 only": "Would one build it so today, with ReLU, max pooling and softmax?",
            "in today's only": "What stood in its place in 1998?",
            "in both": "Is it so in each of the two? Go through the layers of one, then of the other.",
            "in neither": "Go through the layers of one of them.",
        },
        ("Its pooling layers have weights to learn.", "in that of 1998 only"),
        ("Its outputs are distances from fixed drawings of the digits.", "in that of 1998 only"),
        ("Some kernels between S2 and C3 are missing on purpose.", "in that of 1998 only"),
        ("Each class gets a probability from softmax.", "in today's only"),
        ("What is negative behind a convolution becomes 0.", "in today's only"),
        ("A weight of C1 is used at every place of its map.", "in both"),
        ("On the way through, maps become smaller and more numerous.", "in both"),
        ("Its first layer is a dense one.", "in neither"),
        ("Its pooling windows overlap.", "in neither"),
    ),
)

errors = Ask(
    "share_wrong",
    "For ten photographs, the right class stood at these places of a program's list of guesses: "
    "{ranks:list}. What is its top-{guesses} error, in per cent?",
    roll=lambda dice: {
        "ranks": tuple(dice.pick((1, 1, 2, 3, 4, 5, 5, 6, 7, 9)) for _ in range(10)),
        "guesses": dice.pick((1, 5, 5)),
    },
    bounds=(10, 90),
)

unlike = sentences(
    "like-with-like",
    chapter=CHAPTER,
    question="how many networks, how many guesses, how many crops, which images, and what was learned from?",
    text="{situation} All else is equal. What makes it wrong to compare their errors?",
    cases=among(
        {
            "one network against an ensemble": "Is anything said here of how many networks were averaged?",
            "top-1 against top-5": "Is anything said here of how many guesses are allowed?",
            "one crop against ten": "Is anything said here of how often each photograph is looked at?",
            "validation against test images": "Is anything said here of the images that are judged?",
            "with other data against without": "Is anything said here of what else was learned from?",
        },
        ("A's five networks vote; B has only one to ask.", "one network against an ensemble"),
        (
            "A's probabilities are means over seven trainings; B was trained once.",
            "one network against an ensemble",
        ),
        ("A is wrong if its first guess is; B may be right with any of five.", "top-1 against top-5"),
        ("A's one answer has to fit; B may name five things in the photograph.", "top-1 against top-5"),
        ("A looks at ten pieces of each photograph, B at the middle alone.", "one crop against ten"),
        (
            "A is judged by images that everybody could look at, B by those kept back.",
            "validation against test images",
        ),
        ("A had first seen millions of other photographs; B had not.", "with other data against without"),
    ),
)

# --- AlexNet, ZFNet, VGG ------------------------------------------------------------------------------

towers = Ask(
    "tower_parameters",
    "A {kernel_size:square} layer reads {channels} channels and has {filters} filters. It is split into "
    "{towers} towers, each of which reads its own half of the channels. How many parameters has it, biases "
    "counted?",
    given={"towers": 2},
    roll=lambda dice: {
        "kernel_size": 3,
        "channels": 2 * dice.roll(2, 6),
        "filters": 2 * dice.roll(2, 5),
    },
)

needed = Ask(
    "needed_input",
    "A layer with kernels of {kernel_size} and stride {stride}, without padding, shall make {outputs} "
    "outputs along an axis, and no input shall be left over. How many inputs does it need?",
    roll=lambda dice: {
        "outputs": dice.roll(5, 20),
        "kernel_size": dice.pick((5, 7, 11)),
        "stride": dice.roll(2, 4),
    },
)

#: Periods and strides; in the first row stripes come out that are not in the picture.
_STRIPES = (
    *((6, 4), (5, 4), (3, 2), (4, 3), (6, 5), (7, 6), (8, 6), (9, 6), (10, 8), (12, 8), (12, 9)),
    *((6, 2), (8, 2), (9, 3), (12, 3)),
)

stripes = Ask(
    "repeats_after",
    "Stripes have a period of {period} pixels. A filter that likes them slides over them with stride "
    "{stride}. After how many pixels do its answers repeat for the first time?",
    roll=lambda dice: dict(zip(("period", "stride"), dice.pick(_STRIPES), strict=True)),
)

denser = sentences(
    "denser-first-layer",
    chapter=CHAPTER,
    question="what becomes of the weights, the places and the stripes, if kernel and stride get smaller?",
    text="ZFNet's first layer has 7×7 kernels at stride 2, where AlexNet's has 11×11 at stride 4. What "
    "follows?",
    cases=[
        Case("", "its first maps take about four times the memory"),
        Case("", "fine stripes are less often mistaken for coarse ones"),
        Case("", "the layer has fewer weights than AlexNet's"),
        Case("", "each of its outputs sees fewer pixels at once"),
        Case("", "fewer places of the picture are thrown away"),
    ],
    wrong={
        "the layer has more weights than AlexNet's": "Weights grow with the area of the kernel.",
        "its first maps take less memory": "With half the stride, how many places are there along an axis?",
        "a map has half as many places": "Does a smaller stride visit more places or fewer?",
        "each of its outputs sees more of the picture": "One output of the first layer sees what its kernel "
        "covers.",
        "the whole network takes a quarter of the work": "The work was hardly changed, if at all upwards.",
    },
)

one_for_many = Ask(
    "equal_kernel",
    "{depth} layers with {kernel_size:square} kernels and stride 1 stand one behind the other. How wide is "
    "the kernel of a single layer that sees as much?",
)

in_block = Ask(
    "stack_weights",
    "A block of VGG has {depth} layers of 3×3. It reads {before} channels and has {channels} filters in each "
    "layer. How many weights are there in the block? (No biases.)",
    roll=lambda dice: {
        "kernel_size": 3,
        "depth": dice.roll(2, 3),
        "before": (half := dice.pick((2, 4, 5, 10))),
        "channels": 2 * half,
    },
)

# --- Where memory goes --------------------------------------------------------------------------------

kept = Ask(
    "training_values",
    "A network has {parameters:,} parameters and makes {activations:,} activations for one image. It is "
    "trained with momentum, in batches of {batch}. How many values are kept, at the least?",
    roll=lambda dice: {
        "parameters": 1000 * dice.roll(1, 9),
        "activations": 100 * dice.roll(2, 9),
        "batch": dice.pick((4, 8, 10, 20)),
    },
)

why_kept = sentences(
    "why-activations-are-kept",
    chapter=CHAPTER,
    question="what does the way back need that was computed on the way forward?",
    text="{situation}",
    cases=[
        Case(
            "Why must a convolution's inputs be kept until the way back?",
            "for the gradient of its weights",
            {
                "for the gradient of its biases": "That is a sum of what arrives from above, and nothing "
                "else.",
                "to know which of them won": "No input wins in a convolution.",
                "to compute its outputs anew": "The outputs are there. What else are inputs multiplied with?",
            },
        ),
        Case(
            "Why does ReLU have to keep something?",
            "to know where it was open",
            {
                "to know how large its weights were": "It has none.",
                "to average over the batch": "It looks at one value at a time.",
                "to know which of four inputs won": "It has one input for each output.",
            },
        ),
        Case(
            "Why does max pooling have to keep something?",
            "to know which input won",
            {
                "to share the gradient out in equal parts": "So average pooling does.",
                "to update its weights": "It has none.",
                "to know how large the maximum was": "The gradient does not care how large it was.",
            },
        ),
        Case(
            "The network is only used, not trained. Which of a layer's values may be forgotten as soon as "
            "its outputs are there?",
            "its inputs",
            {
                "its outputs": "The next layer needs them.",
                "its weights": "The next image needs them.",
                "none of them": "Who would still ask for what the layer has read?",
            },
        ),
        Case(
            "The batch is doubled. What does not take more memory?",
            "weights, their gradient and momentum",
            {
                "the maps of the first convolutions": "There are as many maps as there are images, times "
                "filters.",
                "the outputs of pooling layers": "Every image has its own.",
                "what the backward pass needs of the way forward": "It needs it for every image.",
            },
        ),
        Case(
            "What saves memory in training at the price of one more way forward?",
            "computing dropped activations anew",
            {
                "halving the number of bits": "That takes no second way forward.",
                "subsampling in the first layers": "That makes the way forward shorter.",
                "a global mean in place of dense layers": "That saves parameters; activations hardly change.",
            },
        ),
    ],
)

bought = sentences(
    "vgg-against-alexnet",
    chapter=CHAPTER,
    question="which of the bills did thirteen small convolutions run up, and which hardly?",
    text="VGG-16 against AlexNet: which of these is true?",
    cases=[
        Case("", "the work became some twenty times as much"),
        Case("", "the parameters only about doubled"),
        Case("", "more than half of the errors went away"),
        Case("", "before the dense layers, both see most of the image"),
        Case("", "the activations became about eleven times as many"),
    ],
    wrong={
        "the parameters became some twenty times as many": "Most of them are in the first dense layer. How "
        "much larger has it become?",
        "small kernels made the work less": "There are more of them, on larger maps, with more channels.",
        "with kernels of 3×3 it sees a smaller part of the image": "Thirteen small windows add up.",
        "its dense layers do most of the work": "How often is a weight of a dense layer used?",
        "most of its activations are made by dense layers": "Compare 4,096 values with 64 maps of 224×224.",
    },
)

larger = Ask(
    "dense_of_larger_map",
    "A dense layer of {units} units reads maps of {map_shape}. Now the picture becomes {factor} times as "
    "high and as wide, and so do the maps. How many parameters would the dense layer need then, biases "
    "counted?",
    roll=lambda dice: {
        "map_shape": (dice.roll(2, 3), dice.roll(2, 4), dice.pick((2, 5, 10))),
        "units": dice.pick((3, 5, 10)),
        "factor": dice.roll(2, 3),
    },
)

slip = sentences(
    "architecture-slip",
    chapter=CHAPTER,
    question="which two numbers are compared, and are they of one kind?",
    text="A colleague says: {situation} Where is the slip?",
    cases=among(
        {
            "errors of two kinds were compared": "No two errors are compared here.",
            "one name was taken for one network": "Is it the name that is argued from?",
            "parameters were taken for memory": "Nothing is said here of how much memory there is.",
            "the first dense layer was overlooked": "Is a picture of another size at issue here?",
            "a total was copied, not added up": "Has anybody quoted a total here?",
        },
        (
            "“Your AlexNet must be wrong: you count 62 million parameters, and theirs has 61.”",
            "one name was taken for one network",
        ),
        (
            "“Their code says AlexNet and takes 224 pixels, ours 227; so one of the two is no AlexNet.”",
            "one name was taken for one network",
        ),
        (
            "“138 million parameters are half a gigabyte, so VGG-16 trains on a card of 1 GB, however large "
            "the batch.”",
            "parameters were taken for memory",
        ),
        (
            "“Convolutions take pictures of any size, so VGG-16 does, as it stands.”",
            "the first dense layer was overlooked",
        ),
        (
            "“Their seven networks have 7.3 %, our one has 8.8 %. Theirs is the better design.”",
            "errors of two kinds were compared",
        ),
        (
            "“VGG-16 makes 24 million activations; it says so at the foot of the table in the course notes.”",
            "a total was copied, not added up",
        ),
    ),
)

QUIZZES = (
    Quiz("four-bills", "Four bills", bills, handed_on),
    Quiz("before-lenet", "Before LeNet", before),
    Quiz("lenet-5-as-it-was", "LeNet-5, as it was", then_and_now, partly),
    Quiz("a-competition", "A competition", errors, unlike),
    Quiz("alexnet", "AlexNet", towers, needed),
    Quiz("zfnet", "ZFNet", stripes, denser),
    Quiz("vgg", "VGG", one_for_many, in_block),
    Quiz(
        "where-memory-goes-and-where-parameters-go",
        "Where memory goes, and where parameters go",
        kept,
        why_kept,
    ),
    Quiz("what-each-choice-bought", "What each choice bought", bought),
    Quiz("what-goes-wrong-in-comparing", "What goes wrong", larger, slip),
)
