"""Chapter 6: places, frames, strides, and what three programs call them."""

from __future__ import annotations

from typing import Any

from cnnlib.exercises.dice import Dice
from cnnlib.exercises.quiz_data import Ask, Case, Quiz, among, sentences

CHAPTER = "padding-and-stride"

DIVIDE = sentences(
    "quiz-sizes-that-do-not-divide",
    chapter=CHAPTER,
    question="what does this program do with a last window that does not fit: leave it out, keep it, or "
    "refuse?",
    text="6 inputs, a window of 3, a stride of 2. {situation}",
    cases=[
        Case(
            "What does a Keras convolution without padding do about the last input?",
            "nothing: it is never looked at",
            {
                "it raises an error": "Only a kernel that does not fit at all is an error.",
                "it lets the last window hang over the end": "That is the ceiling, which some programs use "
                "in "
                "pooling.",
                "it moves the last window by 1 instead of 2": "The steps of the window are all alike.",
            },
        ),
        Case(
            "A layer pools with the ceiling instead of the floor. How many outputs has it?",
            "3, the last from a window that is not full",
            {
                "2, and one input is dropped": "That is the floor.",
                "3, with one input used twice more": "A window that hangs over works with the inputs that "
                "it has.",
                "none: it raises an error": "The ceiling is what avoids dropping inputs; nothing is refused.",
            },
        ),
        Case(
            "No window covers the last input. What gradient does it get in training?",
            "none: it influences no output",
            {
                "that of the nearest window": "Gradients go back only where a value was used.",
                "the mean of all gradients": "Nothing is shared out to inputs that no output depends on.",
                "a large one, to make up for it": "Nothing makes up for it: the layer does not know of that "
                "input.",
            },
        ),
        Case(
            "Which change makes every input count?",
            "one input more",
            {
                "two inputs more": "Then the last window ends one input before the end again.",
                "a window of 5 instead of 3": "It fits at the first place only, which does not reach the "
                "end.",
                "a stride of 4 instead of 2": "The window then fits at the first place only.",
            },
        ),
        Case(
            "Why can a dropped input be worse than an error?",
            "nobody notices it",
            {
                "it makes the outputs larger": "Outputs are sums over windows; none of them has changed.",
                "it changes the weights": "The weights are the same ones, at fewer places.",
                "the next layer refuses the output": "The next layer takes any size in which its window "
                "fits.",
            },
        ),
    ],
)

PADDED = sentences(
    "quiz-defaults",
    chapter=CHAPTER,
    question="what does padding add, where, and who asks for it?",
    text="{situation}",
    cases=[
        Case(
            "A `Conv2D` is made without a word about padding. How much does Keras pad?",
            "nothing at all",
            {
                "as much as keeps the size": "That is “same”, which has to be asked for.",
                "two pixels on each side": "That keeps the size for 5×5 kernels, but nobody asked for it.",
                "one pixel on each side": "That keeps the size for 3×3 kernels, but nobody asked for it.",
            },
        ),
        Case(
            "P is 2. By how much does an axis grow before the window slides?",
            "by 4",
            {
                "by 2": "P is counted for each side.",
                "by 8": "Both sides of this one axis are padded; the other axis is another matter.",
                "by the kernel size": "Padding and kernel are two choices.",
            },
        ),
        Case(
            "A picture is padded by hand and then convolved without padding. What differs from asking the "
            "layer "
            "for that padding?",
            "nothing",
            {
                "the output is larger": "The layer would put the same frame around the picture.",
                "the frame has weights of its own": "The kernel is the same everywhere, on the frame as "
                "well.",
                "the frame is learned": "What stands in the frame is fixed.",
            },
        ),
        Case(
            "Why can the middle of a 3×3 kernel never stand on the outermost pixels without padding?",
            "a part of the kernel would lie outside",
            {
                "the stride skips them": "At stride 1 nothing is skipped.",
                "those pixels have no neighbours": "They have some; only not on every side.",
                "its weights sum to 0": "What the weights are does not matter to where it fits.",
            },
        ),
        Case(
            "Padding of 1 makes a 4×4 picture larger. What size does the kernel slide over?",
            "6×6",
            {
                "5×5": "There is a row above and one below, a column left and one right.",
                "4×4": "That is the size of the picture, and of the output of a 3×3 kernel.",
                "8×8": "The frame is one pixel wide, not two.",
            },
        ),
    ],
)

FILLING = sentences(
    "quiz-fillings",
    chapter=CHAPTER,
    question="which values does the frame get, and how far do they lie from what stands at the edge?",
    text="{situation} What stands in the frame?",
    cases=among(
        {
            "zeros": "Zeros are black unless the mean has been taken away.",
            "grey 128": "A middle grey lies near the mean of most photographs.",
            "the outermost pixel, repeated": "Repeating the edge makes stripes that lead outwards.",
            "the picture, mirrored": "A mirror image has no new edge.",
            "the other side of the picture": "That is circular: the picture goes on where it began.",
        },
        ("A blurred photograph has a dark rim.", "zeros"),
        (
            "Blurring lets the bright sky shine through at the lower edge of the ground.",
            "the other side of the picture",
        ),
        ("(10, 20, 30) becomes (30, 20, 10, 20, 30, 20, 10).", "the picture, mirrored"),
        ("(10, 20, 30) becomes (10, 10, 10, 20, 30, 30, 30).", "the outermost pixel, repeated"),
        ("It is the default everywhere.", "zeros"),
        ("A snowy landscape gets a dull rim, neither black nor white, when blurred.", "grey 128"),
        ("(10, 20, 30) becomes (20, 30, 10, 20, 30, 10, 20).", "the other side of the picture"),
    ),
)

STRIDE = sentences(
    "quiz-stride",
    chapter=CHAPTER,
    question="which of the values at stride 1 are still there, and what lay between them?",
    text="A layer gets a stride of 2 instead of 1, nothing else changes. {situation}",
    cases=[
        Case(
            "How do its outputs compare with those of before?",
            "they are every second row and column of them",
            {
                "they are means of 2×2 of them": "That is average pooling. A stride leaves places out.",
                "they are the largest of 2×2 of them": "That is max pooling. A stride leaves places out.",
                "they are new values in between": "The window stands at places where it has stood before.",
            },
        ),
        Case(
            "How many of the outputs of before are still there?",
            "about a quarter",
            {
                "about a half": "It moves by 2 along both axes.",
                "about an eighth": "There are two axes, not three: all feature maps stay.",
                "all, but closer together": "The places between are skipped.",
            },
        ),
        Case(
            "How many parameters does it have?",
            "as many as before",
            {
                "a quarter as many": "The work becomes a quarter; the same weights are used at fewer places.",
                "half as many": "Weights belong to the kernel, not to the places.",
                "twice as many": "The kernel does not grow.",
            },
        ),
        Case(
            "What becomes of a pattern of stripes, one pixel dark and one bright?",
            "it turns into something that was not there",
            {
                "it vanishes and leaves its mean": "That would take a blur before the stride.",
                "it stays, half as wide": "Stripes of half a pixel cannot be held.",
                "it stays as it is": "Every second column is skipped, and with it all the bright ones or "
                "all the "
                "dark ones.",
            },
        ),
        Case(
            "The picture moves by one pixel. What can happen to the outputs?",
            "all of them can change",
            {
                "they move by one place": "One place of the output is two pixels now.",
                "nothing: half a place is rounded away": "Nothing is rounded; the windows meet other pixels.",
                "only those at the edge can change": "Every window stands on other pixels than before.",
            },
        ),
    ],
)

ACROSS = sentences(
    "quiz-across-the-board",
    chapter=CHAPTER,
    question="put the numbers into the formula: is the size kept, halved, or something else?",
    text="N = 56. {situation} How large is the output?",
    cases=among(
        {
            "56, as before": "Compare 2P with F − 1, and look at the stride.",
            "28, one half": "Put the numbers into the formula: is it one half?",
            "54, two less": "A kernel without padding takes F − 1 away at stride 1.",
            "27, not quite one half": "Put the numbers into the formula, and mind the + 1.",
        },
        ("F = 3, S = 1, P = 1.", "56, as before"),
        ("F = 3, S = 2, P = 1.", "28, one half"),
        ("F = 2, S = 2, P = 0.", "28, one half"),
        ("F = 3, S = 1, P = 0.", "54, two less"),
        ("F = 3, S = 2, P = 0.", "27, not quite one half"),
        ("F = 1, S = 1, P = 0.", "56, as before"),
        ("F = 7, S = 1, P = 3.", "56, as before"),
        ("F = 5, S = 1, P = 1.", "54, two less"),
        ("F = 1, S = 2, P = 0.", "28, one half"),
        ("F = 7, S = 2, P = 3.", "28, one half"),
    ),
)

SPELLINGS = sentences(
    "quiz-three-spellings",
    chapter=CHAPTER,
    question="which program says the width first, what does it pad unless told, and which axis does it "
    "store first?",
    text="{situation}",
    cases=[
        Case(
            "`nn.SpatialConvolution(3, 16, 5, 3, 2, 1)`, in Torch7. What is the 2?",
            "the step across",
            {
                "the step down": "In this call widths stand before heights.",
                "the padding across": "Padding comes after the steps.",
                "the padding on all sides": "Padding comes after the steps, a number for each axis.",
            },
        ),
        Case(
            "A layer with a padding of 1 on each side and a stride of 2 is to be written in Keras. How is "
            "it done?",
            "`ZeroPadding2D(1)` and then `valid`",
            {
                '`padding="same"` in the layer': "The size is the same, but Keras may pad before and after "
                "by different amounts.",
                "`padding=1` in the layer": "That is how PyTorch says it. Keras knows `valid` and `same`.",
                "`valid` and then `ZeroPadding2D(1)`": "Then the outputs get a frame, not the inputs.",
            },
        ),
        Case(
            "The notes recommend a padding of (kW − 1)/2. When does that keep the width?",
            "with an odd kernel and stride 1",
            {
                "with any kernel and stride 1": "Try a kernel of 4: is that a whole number?",
                "with an odd kernel and any stride": "A stride of 2 halves the width, whatever is padded.",
                "always": "It takes two things: one of the kernel, one of the stride.",
            },
        ),
        Case(
            "PyTorch stores the weights of a layer as (16, 3, 5, 7). How does Keras store them?",
            "(5, 7, 3, 16)",
            {
                "(7, 5, 3, 16)": "PyTorch and Keras both have the height before the width.",
                "(5, 7, 16, 3)": "Keras has the filters last.",
                "(16, 3, 5, 7)": "The two differ in which axes come first.",
            },
        ),
        Case(
            "A Keras layer was given `strides=(1, 2)`. What does its window do?",
            "it steps by two across",
            {
                "it steps by two down": "Keras says the height first, as arrays do.",
                "it steps by two both ways": "There is a number for each axis.",
                "it skips every second row": "Rows are skipped by a step downwards.",
            },
        ),
    ],
)

WRONG = sentences(
    "quiz-padding-goes-wrong",
    chapter=CHAPTER,
    question="is it the count of sides, the stride, the floor, the order of steps, or the middle of the "
    "kernel?",
    text="{situation} What is the likely cause?",
    cases=among(
        {
            "padding was counted on one side only": "That shows in sizes which are too small by P at stride "
            "1.",
            "“same” does not keep the size at a stride above 1": "That shows where the stride is above 1.",
            "the floor dropped inputs": "That loses something at the end of an axis, without a word.",
            "the frame was added before the mean was taken away": "That makes the frame as dark as black.",
            "an even kernel has no middle": "That moves the output by half a pixel for each layer.",
        },
        (
            "Somebody computes N + P − F + 1 and expects a smaller output than the layer makes.",
            "padding was counted on one side only",
        ),
        (
            "A layer with `same` gives 112×112 from 224×224.",
            "“same” does not keep the size at a stride above 1",
        ),
        ("The right edge of every scan is never taken into account.", "the floor dropped inputs"),
        (
            "Inputs have mean 0, but their frames are at −110.",
            "the frame was added before the mean was taken away",
        ),
        (
            "After six layers with 2×2 kernels and `same`, all features lie three pixels to one side.",
            "an even kernel has no middle",
        ),
        ("With P = 1, a 4×4 picture is said to become 5×5.", "padding was counted on one side only"),
        (
            "Two pictures that differ in their last column only are told to be the same.",
            "the floor dropped inputs",
        ),
        (
            "Two maps are to be added, and one layer with `same` has made its map half as large.",
            "“same” does not keep the size at a stride above 1",
        ),
    ),
)


def _counted(dice: Dice) -> dict[str, Any]:
    return {
        "size": dice.roll(10, 32),
        "kernel_size": dice.roll(2, 7),
        "stride": dice.roll(2, 4),
        "padding": 0,
    }


def _padded(dice: Dice) -> dict[str, Any]:
    kernel_size = dice.pick((3, 5, 7))
    return {
        "size": dice.roll(10, 32),
        "kernel_size": kernel_size,
        "stride": dice.roll(1, 2),
        "padding": dice.roll(1, kernel_size // 2 + 1),
    }


def _same(dice: Dice) -> dict[str, Any]:
    return {"size": dice.roll(5, 12), "kernel_size": dice.roll(2, 5), "stride": dice.roll(2, 3)}


def _overhanging(dice: Dice) -> dict[str, Any]:
    """An odd row of negative numbers, whose last window of two hangs over the end."""
    values = [-dice.roll(1, 9) for _ in range(5)]
    for start in (0, 2):
        values[start + 1] -= (values[start] + values[start + 1]) % 2
    return {
        "values": tuple(values),
        "pool_size": 2,
        "strides": 2,
        "padding": "same",
        "rule": dice.pick(("maximum", "average")),
    }


def _pooled_maps(dice: Dice) -> dict[str, Any]:
    window = dice.roll(2, 4)
    sides = [window * dice.roll(3, 9) + dice.roll(0, window - 1) for _ in range(2)]
    channels = window * dice.roll(2, 8)
    return {"input_shape": (*sides, channels), "pool_size": window, "strides": window, "padding": 0}


QUIZZES = (
    Quiz(
        "counting-places",
        "Counting places",
        Ask(
            "output_size",
            "N = {size}, F = {kernel_size}, S = {stride}, no padding. How many outputs are there?",
            roll=_counted,
            slips=4,
        ),
    ),
    Quiz(
        "when-sizes-do-not-divide",
        "When sizes do not divide",
        Ask(
            "unseen_pixels",
            "A {kernel_size:square} kernel with stride {stride} slides over {size:square} pixels, without "
            "padding. How "
            "many pixels does no window reach?",
            slips=3,
            bounds=(1, 80),
        ),
        DIVIDE,
    ),
    Quiz(
        "padding-a-frame-around-the-input",
        "Padding: a frame around the input",
        Ask(
            "output_size",
            "N = {size}, F = {kernel_size}, S = {stride}, P = {padding} on each side. How many outputs are "
            "there?",
            roll=_padded,
            slips=3,
        ),
        PADDED,
    ),
    Quiz(
        "valid-same-full",
        "Valid, same, full",
        Ask(
            "keeping_padding",
            "At stride 1, how much must be padded on each side so that a kernel of {kernel_size:square} "
            "keeps the "
            "size?",
        ),
        Ask(
            "same_amounts",
            "{size} inputs, a kernel of {kernel_size}, stride {stride}, padding `same`. How many elements "
            "does "
            "Keras pad before and after?",
            roll=_same,
            slips=1,
        ),
    ),
    Quiz(
        "what-to-put-into-the-frame",
        "What to put into the frame",
        Ask(
            "filled_row",
            "The row ({row:list}) is padded by two on each side in the mode `{mode}`. What does it become?",
            slips=3,
            choose=True,
        ),
        FILLING,
    ),
    Quiz(
        "life-without-padding",
        "Life without padding",
        Ask(
            "unpadded_layers",
            "Layers with {kernel_size:square} kernels and no padding follow each other, on a picture of "
            "{size:square} "
            "pixels. How many of them are possible?",
            roll=lambda dice: {"size": dice.roll(12, 40), "kernel_size": dice.pick((3, 5, 7))},
        ),
        Ask(
            "pixel_coverage",
            "A {kernel_size:square} kernel slides over {size:square} pixels, stride 1, no padding. How many "
            "of its "
            "windows contain the pixel in row {row} and column {column}, counted from 0?",
        ),
    ),
    Quiz(
        "stride-on-a-photograph",
        "Stride on a photograph",
        Ask(
            "strided_work",
            "A {kernel_size:square} filter with `same` padding and a stride of {stride} reads a grey "
            "picture of "
            "{size:square} pixels. How many multiply–accumulates does that take?",
            slips=3,
            roll=lambda dice: {
                "size": 20 * dice.roll(1, 5),
                "kernel_size": dice.pick((2, 3)),
                "stride": dice.pick((2, 4, 5)),
            },
        ),
        STRIDE,
    ),
    Quiz(
        "pooling-follows-the-same-rule",
        "Pooling follows the same rule",
        Ask(
            "pooled",
            "The row ({values:list}) is pooled by two with a stride of 2 and `same` padding, as Keras does "
            "it: the "
            "{rule} of each window. What comes out?",
            roll=_overhanging,
            slips=3,
            choose=True,
        ),
        Ask(
            "pool_output",
            "Maps of {input_shape} (height, width, channels) are pooled by {pool_size:square} with a stride "
            "of "
            "{strides}, without padding. Which shape comes out?",
            roll=_pooled_maps,
            slips=3,
        ),
    ),
    Quiz(
        "across-the-board",
        "Across the board",
        ACROSS,
        Ask(
            "unseen_pixels",
            "A {kernel_size:square} kernel with stride {stride} slides over {size:square} pixels, without "
            "padding. How "
            "many pixels does no window see?",
            given={"gaps": True},
            slips=3,
        ),
    ),
    Quiz(
        "three-spellings-of-one-layer",
        "Three spellings of one layer",
        Ask(
            "torch_call",
            "A layer was called `nn.SpatialConvolution({planes}, {maps}, {wide}, {tall})` in Torch7. Which "
            "shape "
            "have its weights in Keras?",
            slips=3,
        ),
        SPELLINGS,
    ),
    Quiz("padding-goes-wrong", "What goes wrong", WRONG),
)
