"""Sources of models for the banks: right ones in different styles, and ones with a layer exchanged.

Banks are run as files, not imported: ``runpy.run_path`` reads this one, too.
"""

from __future__ import annotations

HEAD = """
import keras
from keras import layers
{table} = sheet["{question}"]
{names} = {table}.layers
"""


class ModelSources:
    """Sources of a model, given as its layers; these may look at the layers asked for, by their ``names``."""

    def __init__(
        self,
        name: str,
        question: str,
        *right: str,
        table: str = "table",
        names: str = "one, two, three, four, *more",
    ) -> None:
        self.name, self.question, self.right = name, question, right
        self.head = HEAD.format(question=question, table=table, names=names)
        self.shape = f"{table}.input_shape"

    def built(self, *layers: str, shape: str | None = None) -> str:
        """A model of these layers."""
        stack = ", ".join([f"keras.Input(shape={shape or self.shape})", *layers])
        return f"{self.head}{self.name} = keras.Sequential([{stack}])\n"

    def but(self, number: int, layer: str) -> str:
        """The right model with one layer exchanged."""
        return self.built(*self.right[: number - 1], layer, *self.right[number:])

    def styles(self) -> list[str]:
        """The right model in one piece, layer by layer, in the functional way, and built late."""
        name, shape = self.name, self.shape
        stack = ", ".join(self.right)
        added = "".join(f"{name}.add({layer})\n" for layer in self.right)
        calls = "".join(f"x = {layer}(x)\n" for layer in self.right)
        return [
            self.built(*self.right),
            f"{self.head}{name} = keras.Sequential()\n{name}.add(keras.Input({shape}))\n{added}",
            f"{self.head}image = x = keras.Input({shape})\n{calls}{name} = keras.Model(image, x)\n",
            f"{self.head}{name} = keras.Sequential([{stack}])\n{name}.build((None, *{shape}))\n",
        ]

    def no_models(self) -> list[tuple[str, str, float]]:
        """What is no such model at all, what is told of it, and its points."""
        name, count = self.name, len(self.right)
        return [
            (self.built(*self.right, shape=f"(*{self.shape}[:2], 64)"), "the input shape is (", 0),
            (self.built(*self.right[:-1]), f"the model has {count - 1} layers", 0),
            (self.built(*self.right, "layers.ReLU()"), f"the model has {count + 1} layers", 0),
            (f"{self.head}{name} = keras.Sequential([{self.right[0]}])", "does not know its input shape", 0),
            (f"{self.head}{name} = {self.right[0]}", f"{name} is of type", 0),
            (f"{name} = None", f"{name} is of type NoneType", 0),
            (f'{name} = sheet["{self.question}"].rows', f"{name} is of type list", 0),
        ]
