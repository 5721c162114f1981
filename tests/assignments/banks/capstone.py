"""Answers to assignment 10: two functions, and a network that is trained under a budget."""

from __future__ import annotations

RIGHT = {
    "draft_cost": [
        """
def draft_cost(input_shape, plan, classes):
    height, width, depth = input_shape
    parameters, macs, field, step = 0, 0, 1, 1
    for filters, kernel, stride in plan:
        height = (height - kernel) // stride + 1
        width = (width - kernel) // stride + 1
        parameters += kernel * kernel * depth * filters + filters
        macs += kernel * kernel * depth * filters * height * width
        field += (kernel - 1) * step
        step *= stride
        depth = filters
    parameters += (height * width * depth + 1) * classes
    macs += height * width * depth * classes
    return parameters, macs, field
""",
        """
import numpy as np

def draft_cost(input_shape, plan, classes):
    shape = np.array(input_shape)
    parameters = macs = 0
    for filters, kernel, stride in plan:
        weights = kernel**2 * shape[2] * filters
        shape = np.array([*((shape[:2] - kernel) // stride + 1), filters])
        parameters += weights + filters
        macs += weights * shape[0] * shape[1]
    kernels, strides = np.array([k for _, k, _ in plan]), np.array([s for _, _, s in plan])
    before = np.cumprod([1, *strides[:-1]])
    inputs = np.prod(shape)
    return [parameters + (inputs + 1) * classes, macs + inputs * classes, 1 + np.sum(before * (kernels - 1))]
""",
        """
from cnnlib.layers import Conv2D, Dense, Flatten
from cnnlib.network import Input, Sequential

def draft_cost(input_shape, plan, classes):
    convolutions = [Conv2D(filters, kernel, strides=stride) for filters, kernel, stride in plan]
    network = Sequential([Input(tuple(input_shape)), *convolutions, Flatten(), Dense(classes)])
    table = network.summary()
    return table.parameters, table.macs, table.rows[len(plan)].field[0].size
""",
        """
def draft_cost(input_shape, plan, classes):
    field = 1
    for _, kernel, stride in reversed(plan):           # from the last unit back to the image
        field = (field - 1) * stride + kernel
    height, width, depth = input_shape
    costs = []
    for filters, kernel, stride in plan:
        height, width = (height - kernel + stride) // stride, (width - kernel + stride) // stride
        costs.append((filters * (kernel**2 * depth + 1), filters * kernel**2 * depth * height * width))
        depth = filters
    costs.append((classes * (height * width * depth + 1), classes * height * width * depth))
    return sum(p for p, _ in costs), sum(m for _, m in costs), field
""",
    ],
    "grad_cam": [
        """
import numpy as np

def grad_cam(maps, slopes):
    seen = np.zeros(maps.shape[:2])
    for c in range(maps.shape[2]):
        seen += slopes[:, :, c].mean() * maps[:, :, c]
    return np.maximum(seen, 0)
""",
        """
import numpy as np

def grad_cam(maps, slopes):
    weights = np.einsum("hwc->c", slopes) / slopes[..., 0].size
    seen = np.einsum("hwc,c->hw", maps, weights)
    return np.where(seen > 0, seen, 0).astype(np.float32)
""",
        """
def grad_cam(maps, slopes):
    height, width, channels = maps.shape
    weights = [float(slopes[:, :, c].sum()) / (height * width) for c in range(channels)]
    return [
        [max(0.0, sum(w * float(maps[y, x, c]) for c, w in enumerate(weights))) for x in range(width)]
        for y in range(height)
    ]
""",
    ],
}

#: Cheats and slips that no registered misconception describes: (body, what is told, most points).
WRONG: dict[str, list[tuple[str, str, float]]] = {
    "draft_cost": [
        ("return (1000, 2000, 9)", "the same result, (1000, 2000, 9), comes out for different arguments", 0),
        ("return 9", "its result is one number; a shape is asked for", 0),
        ("return right[:2]", "has 2 numbers; 3 are asked for", 0),
        ("print(right)", "printed its result and returned None", 0),
        ("right", "returned None. Is there a return", 0),
        ("return str(right)", "its result is text", 0),
        ("return (right[0], right[1] + 0.5, right[2])", "is not a whole number", 0),
        ("return (float('nan'), *right[1:])", "its result is nan", 0),
        ("return (-right[0], *right[1:])", "is not a whole number of at least 0", 0),
        ("return right[::-1]", "which is not right", 0),
        ("return (right[0], right[1], right[2] + 1)", "which is not right", 0),
        ("return (right[0], 2 * right[1], right[2])", "which is not right", 0),
        (
            "return (right[0], right[1], 1 + sum(k - 1 for _, k, _ in plan))",
            "The field is that of stride 1",
            2,
        ),
        ("return right[3]", "raised IndexError", 0),
        ("raise SystemExit", "raised RuntimeError: exit(None)", 0),
        ("return Sly()", "is of type Sly", 0),
        ("return (SlyInt(right[0]), *right[1:])", "is of type SlyInt", 0),
    ],
    "grad_cam": [
        ("return np.zeros(maps.shape[:2])", "gave zeros everywhere", 0),
        ("return maps", "gave back its own input", 0),
        ("return maps.mean(axis=-1)", "which is not right", 0),
        ("return right[None]", "its array has 3 axes", 0),
        ("return right.max()", "is of type float64", 0),
        ("return right / (right.max() or 1)", "which is not right", 0),
        ("return right.T", "which is not", 0),
        ("return right * np.nan", "its result is nan", 0),
        ("return right + 1", "which is not right", 0),
        ("print(right)", "printed its result", 0),
        ("maps *= 2\n    return right", "changed the array that was handed to it", 0),
        ("return right.view(SlyArray)", "is of type SlyArray", 0),
        ("return Sly()", "is of type Sly", 0),
    ],
}

HEADS = {
    "draft_cost": (
        "from cnnlib.exercises import Task\n\ndef draft_cost(input_shape, plan, classes):\n"
        "    right = Task('draft_cost', input_shape=input_shape, plan=plan, classes=classes).answer"
    ),
    "grad_cam": (
        "import numpy as np\nfrom cnnlib.exercises import Task\n\ndef grad_cam(maps, slopes):\n"
        "    right = Task('cam', maps=np.copy(maps), slopes=np.copy(slopes)).answer"
    ),
}

# --- The network --------------------------------------------------------------------------------------

NETWORK = """
from cnnlib.layers import *
from cnnlib.network import Input, Model, Sequential
from cnnlib.training import Adam, SGD
budget = sheet["design-and-train"].budget
images, labels = budget.digits("training")
network = Sequential([Input(budget.input_shape), {layers}])
network.initialize(seed=0)
"""
SIMPLE = (
    "Conv2D(8, 5, strides=2, activation='relu'), Conv2D(16, 5, strides=2, activation='relu'), "
    "Flatten(), Dense(6)"
)
FIT = "network.fit(images, labels, epochs={epochs}, batch_size=32, verbose=0, {how})\n"


def drawn(layers: str = SIMPLE) -> str:
    """Source of a network that has not been trained."""
    return NETWORK.format(layers=layers)


def trained(
    layers: str = SIMPLE, how: str = "optimizer=Adam(0.004), from_logits=True", epochs: int = 6
) -> str:
    """Source of one that has."""
    return drawn(layers) + FIT.format(epochs=epochs, how=how)


RIGHT["network"] = [
    # momentum, and a softmax at the end
    trained(
        SIMPLE.replace("Dense(6)", "Dense(6, activation='softmax')"),
        how="optimizer=SGD(0.03, momentum=0.9)",
        epochs=8,
    ),
    # depth, and small kernels
    trained(
        "Conv2D(6, 3, strides=2, activation='relu'), Conv2D(14, 3, strides=2, activation='relu'), "
        "Conv2D(16, 3, activation='relu'), Flatten(), Dense(6)",
        how="optimizer=Adam(0.006), from_logits=True",
        epochs=8,
    ),
    # a graph, with batch normalisation and a residual block
    """
from cnnlib.layers import Add, BatchNormalization, Conv2D, Dense, Flatten, ReLU
from cnnlib.network import Input, Model
from cnnlib.training import Adam
budget = sheet["design-and-train"].budget
image = Input(budget.input_shape)
x = Conv2D(8, 5, strides=2, use_bias=False)(image)
x = ReLU()(BatchNormalization(momentum=0.9)(x))
x = Conv2D(8, 3, strides=2, activation="relu")(x)
y = Conv2D(8, 3, padding="same", activation="relu")(x)
x = Add()([x, y])
network = Model(image, Dense(6)(Flatten()(x)))
network.initialize(seed=1)
images, labels = budget.digits("training")
network.fit(images, labels, epochs=8, batch_size=32, optimizer=Adam(0.006), from_logits=True, verbose=0)
""",
]

WRONG["network"] = [
    (drawn(), "are asked for. Ask yourself: has the network been trained", 4),
    (trained("Flatten(), Dense(6)", epochs=1), "a unit of the last maps sees 1×1 pixels", 7),
    (drawn("Conv2D(32, 5, activation='relu'), Flatten(), Dense(6)"), "the budget allows", 3),
    (
        drawn("Conv2D(64, 5, padding='same'), Conv2D(64, 5, padding='same'), Flatten(), Dense(6)"),
        "network is far above its budget",
        2,
    ),
    (drawn(SIMPLE.replace("Dense(6)", "Dense(10)")), "one score for each of the 6 classes is asked for", 3),
    (drawn(SIMPLE.replace("Flatten(), ", "")), "one score for each of the 6 classes is asked for", 3),
    (
        drawn().replace("Input(budget.input_shape)", "Input((28, 28, 3))"),
        "the input shape is 28×28×3;",
        3,
    ),
    (  # learned from labels in another order
        drawn() + "labels = (labels + 1) % 6\n" + FIT.format(epochs=3, how="from_logits=True"),
        "are asked for. Ask yourself",
        4,
    ),
    (
        drawn() + "network.set_weights([weight + 1e30 for weight in network.get_weights()])\n",
        "gives scores that are no numbers (NaN)",
        4,
    ),
    (
        drawn() + "network.layers[0].weights['kernel'][...] = float('nan')\n",
        "network cannot be read: conv2d",
        4,
    ),
    ("network = 'a network'", "network is of type str", 0),
    ("network = None", "network is of type NoneType", 0),
    ("network = [0.99]", "network is of type list", 0),
    ("network = lambda images: images", "network is of type function", 0),
    (
        "class Sequential:\n    def get_config(self):\n        return {'layers': 1}\nnetwork = Sequential()",
        "network cannot be read: this describes no network",
        0,
    ),
    (
        "class Model:\n    def get_config(self):\n        raise RuntimeError('no')\nnetwork = Model()",
        "network cannot be read: no",
        0,
    ),
    ("network = Sly()", "network is of type Sly", 0),
]
