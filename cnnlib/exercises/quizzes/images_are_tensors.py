"""Chapter 3: pictures as arrays: axes, orders, bytes, ranges."""

from __future__ import annotations

from typing import Any

from cnnlib.exercises.dice import Dice
from cnnlib.exercises.quiz_data import Ask, Case, Quiz, among, sentences

CHAPTER = "images-are-tensors"

PLANES = sentences(
    "quiz-planes",
    chapter=CHAPTER,
    question="how much red, how much green and how much blue are in this colour?",
    text="How does {situation} look in the three planes of a colour picture?",
    cases=among(
        {
            "bright in red, dark in green and blue": "That is what red looks like.",
            "dark in red and green, bright in blue": "That is what blue looks like.",
            "bright in red and green, dark in blue": "Red and green light together make another colour.",
            "bright in all three": "All three together make white.",
            "dark in all three": "No light of any colour is black.",
            "equally grey in all three": "Three equal numbers of middle size make a grey.",
        },
        ("a red traffic light", "bright in red, dark in green and blue"),
        ("a deep blue sky", "dark in red and green, bright in blue"),
        ("snow in the sun", "bright in all three"),
        ("the pupil of an eye", "dark in all three"),
        ("a yellow lemon", "bright in red and green, dark in blue"),
        ("a sheet of grey paper", "equally grey in all three"),
        ("an orange suit", "bright in red, dark in green and blue"),
    ),
)

ORDERS = sentences(
    "quiz-orders",
    chapter=CHAPTER,
    question="does the call change which number belongs to which axis, or only where the rows are cut?",
    text="A picture `a` has the shape (100, 150, 3). {situation}",
    cases=[
        Case(
            "What is the first plane of `a.reshape(3, 100, 150)`?",
            "the upper third, with its colours mixed up",
            {
                "the red plane": "`reshape` keeps the order of the numbers and cuts it anew. Red values "
                "stand in "
                "every third place.",
                "the picture in grey": "Nothing is added up or averaged.",
                "an error: the axes do not fit": "There are as many numbers as before, so nothing is "
                "refused.",
            },
        ),
        Case(
            "What is the first plane of `np.moveaxis(a, -1, 0)`?",
            "the red plane",
            {
                "the upper third, with its colours mixed up": "That is what `reshape` would make. "
                "`moveaxis` keeps "
                "what belongs to which axis.",
                "the first row of the picture": "The rows are axis 1 now. What was moved to the front?",
                "the blue plane": "The axis is moved, not reversed.",
            },
        ),
        Case(
            "Its colours must come first, for PyTorch. Which call is right?",
            "`np.moveaxis(a, -1, 0)`",
            {
                "`a.reshape(3, 100, 150)`": "The shape is right, but the picture is shredded.",
                "`a.T`": "That reverses all axes: height and width are exchanged, too.",
                "`a[::-1]`": "That turns the picture upside down.",
            },
        ),
        Case(
            "What is the shape of `np.moveaxis(a, -1, 0)`?",
            "(3, 100, 150)",
            {
                "(3, 150, 100)": "One axis moves; the others keep their order.",
                "(150, 100, 3)": "Which axis moves, and to which place?",
                "(100, 3, 150)": "The axis moves to place 0, not to place 1.",
            },
        ),
        Case(
            "A network trains on `a.reshape(3, 100, 150)`. What shows that something is wrong?",
            "a look at the picture",
            {
                "an error in the first layer": "The shape is what channels first wants, so nothing is "
                "refused.",
                "the number of values": "It is the same.",
                "the smallest and the largest value": "They are the same: only the order of the numbers is "
                "wrong.",
            },
        ),
        Case(
            "One Keras layer reads it as it is, another reads it turned to channels first. How do the "
            "shapes of their weights differ?",
            "not at all",
            {
                "channels come first in the second": "Inputs and outputs are turned, the weights are not.",
                "height and width are exchanged": "The order of the two is the same in both formats.",
                "the second has three times as many": "The counts are the same: both see three channels.",
            },
        ),
    ],
)

VIEWS = sentences(
    "quiz-views",
    chapter=CHAPTER,
    question="can the result be described by a starting byte, a shape and strides over the same bytes?",
    text="`b` is made from a colour picture `a` by `{situation}`. Then 0 is written into all of `b`. What "
    "happens to `a`?",
    cases=among(
        {
            "a part of it is 0 now": "That is what happens to a view of a part of the array.",
            "all of it is 0 now": "That is what happens to a view of all of the array.",
            "nothing has changed": "That is so if the numbers were copied.",
        },
        ("a[:10, :10]", "a part of it is 0 now"),
        ("a[::2, ::2]", "a part of it is 0 now"),
        ("a.astype(np.float32)", "nothing has changed"),
        ("a.T", "all of it is 0 now"),
        ("a[[0, 1, 2]]", "nothing has changed"),
        ("np.moveaxis(a, -1, 0)", "all of it is 0 now"),
        ("a[:, ::-1]", "all of it is 0 now"),
        ("a[:50].copy()", "nothing has changed"),
        ("a[..., 0]", "a part of it is 0 now"),
    ),
)

RANGES = sentences(
    "quiz-ranges",
    chapter=CHAPTER,
    question="which type do the numbers have while they are added, and which range before and after?",
    text="{situation}",
    cases=[
        Case(
            "Each pixel is subtracted from its right neighbour, in `uint8`. Where is the result wrong?",
            "where the right neighbour is darker",
            {
                "where the two are equal": "Then the difference is 0, which a byte can hold.",
                "where the difference is above 127": "`uint8` has no sign: it holds up to 255.",
                "everywhere": "A difference from 0 to 255 fits into a byte.",
            },
        ),
        Case(
            "Two photographs are mixed by `(a + b) // 2`, in `uint8`. What comes out wrong?",
            "what is bright: the sum has wrapped before it is halved",
            {
                "nothing: the mean of two bytes fits into a byte": "It does. Does their sum?",
                "what is dark: small sums lose their half": "Half a grey step is lost, which nobody sees.",
                "everything: the mean is twice as bright": "It is halved after adding.",
            },
        ),
        Case(
            "Floats from 0 to 1 become pixels by `(255 * x).astype(np.uint8)`, for x = 0.999. What is the "
            "pixel?",
            "254: the fraction is cut off",
            {
                "255: it is rounded": "That is what `to_pixels` does. `astype` is shorter and cruder.",
                "1: floats are rounded first": "The product is taken first.",
                "0: it has wrapped around": "It lies below 256, so nothing wraps.",
            },
        ),
        Case(
            "A network that has learned on 0 to 1 is given 0 to 255. Which of its numbers hardly matters "
            "any more?",
            "the bias",
            {
                "the weights": "They multiply the pixels, and the products have grown 255 times.",
                "the stride": "It is no number that is added or multiplied.",
                "the largest weight": "Its products have grown like those of all other weights.",
            },
        ),
        Case(
            "A filter runs over a photograph of `uint8`. What comes first?",
            "turn the pixels into floats",
            {
                "run it, then turn the sums into floats": "What has wrapped cannot be told from what has "
                "not.",
                "run it, then take absolute values": "A byte has no sign that could be taken away.",
                "clip the pixels to 127, so that sums fit": "Sums of several products still pass 255, or "
                "fall below 0.",
            },
        ),
    ],
)

CHECKS = sentences(
    "quiz-checks",
    chapter=CHAPTER,
    question="compare shape, dtype, smallest and largest value with what the network learned on",
    text="A network learned on batches (32, 96, 96, 3), `float32`, 0 to 1. Now it is given {situation}. "
    "What is "
    "the matter?",
    cases=among(
        {
            "nothing": "One of shape, dtype and range differs in a way that counts.",
            "the range": "The range is that of training.",
            "the order of the axes": "Those axes that are there stand in the order of training.",
            "the batch axis is missing": "There is one.",
            "the number of channels": "There are as many as in training.",
        },
        ("(8, 96, 96, 3), `float32`, 0 to 255", "the range"),
        ("(8, 3, 96, 96), `float32`, 0 to 1", "the order of the axes"),
        ("(96, 96, 3), `float32`, 0 to 1", "the batch axis is missing"),
        ("(8, 96, 96, 1), `float32`, 0 to 1", "the number of channels"),
        ("(8, 96, 96, 3), `float32`, 0 to 0.0039", "the range"),
        ("(1, 96, 96, 3), `float32`, 0.02 to 0.97", "nothing"),
        ("(8, 96, 96, 4), `float32`, 0 to 1", "the number of channels"),
        ("(64, 96, 96, 3), `float32`, 0 to 1", "nothing"),
    ),
)

WRONG = sentences(
    "quiz-tensors-go-wrong",
    chapter=CHAPTER,
    question="is it an axis, the order of the numbers, their range, their type, or their memory?",
    text="{situation} What is the likely cause?",
    cases=among(
        {
            "sums were made in `uint8`": "That makes bright spots dark and dark ones bright.",
            "`reshape` stands where `moveaxis` was meant": "That shreds the picture, and no error is raised.",
            "height and width were exchanged": "That changes the proportions of what is shown.",
            "the values are divided by 255 twice": "That makes pictures almost black.",
            "someone wrote into a view": "That changes an array which nobody touched by name.",
            "the colours stand in reverse order": "That exchanges red and blue.",
        },
        ("A picture was brightened by 60. Its sky is now black.", "sums were made in `uint8`"),
        ("The cat has become tall and thin.", "height and width were exchanged"),
        (
            "The first plane shows a weave of stripes in which no cat can be made out.",
            "`reshape` stands where `moveaxis` was meant",
        ),
        (
            "A part was cut out and set to 0, and the whole photograph has a black corner.",
            "someone wrote into a view",
        ),
        (
            "All pictures look nearly alike to the network, whatever they show.",
            "the values are divided by 255 twice",
        ),
        ("Faces are blue, and the sky is orange.", "the colours stand in reverse order"),
        ("After the mean was subtracted, dark parts glare white.", "sums were made in `uint8`"),
        (
            "A crop was normalised in place; the second time, other numbers come out.",
            "someone wrote into a view",
        ),
        ("A filter for red answers to blue things.", "the colours stand in reverse order"),
    ),
)


def _place(dice: Dice) -> dict[str, Any]:
    return {
        "height": 10 * dice.roll(8, 20),
        "width": 10 * dice.roll(24, 40),
        "left": dice.roll(100, 230),
        "above": dice.roll(5, 50),
    }


def _batch(dice: Dice) -> dict[str, Any]:
    return {"shape": (dice.roll(2, 5), 10 * dice.roll(1, 4), 10 * dice.roll(1, 5), dice.pick((3, 4)))}


def _said(order: str) -> Any:
    def roll(dice: Dice) -> dict[str, Any]:
        width, height = dice.pick(
            ((1920, 1080), (1280, 720), (640, 480), (800, 600), (1024, 768), (720, 1280))
        )
        return {"width": width, "height": height, "count": dice.roll(2, 32), "order": order}

    return roll


def _stored(dice: Dice) -> dict[str, Any]:
    shape = (dice.roll(4, 9), 10 * dice.roll(1, 4), dice.pick((3, 4)))
    return {"shape": shape, "dtype": dice.pick(("uint8", "float32"))}


QUIZZES = (
    Quiz(
        "a-cat-is-a-table",
        "A cat is a table",
        Ask(
            "pixel_index",
            "A grey picture is {height} pixels high and {width} wide. A pixel has {left} pixels to its left "
            "and "
            "{above} above it. With which two indices is it read from the array?",
            roll=_place,
            slips=3,
        ),
    ),
    Quiz(
        "colour-three-numbers-a-pixel",
        "Colour: three numbers a pixel",
        PLANES,
        Ask(
            "blended",
            "A pixel has the value {colour} and an alpha of {opacity}. What is shown of it over a "
            "background of "
            "{background}?",
            roll=lambda dice: {
                "colour": 20 * dice.roll(1, 12),
                "background": 20 * dice.roll(1, 12),
                "opacity": dice.pick((0.1, 0.2, 0.25, 0.75, 0.8, 0.9)),
            },
            slips=3,
        ),
    ),
    Quiz(
        "more-axes-batches-and-video",
        "More axes: batches and video",
        Ask(
            "bytes",
            lambda task: (
                "An array of the shape ({}, {}, {}, {}) holds `{}` numbers. How many bytes does it "
                "take?".format(*task.given["shape"], task.given["dtype"])
            ),
            roll=lambda dice: {**_batch(dice), "dtype": dice.pick(("uint8", "float32"))},
            slips=3,
        ),
    ),
    Quiz(
        "width-by-height-height-by-width",
        "Width by height, height by width",
        Ask(
            "array_shape",
            "A folder has {count} colour pictures of “{width}×{height}”, as people say it. Which shape has "
            "the "
            "batch of all of them, channels last?",
            roll=_said("NHWC"),
            slips=3,
        ),
    ),
    Quiz(
        "channels-last-channels-first",
        "Channels last, channels first",
        Ask(
            "array_shape",
            "A folder has {count} colour pictures of “{width}×{height}”, as people say it. Which shape has "
            "the "
            "batch of all of them, channels first?",
            roll=_said("NCHW"),
            slips=3,
        ),
        ORDERS,
    ),
    Quiz(
        "what-numpy-stores",
        "What NumPy stores",
        Ask(
            "array_strides",
            lambda task: (
                "An array of the shape ({}, {}, {}) holds `{}` numbers, stored row by row. What are its "
                "three "
                "strides, in bytes?".format(*task.given["shape"], task.given["dtype"])
            ),
            roll=_stored,
            slips=3,
        ),
        VIEWS,
    ),
    Quiz(
        "numbers-with-a-beginning-and-an-end",
        "Numbers with a beginning and an end",
        Ask(
            "eight_bits",
            lambda task: "Two `uint8` numbers are {}: {} {} {}. What comes out?".format(
                "added" if task.given["change"] >= 0 else "subtracted",
                task.given["value"],
                "+" if task.given["change"] >= 0 else "−",
                abs(task.given["change"]),
            ),
            slips=3,
        ),
        RANGES,
    ),
    Quiz("from-photographs-to-a-batch", "From photographs to a batch", CHECKS),
    Quiz("tensors-go-wrong", "What goes wrong", WRONG),
)
