"""Chapter 7: what pooling keeps and loses, how invariant it is, and where its gradient goes."""

from __future__ import annotations

from typing import Any

from cnnlib.exercises.dice import Dice
from cnnlib.exercises.quiz_data import Ask, Case, Quiz, among, sentences

CHAPTER = "pooling"

WHERE = sentences(
    "quiz-where-exactly",
    chapter=CHAPTER,
    question="does the answer depend on the exact place, on the neighbourhood, or on neither?",
    text="{situation} What does that take: the feature map as it is, or a pooled one?",
    cases=among(
        {
            "as it is: the exact place counts": "Here a pixel more or less would make no difference.",
            "pooled: “hereabouts” is enough": "Here a pixel more or less would make a difference.",
        }
        | {
            "neither: only a larger kernel can tell": "A larger kernel asks another question. Here the "
            "question is how exactly the place is told."
        },
        ("A network decides whether there is a cat in the picture.", "pooled: “hereabouts” is enough"),
        ("A program cuts a person out along the outline.", "as it is: the exact place counts"),
        ("A network tells a face from a house, wherever the eyes are.", "pooled: “hereabouts” is enough"),
        ("A robot has to put a screw into a hole that it sees.", "as it is: the exact place counts"),
        ("A program says whether there is any writing on a page.", "pooled: “hereabouts” is enough"),
        (
            "A program counts the grains that lie to the left of a thin line.",
            "as it is: the exact place counts",
        ),
        ("A program measures the width of a crack in pixels.", "as it is: the exact place counts"),
        ("A network sorts photographs by what was cooked.", "pooled: “hereabouts” is enough"),
    ),
)

KEPT = sentences(
    "quiz-what-is-kept",
    chapter=CHAPTER,
    question="what does the window hold, and which one number stands for it?",
    text="{situation}",
    cases=[
        Case(
            "A window of an activation map holds one strong answer and many zeros. Under which pooling does "
            "it "
            "survive whole?",
            "the maximum",
            {
                "the average": "There the zeros take part and weaken it.",
                "both alike": "They agree only where all values of a window are equal.",
                "neither: zeros always win": "Zeros win nothing where something is larger.",
            },
        ),
        Case(
            "A thin dark line lies on bright ground. What does the first max pooling do to it?",
            "the line disappears",
            {
                "the line grows thicker": "That is what happens to a bright line on dark ground.",
                "the line stays as it is": "Every window that it crosses holds something brighter.",
                "the line becomes brighter than the ground": "A maximum makes no new values.",
            },
        ),
        Case(
            "Two windows have the same maximum. What may differ between them, unseen by what comes after?",
            "where the largest value stood, and how often",
            {
                "how large their largest value is": "That is just what is kept.",
                "whether they hold a value above it": "Then it would not be the maximum.",
                "nothing: they must be equal": "All but one value of a window is lost.",
            },
        ),
        Case(
            "Eight weak answers fill one window; another holds one strong answer. Which pooling may take "
            "them for "
            "the same?",
            "the average",
            {
                "the maximum": "It sees that the strongest answers differ.",
                "both": "The maximum tells a weak answer from a strong one.",
                "neither": "One of the two keeps nothing but a sum.",
            },
        ),
        Case(
            "A photograph is made smaller to be looked at. Which pooling is right, and why?",
            "the average: every pixel matters alike",
            {
                "the maximum: it keeps what is strong": "It would make everything too bright and drop what "
                "is dark.",
                "the maximum: it has no weights": "Neither of the two has any.",
                "the average: it keeps edges sharp": "It softens them.",
            },
        ),
        Case(
            "A global average of 512 maps is taken. What is left?",
            "how much of each feature there is, without a place",
            {
                "where each feature is, without an amount": "The places are what is lost.",
                "one number for the whole picture": "Each map is averaged by itself.",
                "the strongest answer of each map": "That is the global maximum.",
            },
        ),
    ],
)

GRADIENT = sentences(
    "quiz-gradient-of-pooling",
    chapter=CHAPTER,
    question="if this input were nudged, would the output move, and by how much?",
    text="{situation}",
    cases=[
        Case(
            "An input is not the largest of its window. What gradient does max pooling hand to it?",
            "none",
            {
                "a share, in proportion to its size": "Nudge it a little: the maximum stays where it is.",
                "an equal share with all others": "That is average pooling.",
                "the whole one, as all others get": "A nudge of this input changes nothing.",
            },
        ),
        Case(
            "What in a pooling layer is updated by training?",
            "nothing at all",
            {
                "its largest values": "Values are outputs of the layers below. They change when weights "
                "there do.",
                "its switches": "They only remember where each maximum stood.",
                "one factor for each map": "That was so in LeNet-5. Today's pooling has none.",
            },
        ),
        Case(
            "A deep network of sigmoids hardly learns in its first layers. Will max pooling cure that?",
            "hardly: the sigmoids are to blame",
            {
                "yes: it keeps the largest outputs": "The slopes of the sigmoids multiply the gradient, "
                "however large "
                "the outputs are.",
                "yes: it makes the gradient longer": "It hands on what came in, and adds nothing.",
                "no: it loses three quarters of the gradient": "It hands the whole of it to the winners.",
            },
        ),
        Case(
            "Which pooling keeps the sum of the gradient as it was?",
            "both the maximum and the average",
            {
                "the maximum alone": "The average shares it out; what do the shares add up to?",
                "the average alone": "The maximum hands it on, whole, to one input.",
                "neither": "Nothing gets lost on the way; it is handed on or shared.",
            },
        ),
        Case(
            "Two inputs of a window are equal and largest. What does Keras do in max pooling?",
            "it hands the gradient to the first of them",
            {
                "it shares the gradient between them": "That is what its global max pooling does.",
                "it hands the whole gradient to both": "Then the sum would have doubled.",
                "it hands the gradient to none of them": "The output does depend on them.",
            },
        ),
    ],
)

SHIFTS = sentences(
    "quiz-small-shift",
    chapter=CHAPTER,
    question="which values come into the windows, which leave, and by how many places do the windows move?",
    text="{situation}",
    cases=[
        Case(
            "A row is pooled by a maximum over three at every place. It moves by one. Which outputs stay?",
            "those whose largest value stays, and none larger comes in",
            {
                "all of them": "At each edge of a window a value comes in or goes out, and it may be the "
                "largest.",
                "none of them": "The maximum does not care where in its window the largest value is.",
                "those whose window holds no 0": "Zeros have nothing to do with it.",
            },
        ),
        Case(
            "0 0 1 1 0 0 1 1 … is pooled by a maximum of two with stride 2. Then it moves by one and is "
            "pooled "
            "again. What is to blame for it that the stripes become even?",
            "the stride",
            {
                "the maximum": "Taken at every place, it only moves along with its input.",
                "the move": "Moving the stripes changes none of them. What is skipped afterwards?",
                "the rounding": "Nothing is rounded here.",
            },
        ),
        Case(
            "What cures most of the aliasing of a max pooling with stride 2?",
            "a blur between the maximum and the stride",
            {
                "a blur after the stride": "What the grid cannot hold has come back as something false by "
                "then.",
                "a larger stride": "The larger the stride, the less the new grid can hold.",
                "zero padding": "That changes the border alone.",
            },
        ),
        Case(
            "By which shifts do the outputs of two poolings with stride 2 move along exactly?",
            "by multiples of four pixels",
            {
                "by multiples of two pixels": "That is what one of the two allows. The second one skips, "
                "too.",
                "by any number of pixels": "Between the places of the new grid something changes.",
                "by none": "If the shift fits the strides, every window meets the same pixels as before.",
            },
        ),
        Case(
            "A photograph moves by one pixel. How much does a 2×2 max pooling of its edges change?",
            "clearly, but less than the edges themselves",
            {
                "not at all: it is invariant": "Even one pixel moves values from one window to the next.",
                "more than the edges themselves": "Measured on photographs, larger windows change less.",
                "only at the border of the picture": "Every window has an edge over which values come and "
                "go.",
            },
        ),
        Case(
            "Which pooling does hardly change at all when the picture moves a little?",
            "a global one",
            {
                "a 2×2 maximum": "A small window is a small promise.",
                "an 8×8 maximum": "It changes less than smaller windows, but clearly still.",
                "one with a stride of 1": "Its outputs move along with the picture.",
            },
        ),
    ],
)

STRIDE = sentences(
    "quiz-pool-or-stride",
    chapter=CHAPTER,
    question="what does each of them compute, learn and skip?",
    text="{situation} For which is that an argument?",
    cases=among(
        {
            "for pooling": "That would be a strength of a layer that learns nothing and looks at all values.",
            "for a strided convolution": "That would be a strength of a layer that has weights, or skips "
            "work.",
            "for neither: both do it": "Only one of the two has that strength.",
        },
        ("It needs no data, since there is nothing in it to learn.", "for pooling"),
        ("It can learn what is worth keeping.", "for a strided convolution"),
        (
            "Put into the layer before, it saves three quarters of that layer's work.",
            "for a strided convolution",
        ),
        ("It looks at every value of the map below and skips none.", "for pooling"),
        ("It makes the map half as high and half as wide.", "for neither: both do it"),
        ("It may mix channels while it makes the map smaller.", "for a strided convolution"),
        ("With the whole map as one window, it takes pictures of every size.", "for pooling"),
        ("The network can be built of one kind of layer alone.", "for a strided convolution"),
    ),
)

RARE = sentences(
    "quiz-why-padding-is-rare",
    chapter=CHAPTER,
    question="which of the two reasons for padding a convolution holds here, and what may stand in the "
    "frame?",
    text="{situation}",
    cases=[
        Case(
            "Why is pooling seldom padded?",
            "it is meant to shrink, and each pixel lies in one window",
            {
                "padding would add parameters to the layer": "Padding has no parameters anywhere.",
                "frameworks do not offer padding for pooling": "They do: `same` exists.",
                "a frame would mix the channels with each other": "A frame adds places, not channels.",
            },
        ),
        Case(
            "Values may be negative. What must stand in the frame of a max pooling?",
            "something that never wins",
            {
                "zeros": "Where all values of a window are negative, 0 would win.",
                "the mean of the map": "It would win where all values of a window lie below it.",
                "the largest value of the map": "It would win in every window of the rim.",
            },
        ),
        Case(
            "Why may zeros in the frame go unnoticed in max pooling?",
            "after a ReLU no value lies below them",
            {
                "they are never part of a window": "The last window hangs over the edge and holds them.",
                "the largest value is never at the rim": "It may stand there like anywhere else.",
                "they are removed before training": "Nothing removes them.",
            },
        ),
        Case(
            "With windows of 2×2 and stride 2, how many windows see a corner pixel, and how many one in the "
            "middle?",
            "one, and one",
            {
                "one, and four": "That is how it would be with stride 1.",
                "one, and nine": "That is a 3×3 kernel with stride 1.",
                "none, and one": "The first window stands in the corner.",
            },
        ),
        Case(
            "A map of 7×7 is pooled by 2×2 without padding. What becomes of the last row?",
            "it is dropped without a word",
            {
                "it is pooled by itself": "That takes a window that hangs over the edge, as with `same`.",
                "it is added to the window before": "All windows have the same size.",
                "it makes the layer raise an error": "Sizes are rounded down, silently.",
            },
        ),
    ],
)

WRONG = sentences(
    "quiz-pooling-goes-wrong",
    chapter=CHAPTER,
    question="look at the sizes before and after, at the axes that were pooled, and at the signs of the "
    "values",
    text="{situation} What is the likely cause?",
    cases=among(
        {
            "the stride is the window's size unless it is told": "That shrinks a side by the window, not by "
            "two.",
            "the window slid along the channels": "That changes the number of channels.",
            "the last row and column were dropped": "That happens to odd sizes, at the end.",
            "answers of opposite sign cancelled": "That happens where signed answers are averaged.",
            "a small window was taken for invariance": "That shows when pictures move.",
            "nothing is left to pool": "That happens after a few halvings.",
        },
        (
            "`MaxPool2D(3)` makes 10×10 of 30×30, and 15×15 was expected.",
            "the stride is the window's size unless it is told",
        ),
        (
            "A batch of (8, 64, 28, 28), channels first, becomes (8, 32, 14, 28).",
            "the window slid along the channels",
        ),
        (
            "What stands at the right edge of 97×97 maps is never found.",
            "the last row and column were dropped",
        ),
        (
            "The average over the edges of a striped wall is 0, as over a bare one.",
            "answers of opposite sign cancelled",
        ),
        (
            "Recognition drops when the camera moves by three pixels, though there is a 2×2 pooling.",
            "a small window was taken for invariance",
        ),
        ("The sixth 2×2 pooling of a 32×32 picture raises an error.", "nothing is left to pool"),
        (
            "`AveragePooling2D(4)` after a layer makes maps much smaller than planned.",
            "the stride is the window's size unless it is told",
        ),
        (
            "A bright post on dark ground has no mean edge at all, though both of its edges are strong.",
            "answers of opposite sign cancelled",
        ),
    ),
)


def _grid(dice: Dice) -> dict[str, Any]:
    """Two windows of 2×2 whose means are whole or end in .25, .5 or .75."""
    values = tuple(tuple(dice.roll(-4, 9) for _ in range(4)) for _ in range(2))
    rule = dice.pick(("maximum", "maximum", "average"))
    return {"values": values, "pool_size": 2, "strides": 2, "padding": "valid", "rule": rule}


def _line(dice: Dice) -> dict[str, Any]:
    rule = dice.pick(("maximum", "average", "average"))
    return {"value": 8 * dice.roll(2, 12), "pool_size": dice.pick((2, 4, 8)), "rule": rule}


def _call(dice: Dice) -> dict[str, Any]:
    pool_size = dice.pick((3, 4, 5))
    height = pool_size * dice.roll(4, 8) + dice.roll(0, 2)
    return {
        "input_shape": (height, height + dice.roll(3, 15), 2 * dice.roll(3, 16)),
        "pool_size": pool_size,
    }


def _back(dice: Dice) -> dict[str, Any]:
    free = list(range(1, 20))
    values = tuple(free.pop(dice.roll(0, len(free) - 1)) for _ in range(4))
    slopes = tuple(2 * dice.pick((-2, -1, 1, 2, 3)) for _ in range(2))
    rule = dice.pick(("maximum", "average"))
    return {"slopes": slopes, "values": values, "pool_size": 2, "strides": 2, "rule": rule}


def _twice(dice: Dice) -> dict[str, Any]:
    """Five inputs of which the middle one wins in both windows, so that gradients add up."""
    free = list(range(1, 15))
    values = [free.pop(dice.roll(0, len(free) - 1)) for _ in range(5)]
    values[2] = 15 + dice.roll(0, 5)
    slopes = tuple(3 * dice.pick((-2, -1, 1, 2, 3)) for _ in range(2))
    return {"slopes": slopes, "values": tuple(values), "pool_size": 3, "strides": 2, "rule": "maximum"}


QUIZZES = (
    Quiz("where-exactly", "Where exactly?", WHERE),
    Quiz(
        "one-number-for-each-window",
        "One number for each window",
        Ask(
            "pooled",
            "These numbers are pooled by 2×2 with a stride of 2; what is kept of each window is its "
            "{rule}.\n{values:rows}"
            "\nWhat comes out?",
            roll=_grid,
            slips=3,
            choose=True,
        ),
    ),
    Quiz(
        "sizes-channels-and-no-parameters",
        "Sizes, channels, and no parameters",
        Ask(
            "pool_output",
            "Maps of {input_shape} (height, width, channels) are pooled by {pool_size:square} with a stride "
            "of "
            "{strides}, without padding. Which shape comes out?",
            roll=lambda dice: {
                "input_shape": (dice.roll(10, 40), dice.roll(10, 40), 2 * dice.roll(3, 16)),
                "pool_size": dice.roll(2, 3),
                "strides": 2,
                "padding": 0,
            },
            slips=4,
        ),
        Ask(
            "values_left",
            "Maps of {input_shape} (height, width, channels) are pooled {times} times by 2×2 with a stride "
            "of 2. How "
            "many values are left?",
            roll=lambda dice: {
                "input_shape": (8 * dice.roll(1, 3), 8 * dice.roll(1, 3), 2 * dice.roll(2, 5)),
                "pool_size": 2,
                "times": 3,
            },
            slips=3,
        ),
    ),
    Quiz(
        "what-is-kept-what-is-lost",
        "What is kept, what is lost",
        Ask(
            "line_left",
            "A line one pixel wide, of the value {value} on a ground of 0, crosses a window of "
            "{pool_size:square} from "
            "end to end. What stands for that window under the {rule}?",
            roll=_line,
        ),
        KEPT,
    ),
    Quiz(
        "where-the-gradient-goes",
        "Where the gradient goes",
        Ask(
            "pool_gradient",
            "The row ({values:list}) was pooled by two with a stride of 2: the {rule} of each window. The "
            "outputs have "
            "the gradient ({slopes:list}). What reaches the inputs?",
            roll=_back,
            slips=2,
            choose=True,
        ),
        GRADIENT,
    ),
    Quiz(
        "a-small-shift",
        "A small shift",
        Ask(
            "changed_outputs",
            "The row ({signal:list}) is max-pooled over {pool_size} neighbours at every place, without "
            "padding. It moves "
            "right by one; what leaves comes in again at the left. How many of the outputs change?",
            given={"size": 6, "pool_size": 2, "strides": 1},
            slips=3,
        ),
        SHIFTS,
    ),
    Quiz("pool-or-stride", "Pool, or stride?", STRIDE),
    Quiz(
        "windows-that-overlap",
        "Windows that overlap",
        Ask(
            "pooled_side",
            "A side of {size} is pooled by windows of {pool_size} with a stride of {stride}, without "
            "padding. How long "
            "is the side that comes out?",
            roll=lambda dice: {
                "size": dice.roll(12, 60),
                "pool_size": dice.pick((3, 3, 4, 5)),
                "stride": 2,
            },
            slips=3,
        ),
        Ask(
            "pool_gradient",
            "The row ({values:list}) was max-pooled over three with a stride of 2. The two outputs have the "
            "gradient "
            "({slopes:list}). What reaches the inputs?",
            roll=_twice,
            slips=3,
            choose=True,
        ),
    ),
    Quiz("why-padding-is-rare", "Why padding is rare", RARE),
    Quiz(
        "pooling-goes-wrong",
        "What goes wrong",
        Ask(
            "pool_call_output",
            "Maps of {input_shape} (height, width, channels) go through `MaxPool2D({pool_size})`. Which "
            "shape comes out?",
            roll=_call,
            slips=4,
        ),
        WRONG,
    ),
)
