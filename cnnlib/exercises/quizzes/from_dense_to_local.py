"""Chapter 1: what a dense layer pays for pictures, and what two decisions save."""

from __future__ import annotations

from typing import Any

from cnnlib.exercises.dice import Dice
from cnnlib.exercises.quiz_data import Ask, Case, Quiz, among, sentences

CHAPTER = "from-dense-to-local"


def _small_picture(dice: Dice) -> dict[str, Any]:
    return {"input_shape": (dice.roll(2, 5), dice.roll(2, 5), 3), "units": dice.roll(2, 5)}


TEMPLATES = sentences(
    "quiz-templates",
    chapter=CHAPTER,
    question="which weights of the template meet a pixel that is not 0?",
    text="{situation}",
    cases=[
        Case(
            "A template has weight 1 in its left column and 0 elsewhere. The picture is an upright bar of "
            "ones "
            "that stands in the right column. What is the score?",
            "0: no pixel of the bar meets a weight other than 0",
            {
                "as large as for a bar in the left column": "A weight belongs to a place. The layer does not "
                "move its template to where the bar is.",
                "half as large as for a bar in the left column": "Nothing is divided: every pixel is "
                "multiplied by the weight of its own place, and the products are added.",
                "negative, since the bar is missing": "What is missing adds nothing. Only a negative weight "
                "can make a score of bright pixels negative.",
            },
        ),
        Case(
            "All pixels of a picture become twice as bright. What happens to the scores Wx of a layer "
            "without biases?",
            "every score doubles",
            {
                "only the largest score doubles": "Every score is a sum of pixels times weights, and all of "
                "the pixels have doubled.",
                "nothing: it is still the same thing in the picture": "For us it is. A weighted sum grows "
                "with its inputs.",
                "every score grows fourfold": "The pixels have doubled, the weights have not.",
            },
        ),
        Case(
            "Two dense layers follow each other, with nothing between them: W₂(W₁x). What can they compute "
            "that a single dense layer cannot?",
            "nothing: together they are one matrix",
            {
                "scores for parts, which the second layer puts together": "That is what two layers are for; "
                "but weighted sums of weighted sums are weighted sums of the pixels.",
                "scores that do not depend on where things stand": "Every pixel still has weights of its "
                "own, in each of the two layers.",
                "more classes than pixels": "One layer can have as many scores as you like.",
            },
        ),
        Case(
            "One row of W, folded back into a picture, shows a bright ring on a dark ground. What does that "
            "tell you about the layer?",
            "ink on the ring raises the score of that class",
            {
                "the class was shown to the layer as a ring most often": "Weights come out of all examples, "
                "those of the other classes among them; they are no average of the class.",
                "the layer finds such a ring anywhere in the picture": "The template has one place. Every "
                "weight is tied to its own pixel.",
                "the pixels of the ring are brighter than the others": "This is a picture of weights. "
                "They multiply the pixels.",
            },
        ),
        Case(
            "A dense layer has ten outputs and reads pictures that are flattened row by row. Which numbers "
            "go "
            "into its third output?",
            "all pixels, each with a weight of its own",
            {
                "the pixels of the third row of the picture": "A row of W is as long as the whole flattened "
                "picture.",
                "all pixels, with the same weights as in the other outputs": "Then all outputs would be "
                "equal. Each has a template of its own.",
                "a tenth of the pixels": "The pixels are not shared out: every output looks at all of them.",
            },
        ),
    ],
)

SHUFFLED = sentences(
    "quiz-shuffled",
    chapter=CHAPTER,
    question="do the same pixels meet the same weights as before, and is there still anything to learn?",
    text="A dense layer learned to recognise digits. {situation} How well does it do?",
    cases=among(
        {
            "well: pixels meet the weights that they learned with": "Follow one pixel from training to the "
            "test: "
            "which weight does it meet there?",
            "badly: pixels meet the weights of other pixels": "That happens if the order changes after "
            "training "
            "and the weights do not go along.",
            "badly: in training no place meant the same twice": "That happens if every picture has an order "
            "of "
            "its own.",
        },
        (
            "Another one learns from digits whose pixels were put into one random order, the same for all, "
            "and is tested on digits in that order.",
            "well: pixels meet the weights that they learned with",
        ),
        (
            "Now it is tested on digits whose pixels were put into another order.",
            "badly: pixels meet the weights of other pixels",
        ),
        (
            "Another one learns from digits each of which has been shuffled in a random order of its own, "
            "and "
            "is tested on such digits.",
            "badly: in training no place meant the same twice",
        ),
        (
            "Pixels and columns of its matrix W are now put into the same new order.",
            "well: pixels meet the weights that they learned with",
        ),
        (
            "Now all test pictures are flattened column by column instead of row by row.",
            "badly: pixels meet the weights of other pixels",
        ),
        (
            "Another one learns from pictures flattened column by column, and is tested on such pictures.",
            "well: pixels meet the weights that they learned with",
        ),
        (
            "Another one learns from digits in one random order and is tested on digits as they are.",
            "badly: pixels meet the weights of other pixels",
        ),
    ),
)

CELLS = sentences(
    "quiz-how-a-cat-sees",
    chapter=CHAPTER,
    question="is it about how much is looked at, about where a question is asked, or about what is built on "
    "it?",
    text="{situation} Which idea of a convolutional network does this resemble?",
    cases=among(
        {
            "look at a small region": "That is a receptive field: how much of the picture one cell watches.",
            "ask the same question in many places": "That is about one question at different places.",
            "build larger questions out of smaller answers": "That is about cells that read other cells.",
        },
        (
            "A cell is silent wherever light falls, except on one small patch of what the cat sees.",
            "look at a small region",
        ),
        (
            "For one direction of edges there are cells all over the field of view, each for its own spot.",
            "ask the same question in many places",
        ),
        (
            "A complex cell answers if any of several simple cells, at neighbouring spots, has answered.",
            "build larger questions out of smaller answers",
        ),
        (
            "What happens at the left edge of the view leaves a cell for the right edge cold.",
            "look at a small region",
        ),
        (
            "A cell for corners can be made of cells for edges of two directions.",
            "build larger questions out of smaller answers",
        ),
        (
            "Two simple cells far apart prefer bars of the same width and direction.",
            "ask the same question in many places",
        ),
        (
            "LeCun's network of 1989 had 64,660 connections, but only 9,760 free parameters.",
            "ask the same question in many places",
        ),
    ),
)

GRIDS = sentences(
    "quiz-data-with-neighbours",
    chapter=CHAPTER,
    question="along which axes does near mean related, and would shuffling them matter?",
    text="{situation} Along how many axes of these data should a window slide?",
    cases=among(
        {
            "none: there are no neighbours": "Here near does mean related, along at least one axis.",
            "one": "Ask for every axis: would it matter if its entries were shuffled?",
            "two": "Count only axes along which near means related; channels are several values at one "
            "place.",
            "three": "Count only axes along which near means related; channels are several values at one "
            "place.",
        },
        ("An electrocardiogram, 250 numbers a second.", "one"),
        ("A stereo recording: two values, left and right, at every moment.", "one"),
        ("A grey photograph.", "two"),
        ("A colour photograph, with red, green and blue for every pixel.", "two"),
        ("A colour film.", "three"),
        ("The scan of a head: a grey picture for each of 200 depths.", "three"),
        ("A table of patients: age, weight, blood pressure.", "none: there are no neighbours"),
        ("A week of temperature, wind and rain, measured every hour at one place.", "one"),
        ("A list of customers with what each has spent.", "none: there are no neighbours"),
        ("A weather map, with temperature and pressure at every point.", "two"),
    ),
)

DECISIONS = sentences(
    "quiz-two-decisions",
    chapter=CHAPTER,
    question="does it change how many products are computed, how many different weights there are, or both?",
    text="{situation} What becomes less?",
    cases=among(
        {
            "connections and weights": "Fewer connections take outputs that look at fewer inputs, or fewer "
            "outputs.",
            "weights, not connections": "That is what sharing does: as many lines as before, with fewer "
            "different weights on them.",
            "connections, not weights": "Where every line has a weight of its own, a line that is cut takes "
            "its weight along.",
            "neither": "Count the lines that go into one output, and how many different weights they carry.",
        },
        (
            "A dense layer is replaced by a locally connected one with as many outputs.",
            "connections and weights",
        ),
        (
            "A locally connected layer is replaced by a convolution with the same windows.",
            "weights, not connections",
        ),
        ("The outputs of a dense layer are written down in another order.", "neither"),
        (
            "In a locally connected layer the windows become narrower, but not fewer.",
            "connections and weights",
        ),
        (
            "All rows of a locally connected layer's matrix are made equal, up to a shift.",
            "weights, not connections",
        ),
        ("A convolution is written down as its banded matrix.", "neither"),
        ("Every third output of a dense layer is left out.", "connections and weights"),
    ),
)

OUTPUTS = sentences(
    "quiz-who-decides",
    chapter=CHAPTER,
    question="does it change the places where the window can stand, or how many questions are asked at each?",
    text="A convolution layer without padding reads pictures. {situation} What changes in its output?",
    cases=among(
        {
            "the size of its feature maps": "The size follows from the places where the window can stand.",
            "how many feature maps there are": "There is a feature map for every filter.",
            "both": "At least one of the two stays as it was.",
            "neither": "Ask how many places the window has now, and how many filters there are.",
        },
        ("The pictures are now larger.", "the size of its feature maps"),
        ("It gets twice as many filters.", "how many feature maps there are"),
        ("Its window moves by two pixels instead of one.", "the size of its feature maps"),
        ("Its window becomes larger.", "the size of its feature maps"),
        ("A rim of zeros is laid around the pictures.", "the size of its feature maps"),
        ("It gets other weights, which it has learned.", "neither"),
        ("It gets fewer filters, with a larger window.", "both"),
        ("The pictures get brighter.", "neither"),
    ),
)

MATTERS = sentences(
    "quiz-does-it-matter",
    chapter=CHAPTER,
    question="which weights have met a digit in that place, and which weights are used there?",
    text="Networks learned digits in the left half of a canvas. {situation}",
    cases=[
        Case(
            "Why does the dense network fail in the right half?",
            "its weights there only ever met zeros",
            {
                "it has too few weights for the whole canvas": "It has the most of the three: more weights "
                "do "
                "not help where nothing is learned.",
                "it has learned the digits by heart": "It recognises new digits in the left half, so it did "
                "not just learn by heart.",
                "its weights for the right half were set to zero": "Nobody set them: they are still as "
                "random "
                "as they began.",
            },
        ),
        Case(
            "Why does the locally connected network fail in the right half, though it looks at windows?",
            "each place has to learn for itself",
            {
                "its windows are too small for a digit": "They are as large as those of the convolution, "
                "which does well.",
                "it has more layers than the convolution": "Both have the same layers; the weights are what "
                "differs.",
                "it cannot see the right half": "It has windows there, too. What are their weights?",
            },
        ),
        Case(
            "What lets the convolution recognise digits in the right half?",
            "the same weights are used at all places",
            {
                "it has learned from shifted digits that they may move": "All of its digits stood in the "
                "left "
                "half. That they may move was built in, not learned.",
                "it has more weights than the others": "It has the fewest by far.",
                "its windows see the whole canvas at once": "Each window is 5×5. What one of them has "
                "learned, is used by others.",
            },
        ),
        Case(
            "Why does shuffling the pixels hurt the convolution, but not the dense network?",
            "what lies in a window no longer belongs together",
            {
                "shuffling makes the pictures darker": "The pixels are the same, in another order.",
                "the convolution has too few weights to learn the order": "A larger kernel would not help "
                "either: what is near in the window is not near in the digit.",
                "shuffled pictures have another size": "Only the order of the pixels has changed.",
            },
        ),
        Case(
            "The convolution takes digits to mean the same wherever they stand. Where does it have that "
            "from?",
            "from us: we shared the weights",
            {
                "from the 1,000 examples": "In none of them did a digit stand in the right half.",
                "from its many layers": "The locally connected network has as many, and does not have it.",
                "from the random weights it began with": "All three networks began with random weights.",
            },
        ),
        Case(
            "In new pictures the place of a digit tells which digit it is. Which assumption is now false?",
            "that a pattern means the same everywhere",
            {
                "that neighbours belong together": "Near pixels still make strokes. What differs is what the "
                "strokes mean, here and there.",
                "that pictures have two axes": "They still have rows and columns.",
                "that weights can be learned from examples": "They still can; they should be others at each "
                "place.",
            },
        ),
    ],
)

WRONG = sentences(
    "quiz-dense-goes-wrong",
    chapter=CHAPTER,
    question="what does the layer take for granted about its input, and is it true here?",
    text="{situation} What is the matter?",
    cases=among(
        {
            "a dense layer is made for one number of inputs": "That stops the layer at once, with an error.",
            "the pixels come in another order than in training": "Then every pixel meets a weight that was "
            "learned for another one.",
            "the data are no grid": "Then near does not mean related, and a window finds nothing in common.",
            "the same pattern means different things at different places": "Then one kernel for all places "
            "is "
            "asked too much.",
            "few parameters were taken for little work": "That is about speed: each weight of a convolution "
            "works at every place.",
        },
        (
            "Trained on pictures of 32×32, it raises an error on 48×48, where a convolution would not.",
            "a dense layer is made for one number of inputs",
        ),
        (
            "Training and test pictures were flattened by two programs. There is no error, but the network "
            "guesses.",
            "the pixels come in another order than in training",
        ),
        (
            "A kernel slides over the columns of a table: income, age, postcode, height. It hardly learns.",
            "the data are no grid",
        ),
        (
            "All faces were cut to the same frame, eyes above, mouth below. A locally connected layer does "
            "better than a convolution.",
            "the same pattern means different things at different places",
        ),
        (
            "A convolution with 456 parameters was expected to be a thousand times faster than a layer with "
            "400,000. It is not.",
            "few parameters were taken for little work",
        ),
        (
            "Weights of a dense layer are used on pictures with all red values first, then green, then blue; "
            "it had learned with the colours of each pixel together.",
            "the pixels come in another order than in training",
        ),
        (
            "Answers to a questionnaire are sorted by the alphabet. A convolution over them does worse "
            "than a dense layer.",
            "the data are no grid",
        ),
        (
            "A telephone gets a network with few weights, and its battery is empty within an hour.",
            "few parameters were taken for little work",
        ),
    ),
)

QUIZZES = (
    Quiz(
        "a-photograph-on-a-tape",
        "A photograph on a tape",
        Ask(
            "tape_distance",
            "A grey picture, {height} pixels high and {width} wide, is cut into its rows, which are glued "
            "end to "
            "end. One pixel lies {down} rows below another and {right} columns to the right of it. How many "
            "steps along the tape is it from one to the other?",
            slips=3,
        ),
    ),
    Quiz(
        "ten-questions-ten-scores",
        "Ten questions, ten scores",
        Ask(
            "dense_count",
            "A dense layer makes {units} scores of a small colour picture, {input_shape}. How many "
            "parameters "
            "does it have, biases counted?",
            roll=_small_picture,
            bounds=(20, 400),
        ),
        TEMPLATES,
    ),
    Quiz("what-the-tape-does-not-know", "What the tape does not know", SHUFFLED),
    Quiz(
        "moved-by-one-pixel-and-new",
        "Moved by one pixel, and new",
        Ask(
            "moved_bar",
            "A picture of {height} rows is 0 but for an upright bar of ones, {bar} columns wide and as high "
            "as "
            "the picture. The bar moves to the right by {moved}. How many numbers of the flattened picture "
            "change?",
            accept=lambda task: task.given["moved"] < task.given["bar"],
        ),
    ),
    Quiz(
        "the-price-grows-with-the-picture",
        "The price grows with the picture",
        Ask(
            "dense_growth",
            lambda task: (
                f"A dense layer reads colour pictures of {task.given['height']}×{task.given['width']} "
                f"pixels and "
                + ("has an output for every pixel. " if task.given["grows"] else "has 1,000 outputs. ")
                + f"The next camera has {task.given['factor']} times as many pixels along each side"
                + (", and the layer as many outputs as pixels again. " if task.given["grows"] else ". ")
                + "How many times as many weights does the layer need?"
            ),
        ),
    ),
    Quiz("how-a-cat-sees", "How a cat sees", CELLS),
    Quiz("which-data-have-neighbours", "Which data have neighbours?", GRIDS),
    Quiz(
        "two-decisions",
        "Two decisions",
        Ask(
            "three_layers",
            lambda task: (
                "One row of {size} inputs, windows of {kernel_size}, no padding, no biases: how many "
                "different "
                "weights does ".format(**task.given)
                + {
                    "dense": "a dense layer have that makes as many outputs as there are windows?",
                    "local": "a locally connected layer have?",
                    "convolution": "a convolution have?",
                }[task.given["layer"]]
            ),
            roll=lambda dice: {
                "layer": dice.pick(("dense", "local", "local", "convolution")),
                "size": dice.roll(6, 12),
                "kernel_size": dice.roll(2, 4),
            },
        ),
        DECISIONS,
    ),
    Quiz(
        "who-decides-how-many-outputs-there-are",
        "Who decides how many outputs there are?",
        Ask(
            "output_size",
            "{size} inputs in a row, a window of {kernel_size} that moves by {stride}, no padding. How many "
            "outputs does the layer have?",
            given={"padding": 0},
            roll=lambda dice: {
                "size": dice.roll(7, 13),
                "kernel_size": dice.roll(2, 4),
                "stride": dice.roll(1, 3),
            },
        ),
        OUTPUTS,
    ),
    Quiz("does-it-matter", "Does it matter?", MATTERS),
    Quiz("dense-goes-wrong", "What goes wrong", WRONG),
)
