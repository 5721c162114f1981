"""Chapter 10: down and up again, and what a transposed convolution is and is not."""

from __future__ import annotations

from typing import Any

from cnnlib.exercises.dice import Dice
from cnnlib.exercises.kinds.upsampling import WAYS
from cnnlib.exercises.quiz_data import Ask, Case, Quiz, among, sentences
from cnnlib.exercises.sheet import number_text

CHAPTER = "upsampling"


def _few(dice: Dice, count: int) -> tuple[int, ...]:
    return tuple(dice.pick((-2, -1, 1, 2, 3)) for _ in range(count))


# --- Down, and up by unpooling ------------------------------------------------------------------------

latent = Ask(
    "latent_values",
    "An encoder reads grey pictures of {side:square}. It has {layers} convolution layers with {filters} "
    "filters each, stride 2 and `same` padding. How many values has the latent representation at its end?",
    roll=lambda dice: {
        "side": dice.pick((8, 16, 24, 32, 40)),
        "layers": dice.roll(2, 3),
        "filters": dice.roll(2, 8),
    },
    bounds=(8, 800),
)

why_down = sentences(
    "why-down-first",
    chapter=CHAPTER,
    question="what would it cost to stay at the full size, and how far would a layer see?",
    text="A network must answer with a whole picture. Why does it go down first, and then up again?",
    cases=[
        Case("", "so that most of its layers have few places to work at"),
        Case("", "so that a few layers see a large part of the picture"),
        Case("", "so that each pixel of the answer can depend on far-away ones"),
        Case("", "so that it is not made slow by many layers at full size"),
    ],
    wrong={
        "because layers with stride 1 cannot answer with a picture": "With `same` padding and stride 1 every "
        "layer keeps the size.",
        "because whatever is lost on the way down comes back on the way up": "Of four numbers one is left. "
        "Is there any layer that knows the other three?",
        "because with stride 1 the receptive field never grows": "It grows by F − 1 a layer, which is "
        "little.",
        "because a decoder has no weights to learn": "Look at the layers of the way up in this section.",
        "because the latent representation must be as large as the answer": "How many values has it, and how "
        "many has the picture?",
    },
)


back = Ask(
    "unpooled",
    "This map is max-pooled by 2×2 and then enlarged again ({way}):\n{picture:rows}\nWhat comes out?",
    given={"windows": 2},
    choose=True,
)

again = Ask(
    "pooled_again",
    lambda task: (
        f"A pooled map holds the single value {number_text(task.given['value'])}. It is enlarged to 2×2 "
        f"({task.given['way']}), and the result is max-pooled by 2×2 again. What comes out?"
    ),
    roll=lambda dice: {"value": 4 * dice.pick((-1, -1, -1, 1)) * dice.roll(1, 9), "way": dice.pick(WAYS)},
)

# --- Transposed convolution, seen three ways ----------------------------------------------------------


def _stamps(dice: Dice) -> dict[str, Any]:
    stride = dice.roll(2, 3)
    return {
        "signal": tuple(dice.roll(1, 4) for _ in range(2)),
        "kernel": _few(dice, stride + 1),
        "stride": stride,
    }


stamped = Ask(
    "stamped_row",
    "A transposed convolution has the kernel {kernel:list} and stride {stride}, without padding. What does "
    "it make of the row {signal:list}?",
    roll=_stamps,
    choose=True,
)

matrix = sentences(
    "matrix-transposed",
    chapter=CHAPTER,
    question="in y = A x, what stands in a row of A, and what in a column of its transpose?",
    text="A is the matrix of a convolution with stride 2, and Aᵀ that of its transposed convolution. Which "
    "of these is true?",
    cases=[
        Case("", "a row of A is the kernel at one place of the window"),
        Case("", "a column of Aᵀ is the stamp of one input"),
        Case("", "Aᵀ has more rows than columns"),
        Case("", "A and Aᵀ are made of the same weights"),
        Case("", "Aᵀ takes as many values as A puts out"),
    ],
    wrong={
        "Aᵀ A is the matrix that changes nothing": "Transposing is not inverting. What does Aᵀ give back?",
        "Aᵀ has weights of its own, which are learned apart": "Rows and columns change places. What becomes "
        "of the numbers?",
        "Aᵀ has fewer rows than columns": "Does it lead from few values to many, or from many to few?",
        "a column of A is the kernel at one place of the window": "A column belongs to an input. To how many "
        "windows does that input belong?",
        "Aᵀ holds no zeros": "Each stamp is as long as the kernel, and the output is longer.",
    },
)

axes = Ask(
    "transposed_weights",
    "A transposed convolution leads from {channels} channels to {filters}, with {kernel_size:square} "
    "kernels. Which shape has its array of weights in Keras?",
    roll=lambda dice: {
        "kernel_size": dice.pick((2, 3, 4)),
        "channels": dice.roll(5, 12),
        "filters": dice.roll(1, 4),
    },
    choose=True,
)

framed = Ask(
    "framed_size",
    "A transposed convolution with kernel {kernel_size} and stride {stride}, without padding, is computed "
    "the third way: zeros between the {size} inputs, then a frame of zeros. How long is the row over which "
    "the turned kernel slides?",
    roll=lambda dice: {
        "size": dice.roll(3, 8),
        "kernel_size": dice.roll(2, 5),
        "stride": dice.roll(2, 4),
    },
)

products = Ask(
    "up_products",
    "A transposed convolution reads {input_shape} and has {filters} filters, {kernel_size:square} kernels "
    "and stride {strides}. How many products do its stamps take?",
    roll=lambda dice: {
        "input_shape": (dice.pick((4, 5)), dice.pick((4, 5)), dice.roll(2, 4)),
        "kernel_size": dice.roll(2, 4),
        "filters": dice.pick((2, 3, 5)),
        "strides": dice.roll(2, 3),
    },
    bounds=(100, 4000),
)

# --- Sizes, and what it is not ------------------------------------------------------------------------

size_up = Ask(
    "transposed_size",
    "A transposed convolution has kernel {kernel_size}, stride {stride}, padding {padding} and output "
    "padding {output_padding}. How many outputs does it make of {size} inputs?",
    roll=lambda dice: {
        "size": dice.roll(4, 12),
        "stride": (stride := dice.roll(2, 3)),
        "kernel_size": stride + dice.roll(1, 3),
        "padding": dice.roll(1, 2),
        "output_padding": dice.roll(0, stride - 1),
    },
)

keras_size = Ask(
    "keras_transposed_size",
    "A `Conv1DTranspose` of Keras has `kernel_size={kernel_size}`, `strides={stride}` and "
    "`padding='{mode}'`. How many outputs does it make of {size} inputs?",
    roll=lambda dice: {
        "size": dice.roll(4, 12),
        "kernel_size": dice.roll(2, 5),
        "stride": dice.roll(2, 5),
        "mode": dice.pick(("same", "valid")),
    },
)

inverse = sentences(
    "not-an-inverse",
    chapter=CHAPTER,
    question="what does the transpose of a matrix give back, and what only its inverse?",
    text="{situation}",
    cases=[
        Case(
            "A photograph is blurred. The transposed convolution with the same kernel follows. What is seen?",
            "the photograph, blurred twice",
            {
                "the sharp photograph": "That is what deconvolution is for. What does one more kernel of "
                "positive weights do?",
                "the sharp photograph, but for a dark border": "Not only the border is concerned: look at "
                "what stamps of a blur do.",
                "edges on a grey ground": "For edges the weights would have to have both signs.",
            },
        ),
        Case(
            "Seven values go through a convolution with kernel 3 and stride 2, and through its transpose. "
            "What comes back?",
            "seven values, not the same ones",
            {
                "the same seven values": "Three numbers were left on the way. Can they hold seven?",
                "three values": "Those are there in between. What size does the transpose lead to?",
                "the same values, times 3": "Where stamps overlap and how strong they are differs from place "
                "to place.",
            },
        ),
        Case(
            "A blurred photograph is to become sharp again. Which method does it, at least without rounding?",
            "solving the equations of the blur",
            {
                "the transposed matrix of the blur": "The transpose is no inverse. Try it on a blur of two "
                "weights.",
                "the blur with its kernel turned round": "A turned bell is a bell.",
                "upsampling and a second blur": "Each blur takes more away.",
            },
        ),
        Case(
            "A is the matrix of a convolution. Which equation holds for all x and y of fitting sizes?",
            "⟨A x, y⟩ = ⟨x, Aᵀ y⟩",
            {
                "Aᵀ A x = x": "Then the transpose would be an inverse.",
                "A Aᵀ y = y": "Then the transpose would be an inverse, from the other side.",
                "⟨A x, y⟩ = ⟨Aᵀ x, y⟩": "x and y have different sizes: what can Aᵀ be applied to?",
            },
        ),
        Case(
            "A paper calls its `Conv2DTranspose` layers “deconvolutions”. What does the word promise that "
            "they do not keep?",
            "that a convolution is undone",
            {
                "that the shape comes back": "The shape is what they do give back.",
                "that the weights are learned": "Their weights are learned.",
                "that the picture becomes larger": "With a stride above 1 it does become larger.",
            },
        ),
        Case(
            "A picture is blurred, rounded to whole grey levels, and the equations of the blur are solved. "
            "What comes out?",
            "noise",
            {
                "the sharp picture": "So it would be without rounding. How well do the equations bear "
                "errors?",
                "the blurred picture": "Solving does undo the blur, and something else with it.",
                "the picture, blurred twice": "That is what the transpose makes.",
            },
        ),
    ],
)


def _slopes(dice: Dice) -> dict[str, Any]:
    return {
        "gradient": tuple(dice.roll(-2, 4) for _ in range(5)),
        "kernel": _few(dice, 3),
        "stride": 2,
    }


slopes = Ask(
    "input_slopes",
    "A transposed convolution with the kernel {kernel:list} and stride {stride} made 5 outputs of 2 inputs. "
    "The loss has the gradient {gradient:list} with respect to the outputs. What is it with respect to the "
    "inputs?",
    roll=_slopes,
    choose=True,
)

# --- Checkerboards ------------------------------------------------------------------------------------

meet = Ask(
    "overlaps",
    lambda task: (
        f"{task.given['size']} inputs, kernel {task.given['kernel_size']}, stride {task.given['stride']}, no "
        "padding. How many stamps of the transposed convolution meet in each output, from left to right?"
    ),
    roll=lambda dice: {
        "size": dice.roll(3, 4),
        **dict(
            zip(
                ("kernel_size", "stride"),
                dice.pick(((3, 2), (5, 2), (4, 3), (5, 3), (4, 2), (6, 3))),
                strict=True,
            )
        ),
    },
    choose=True,
)

balance = Ask(
    "balancing_weight",
    "A kernel for stride 2 has four weights; the first three are {kernel:list}. What must the fourth be for "
    "a constant row to be enlarged without a pattern?",
)

# --- Cleaning digits, and what goes wrong -------------------------------------------------------------

learned = Ask(
    "transposed_parameters",
    "A layer of a decoder leads from {channels} channels to {filters} by a transposed convolution with "
    "{kernel_size:square} kernels, with biases. How many parameters does it learn?",
    roll=lambda dice: {
        "kernel_size": dice.pick((2, 4)),
        "channels": dice.pick((4, 5, 8, 10)),
        "filters": dice.roll(1, 6),
    },
)

bridges = sentences(
    "segnet-or-unet",
    chapter=CHAPTER,
    question="what is handed over from the way down, and what does the step that enlarges learn?",
    text="{situation} Of which network is that true?",
    cases=among(
        {
            "SegNet": "SegNet keeps the switches of its max pooling and unpools by them.",
            "U-Net": "U-Net enlarges by transposed convolutions and sets whole maps beside the result.",
            "both of them": "Think of what SegNet remembers and of what U-Net hands over: are they alike "
            "here?",
            "neither of them": "Go through both networks: what do they hand across, and how do they enlarge?",
        },
        ("From the way down it hands over places, not values.", "SegNet"),
        ("From the way down it hands over whole feature maps.", "U-Net"),
        ("The step that enlarges learns nothing.", "SegNet"),
        ("It enlarges by stamps that touch without overlapping.", "U-Net"),
        ("It gives every pixel a class, so it has to come up again.", "both of them"),
        ("Convolutions stand behind the step that enlarges.", "both of them"),
        ("It hands nothing over: all has to pass through the narrow middle.", "neither of them"),
        ("It repeats each value over its window, to enlarge.", "neither of them"),
    ),
)

wrong = sentences(
    "upsampling-slip",
    chapter=CHAPTER,
    question="which of the chapter's numbers (size, axes, counts, switches) does not fit here?",
    text="{situation} What is the likely cause?",
    cases=among(
        {
            "an inverse was hoped for": "Nobody tries to undo anything here.",
            "the stride does not divide the kernel": "Is there a regular pattern here?",
            "filters and channels were exchanged": "Has anybody filled in weights by hand here?",
            "sizes were not divisible by the strides": "Sizes are not at issue here.",
            "switches of another picture were used": "Does anything stand at the wrong place here?",
            "fewer stamps reach the border": "Is it the border that differs here?",
        },
        (
            "After a transposed convolution with the weights of the blur, a blurred photograph is blurrier "
            "than before.",
            "an inverse was hoped for",
        ),
        (
            "An untrained decoder with kernel 3 and stride 2 weaves a fine grid over every picture.",
            "the stride does not divide the kernel",
        ),
        (
            "Weights of shape (4, 4, 8, 8) were copied from a `Conv2D` into a `Conv2DTranspose`. No error, "
            "but a wrong picture.",
            "filters and channels were exchanged",
        ),
        (
            "On the way down 7 becomes 4, on the way up 4 becomes 8, and the skip connection does not fit.",
            "sizes were not divisible by the strides",
        ),
        (
            "After max unpooling, every value of a map stands in its own window, but nearly all at wrong "
            "corners.",
            "switches of another picture were used",
        ),
        (
            "A grey area, enlarged with kernel 4 and stride 2, has a dark frame; inside it is even.",
            "fewer stamps reach the border",
        ),
    ),
)

QUIZZES = (
    Quiz("down-through-and-up", "Down, through, and up", why_down, latent),
    Quiz("unpooling-where-to-put-one-number", "Unpooling: where to put one number", back, again),
    Quiz(
        "transposed-convolution-stamps-that-overlap", "Transposed convolution: stamps that overlap", stamped
    ),
    Quiz("the-second-view-a-matrix-transposed", "The second view: a matrix, transposed", matrix, axes),
    Quiz(
        "the-third-view-zeros-between-then-an-ordinary-convolution",
        "The third view: zeros between, then an ordinary convolution",
        framed,
    ),
    Quiz("in-two-dimensions", "In two dimensions", products),
    Quiz("how-large-is-the-output", "How large is the output?", size_up, keras_size),
    Quiz("not-an-inverse", "Not an inverse", inverse),
    Quiz("backward-up-and-down-change-places", "Backward: up and down change places", slopes),
    Quiz("checkerboards", "Checkerboards", meet, balance),
    Quiz("the-real-thing-cleaning-digits", "The real thing: cleaning digits", bridges, learned),
    Quiz("what-goes-wrong-going-up", "What goes wrong", wrong),
)
