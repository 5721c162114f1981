"""Chapter 4: kernels over pictures: what they ask for, what they cost, along which axes they slide."""

from __future__ import annotations

from typing import Any

from cnnlib.exercises.dice import Dice
from cnnlib.exercises.quiz_data import Ask, Case, Quiz, among, sentences

CHAPTER = "two-dimensions"

ROWS = sentences(
    "quiz-what-a-row-cannot-see",
    chapter=CHAPTER,
    question="do two pixels that lie side by side in a row differ, and which of them is brighter?",
    text="The kernel (−1, 1) slides along each row of a picture. {situation} What does it answer?",
    cases=among(
        {
            "positive numbers along an edge": "That takes a pixel that is darker than its right neighbour.",
            "negative numbers along an edge": "That takes a pixel that is brighter than its right neighbour.",
            "0 everywhere": "That takes rows in which all pixels are equal.",
            "one positive and one negative number in every row": "That takes rows in which the brightness "
            "rises "
            "once and falls once.",
        },
        ("The left half is dark, the right half bright.", "positive numbers along an edge"),
        ("The upper half is dark, the lower half bright.", "0 everywhere"),
        ("The left half is bright, the right half dark.", "negative numbers along an edge"),
        ("A bright upright bar stands on dark ground.", "one positive and one negative number in every row"),
        ("A bright level bar, as wide as the picture, lies on dark ground.", "0 everywhere"),
        ("Every row has one brightness of its own.", "0 everywhere"),
        (
            "Every row is dark but for one even, bright stretch in its middle.",
            "one positive and one negative number in every row",
        ),
    ),
)

LEARNED = sentences(
    "quiz-learned-or-chosen",
    chapter=CHAPTER,
    question="has it to be said before the first step of training, or does training find it?",
    text="A convolution layer learns from examples. {situation}: is it learned or chosen?",
    cases=among(
        {
            "learned: a parameter": "Training changes numbers; how many numbers there are, and how they "
            "slide, "
            "it cannot change.",
            "chosen: a hyperparameter": "Would anybody write it down before training begins?",
            "neither: it follows from the rest": "Nothing else decides it.",
        },
        ("The number in the middle of the kernel", "learned: a parameter"),
        ("The height of the kernel", "chosen: a hyperparameter"),
        ("The bias", "learned: a parameter"),
        ("The stride", "chosen: a hyperparameter"),
        ("The number of filters", "chosen: a hyperparameter"),
        ("How wide the output is", "neither: it follows from the rest"),
        ("Whether the input is padded", "chosen: a hyperparameter"),
        ("The weight in the upper left corner of the kernel", "learned: a parameter"),
        ("How many weights there are", "neither: it follows from the rest"),
    ),
)

ASKS_FOR = sentences(
    "quiz-what-a-kernel-asks-for",
    chapter=CHAPTER,
    question="what lies under the positive weights, and what under the negative ones?",
    text="The vertical Sobel kernel has the rows (−1, 0, 1), (−2, 0, 2), (−1, 0, 1). It meets {situation}. "
    "What "
    "is its answer there?",
    cases=among(
        {
            "positive": "What lies under the right column would have to be brighter than what lies under "
            "the left.",
            "negative": "What lies under the right column would have to be darker than what lies under the "
            "left.",
            "zero": "Left and right differ here.",
        },
        ("a wall that becomes brighter from left to right", "positive"),
        ("an even, very bright sky", "zero"),
        ("the right edge of a bright band on dark ground", "negative"),
        ("the left edge of a bright band on dark ground", "positive"),
        ("a level edge, dark above and bright below", "zero"),
        ("the left edge of a dark post before a bright wall", "negative"),
        ("a wall that becomes brighter from top to bottom", "zero"),
        ("the right edge of a dark post before a bright wall", "positive"),
    ),
)

CLASSIC = sentences(
    "quiz-classic-kernels",
    chapter=CHAPTER,
    question="do the weights sum to 1 or to 0, and is there a direction in them?",
    text="{situation} Which kernel is that?",
    cases=among(
        {
            "box blur": "A box blur has equal weights, which smears small things over a square.",
            "Gaussian blur": "A Gaussian blur weighs near pixels more than far ones, alike in all "
            "directions.",
            "Laplacian": "A Laplacian is silent on even ground and answers to edges of every direction.",
            "sharpen": "Sharpening keeps the picture and adds to each pixel how much that stands out.",
            "emboss": "Emboss keeps the picture and adds what is below and to the right, minus what is above "
            "and to "
            "the left.",
            "vertical Sobel": "The vertical Sobel is silent on even ground and on level edges.",
            "identity": "The identity gives back what goes in.",
        },
        ("Its nine weights are all 1/9.", "box blur"),
        ("Fine grain goes, and no square marks appear.", "Gaussian blur"),
        ("Every outline, whatever its direction, becomes a pair of lines; the rest is grey.", "Laplacian"),
        ("It is the sum of the identity and the Laplacian.", "sharpen"),
        ("The picture looks like a relief lit from the upper left.", "emboss"),
        ("Upright poles can still be seen, and the horizon is gone.", "vertical Sobel"),
        ("Its weights are 0 but for a 1 in the middle.", "identity"),
        ("Four in the middle, −1 above, below, left and right.", "Laplacian"),
        ("Five in the middle, −1 above, below, left and right.", "sharpen"),
        ("Right minus left, in three rows that count 1, 2 and 1.", "vertical Sobel"),
    ),
)

SEPARABLE = sentences(
    "quiz-separable",
    chapter=CHAPTER,
    question="are all rows multiples of one row?",
    text="A kernel has the rows {situation}. Is it a column times a row?",
    cases=among(
        {
            "yes": "Find one row of which all the others are multiples.",
            "no": "A multiple may be 0 or negative, too.",
            "only if its weights sum to 0": "The sum decides between blurs and edges. It has nothing to do "
            "with "
            "columns and rows.",
        },
        ("(1, 2, 1), (2, 4, 2), (1, 2, 1)", "yes"),
        ("(0, 1, 0), (1, −4, 1), (0, 1, 0)", "no"),
        ("(−1, 0, 1), (−1, 0, 1), (−1, 0, 1)", "yes"),
        ("(1, 1, 0), (1, 0, −1), (0, −1, −1)", "no"),
        ("(0, 0, 0), (0, 1, 0), (0, 0, 0)", "yes"),
        ("(1, 2, 1), (0, 0, 0), (−1, −2, −1)", "yes"),
        ("(1, 0, 0), (0, 1, 0), (0, 0, 1)", "no"),
        ("(3, 1, 2), (6, 2, 4), (3, 1, 3)", "no"),
        ("(2, 4, 6), (−1, −2, −3), (0, 0, 0)", "yes"),
    ),
)

LARGER = sentences(
    "quiz-larger-things",
    chapter=CHAPTER,
    question="what does each of the two ways change: the kernel, the picture, the work, the detail?",
    text="A kernel for discs finds the rims of coins, which are four times as wide as the disc. {situation}",
    cases=[
        Case(
            "Which two ways make it see whole coins?",
            "a kernel four times as wide, or a picture a quarter as wide",
            {
                "a kernel a quarter as wide, or a picture four times as wide": "Both make the coins larger "
                "still "
                "beside the kernel.",
                "four times as many kernels, or a stride of a quarter": "More kernels of the same size see "
                "no "
                "more at a time.",
                "brighter weights, or a brighter picture": "Brightness does not change how much the window "
                "sees.",
            },
        ),
        Case(
            "The kernel is enlarged by repeating each weight 4×4 times, divided by 16. Why is that as good "
            "as "
            "shrinking the picture by means of 4×4?",
            "each weight meets the mean of 16 pixels both ways",
            {
                "the larger kernel has the same number of weights": "It has 16 for each one of before.",
                "the coins become smaller both ways": "In the first way they stay as large as they are.",
                "both ways lose the same detail of the coins": "Detail is lost, but why are the results "
                "equal?",
            },
        ),
        Case(
            "Which of the two ways takes less work, and why?",
            "the smaller picture: fewer products at each place",
            {
                "the larger kernel: it needs to be slid only once": "Both are slid once. Count the weights.",
                "the larger kernel: it fits at fewer places": "A little fewer; but each place takes 16 "
                "times the "
                "products.",
                "neither: the results are the same": "The same result can be had at different cost.",
            },
        ),
        Case(
            "Someone shrinks the picture by keeping every fourth pixel. What is wrong with that?",
            "detail that the new grid cannot hold returns as a false pattern",
            {
                "the picture becomes darker": "The pixels that stay keep their values.",
                "the coins are no longer round": "Both axes shrink alike.",
                "the kernel no longer fits": "The picture is as large as with means over 4×4.",
            },
        ),
        Case(
            "In an image pyramid the kernel stays 13×13 on all levels. What does it see on the higher ones?",
            "an ever larger part of the scene",
            {
                "an ever smaller part of the scene": "The picture shrinks, the window does not.",
                "the same part, with more detail": "Shrinking adds no detail.",
                "the same part, with less detail": "Less detail it is; but how much of the picture do 13 "
                "pixels "
                "cover there?",
            },
        ),
    ],
)

COMPUTED = sentences(
    "quiz-how-it-is-computed",
    chapter=CHAPTER,
    question="what is laid out, the kernel or the picture, and how large does that become?",
    text="{situation}",
    cases=[
        Case(
            "Why does nobody multiply by the whole matrix that takes the kernel apart?",
            "nearly all of it is 0",
            {
                "its numbers are not exact": "They are the weights themselves.",
                "it would have to be learned": "It holds the weights, at several places each.",
                "it holds each pixel several times": "That is the price of laying out windows.",
            },
        ),
        Case(
            "What is the price of laying every window out as a row?",
            "memory: a pixel stands in many rows",
            {
                "the result is rounded": "The products and sums are the same.",
                "more products are computed": "There are as many as in the loops.",
                "the kernel has to be symmetric": "The kernel becomes a column, whatever it is.",
            },
        ),
        Case(
            "Loops, a matrix, rows of windows and a product of spectra give the same numbers. What differs?",
            "how many products they take, and how much memory",
            {
                "whether the kernel is flipped": "They all compute the same operation.",
                "the size of the output": "It would not be the same result.",
                "the number of parameters": "The weights are the same ones.",
            },
        ),
        Case(
            "For which kernels does a product of spectra (FFT) pay?",
            "for large ones: its cost is the same for every size",
            {
                "for small ones: few numbers are transformed": "It is the picture that is transformed.",
                "for separable ones: they have rank 1": "Those can be slid as column and row; to an FFT "
                "their rank "
                "is all the same.",
                "for symmetric ones: nothing is flipped": "Symmetry saves nothing there.",
            },
        ),
        Case(
            "A picture is flattened and multiplied by the matrix of a layer. What is one row of that matrix "
            "for?",
            "for one output",
            {
                "for one pixel": "That is a column.",
                "for one weight": "Every row holds all of the weights.",
                "for one row of the picture": "A row is as long as the whole picture.",
            },
        ),
    ],
)

WRONG = sentences(
    "quiz-two-dimensions-goes-wrong",
    chapter=CHAPTER,
    question="is it the order of axes, the sum of the weights, the sign, the number type, or the flip?",
    text="{situation} What is the likely cause?",
    cases=among(
        {
            "the weights do not sum to 1": "That changes the brightness of even ground.",
            "negative answers were cut off at 0": "That loses one half of the edges and leaves the other as "
            "it is.",
            "differences were taken in eight bits": "That turns small negative answers into large positive "
            "ones.",
            "one program flips the kernel, the other does not": "That shows where the kernel is not "
            "symmetric.",
            "width was given before height": "That exchanges the sides of a shape.",
            "the picture was shrunk without a blur": "That makes patterns which were never there.",
        },
        ("A blurred photograph comes out almost white.", "the weights do not sum to 1"),
        ("Only edges from dark to bright are seen.", "negative answers were cut off at 0"),
        (
            "Speckles of 250 and more stand where the picture gets a little darker.",
            "differences were taken in eight bits",
        ),
        (
            "Two programs agree on a Gaussian blur, and disagree on an emboss.",
            "one program flips the kernel, the other does not",
        ),
        (
            "A kernel for five columns and three rows covers five rows and three columns.",
            "width was given before height",
        ),
        (
            "A fine checked cloth shows broad stripes after it was made smaller.",
            "the picture was shrunk without a blur",
        ),
        (
            "A relief is lit from the lower right instead of the upper left.",
            "one program flips the kernel, the other does not",
        ),
        ("A running mean of 2×2 makes the picture four times as bright.", "the weights do not sum to 1"),
        (
            "The left edges of all posts are drawn, their right edges are black.",
            "negative answers were cut off at 0",
        ),
    ),
)


def _film(dice: Dice) -> dict[str, Any]:
    film = (dice.roll(4, 9), dice.roll(10, 16), dice.roll(17, 24))
    return {"film": film, "window": (dice.roll(2, 3), dice.roll(2, 5), dice.roll(2, 5))}


QUIZZES = (
    Quiz("what-a-row-cannot-see", "What a row cannot see", ROWS),
    Quiz(
        "twelve-numbers-and-four-weights",
        "Twelve numbers and four weights",
        Ask(
            "places",
            "A kernel of {kernel_size} (rows × columns) slides over a picture of {input_shape}, with stride "
            "1 and "
            "without padding. At how many places can it stand?",
            slips=3,
            bounds=(6, 60),
        ),
        LEARNED,
    ),
    Quiz(
        "what-a-kernel-asks-for",
        "What a kernel asks for",
        ASKS_FOR,
        Ask(
            "even_response",
            "A wall has the brightness {level} everywhere. What does this kernel answer "
            "there?\n{kernel:rows}",
            roll=lambda dice: {
                "kernel": tuple(tuple(dice.roll(-2, 3) for _ in range(3)) for _ in range(2)),
                "level": dice.roll(3, 12),
            },
            slips=3,
        ),
    ),
    Quiz("classic-kernels-on-a-photograph", "Classic kernels on a photograph", CLASSIC),
    Quiz(
        "columns-times-rows",
        "Columns times rows",
        Ask(
            "split_products",
            "A kernel of {kernel_size:square} can be split into a column and a row. How many products does "
            "each "
            "pixel take if the two slide one after the other?",
            slips=3,
        ),
        SEPARABLE,
    ),
    Quiz(
        "larger-things",
        "Larger things: a larger kernel or a smaller picture",
        Ask(
            "halvings",
            "A thing {size} pixels wide is to be found by a kernel of {kernel_size:square}. How often must "
            "the "
            "picture be halved until the thing just fills the kernel?",
        ),
        LARGER,
    ),
    Quiz(
        "what-two-dimensional-counts",
        'What "two-dimensional" counts',
        Ask(
            "sliding_axes",
            "A film has the shape {film} (time, height, width), a kernel the shape {window}. Along how many "
            "axes "
            "can the kernel slide, without padding?",
        ),
        Ask(
            "film_output",
            "A film has the shape {film} (time, height, width), a kernel the shape {window}. Which shape "
            "has the "
            "output, without padding?",
            roll=_film,
            slips=4,
        ),
    ),
    Quiz(
        "how-it-is-computed",
        "How it is computed",
        Ask(
            "window_rows",
            lambda task: (
                "A kernel of {k}×{k} slides over a grey picture of {h}×{w} pixels, without padding. All "
                "windows "
                "are laid out as the rows of a matrix (im2col). Which shape does it have?".format(
                    k=task.given["kernel_size"],
                    h=task.given["input_shape"][0],
                    w=task.given["input_shape"][1],
                )
            ),
            given={"channels": 1},
            slips=3,
        ),
        COMPUTED,
    ),
    Quiz("two-dimensions-goes-wrong", "What goes wrong", WRONG),
)
