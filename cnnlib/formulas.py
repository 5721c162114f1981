"""The formulas of the course in symbols, each with the function that computes it. Chapters 2 to 11.

A :class:`Formula` holds a SymPy expression and, as text, the call of the function that must give the same
number; tests put hundreds of numbers into both, so that the formula sheet and the code cannot part.

>>> print(FORMULAS["output size"])
N_out = floor((N + 2*P - F)/S) + 1
>>> FORMULAS["output size"].value(N=32, F=5, S=1, P=2)
32
>>> FORMULAS["output size"].code
'output_size(N, F, stride=S, padding=P)'

SymPy is loaded with this module, and by no other.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

import sympy
from sympy.printing.str import StrPrinter

from cnnlib import receptive_field, sizes
from cnnlib.errors import SizeError


class Quantity(NamedTuple):
    """What a symbol stands for, how it is written, and the least whole number that it can be."""

    tex: str
    meaning: str
    least: int = 1


#: Every symbol of the formulas.
QUANTITIES = {
    "N": Quantity("N", "size of the input along an axis"),
    "F": Quantity("F", "size of the kernel along an axis"),
    "S": Quantity("S", "stride"),
    "P": Quantity("P", "padding on each side", 0),
    "D": Quantity("D", "dilation: the distance of neighbouring weights"),
    "R": Quantity("R", "output padding of a transposed convolution", 0),
    "C_in": Quantity(r"C_\text{in}", "channels of the input"),
    "C_out": Quantity(r"C_\text{out}", "channels of the output: the number of filters"),
    "G": Quantity("G", "groups"),
    "M": Quantity("M", "depth multiplier: kernels for each channel"),
    "H": Quantity("H", "height of the output"),
    "W": Quantity("W", "width of the output"),
    "U": Quantity("U", "units: the outputs of a dense layer"),
    "n": Quantity("n", "inputs of a dense layer"),
    "b": Quantity("b", "bytes of a number: 4 in float32"),
    "L": Quantity("L", "number of equal layers"),
    "r": Quantity(r"r", "size of the receptive field"),
    "j": Quantity(r"j", "stride of the receptive field, in pixels"),
    "o": Quantity(r"o", "offset of the receptive field: the first pixel that output 0 sees", -(1 << 30)),
}

_SYMBOLS = {name: sympy.Symbol(name, integer=True) for name in QUANTITIES}
_TEX = {symbol: QUANTITIES[name].tex for name, symbol in _SYMBOLS.items()}
#: What the calls of :attr:`Formula.code` may name.
_FUNCTIONS = {
    **{name: getattr(sizes, name) for name in vars(sizes) if not name.startswith("_")},
    **{name: getattr(receptive_field, name) for name in vars(receptive_field) if not name.startswith("_")},
    **{"sum": sum, "Fraction": Fraction},
}


class _InOrder(StrPrinter):
    """Prints terms in the order in which they were written: N + 2*P - F."""

    def __init__(self) -> None:
        super().__init__({"order": "none"})


@dataclass(frozen=True)
class Formula:
    """One line of the formula sheet.

    Attributes:
        name: what it is called, such as ``output size``.
        result: the left side, in TeX.
        expression: the right side, in SymPy's symbols.
        code: the call that computes it, in the same symbols, of functions in :mod:`cnnlib.sizes` and
            :mod:`cnnlib.receptive_field`.
        chapter: where it is explained.
        where: conditions on the symbols, as SymPy relations; the formula is for whole numbers that meet them.
    """

    name: str
    result: str
    expression: Any
    code: str
    chapter: int
    where: tuple[Any, ...] = ()

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """The names of all symbols in it, in the order of :data:`QUANTITIES`."""
        used = self.expression.free_symbols.union(*(relation.free_symbols for relation in self.where))
        return tuple(name for name, symbol in _SYMBOLS.items() if symbol in used)

    @cached_property
    def arguments(self) -> tuple[str, ...]:
        """The names of all symbols in it or in its code: the size of ``same`` does not show its kernel."""
        named = compile(self.code, self.name, "eval").co_names
        return tuple(name for name in _SYMBOLS if name in self.symbols or name in named)

    @property
    def tex(self) -> str:
        r"""The whole formula in TeX, without dollar signs.

        >>> print(FORMULAS["effective kernel size"].tex)
        F_\text{eff} = D \left(F - 1\right) + 1
        """
        return f"{self.result} = {sympy.latex(self.expression, order='none', symbol_names=_TEX)}"

    @property
    def conditions(self) -> str:
        """The conditions in TeX, or nothing."""
        return ", ".join(sympy.latex(relation, order="none", symbol_names=_TEX) for relation in self.where)

    def __str__(self) -> str:
        left = re.sub(r"\\text\{(\w+)\}", r"\1", self.result)
        return f"{left} = {_InOrder().doprint(self.expression)}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.tex}$"

    def meanings(self) -> dict[str, str]:
        """What each symbol stands for, by its TeX.

        >>> FORMULAS["effective kernel size"].meanings()["D"]
        'dilation: the distance of neighbouring weights'
        """
        return {QUANTITIES[name].tex: QUANTITIES[name].meaning for name in self.symbols}

    def value(self, **numbers: int) -> int | Fraction:
        """What the expression comes to, exactly.

        >>> FORMULAS["cost of a separable convolution"].value(F=3, C_out=256)
        Fraction(265, 2304)

        Raises:
            SizeError: a symbol without a number, a number below its least, or a condition that is not met.
        """
        self._check(numbers, self.symbols)
        result = Fraction(_exact(self.expression, numbers))
        return int(result) if result.denominator == 1 else result

    def computed(self, **numbers: int) -> Any:
        """What the library's function gives for the same numbers: ``code``, run.

        >>> FORMULAS["cost of a separable convolution"].computed(F=3, C_out=256)
        Fraction(265, 2304)
        """
        self._check(numbers, self.arguments)
        return eval(self.code, {"__builtins__": {}}, {**_FUNCTIONS, **numbers})  # a call written below

    def holds(self, **numbers: int) -> bool:
        """Whether the numbers meet the formula's conditions.

        >>> FORMULAS["output size, valid"].holds(N=3, F=5), FORMULAS["output size, valid"].holds(N=5, F=3)
        (False, True)
        """
        return all(_exact(relation, numbers) for relation in self.where)

    def _check(self, numbers: dict[str, int], needed: Sequence[str]) -> None:
        """Say what is wrong with ``numbers``, if anything is."""
        if not set(needed) <= set(numbers) <= set(_SYMBOLS):
            raise SizeError(f"{self.name} needs {', '.join(needed)}, not {', '.join(numbers) or 'nothing'}")
        for name, number in numbers.items():
            sizes.as_int(number, name, QUANTITIES[name].least)
        for relation in self.where:
            if not _exact(relation, numbers):
                given = ", ".join(f"{name} = {number}" for name, number in numbers.items())
                raise SizeError(f"{self.name} is for {_InOrder().doprint(relation)}; here {given}")


#: What the operations of the formulas do to whole numbers and fractions.
_OPERATIONS: dict[Any, Callable[..., Any]] = {
    sympy.Add: lambda *terms: sum(terms),
    sympy.Mul: lambda *factors: math.prod(factors),
    sympy.Pow: operator.pow,
    sympy.Mod: operator.mod,
    sympy.floor: math.floor,
    sympy.ceiling: math.ceil,
    sympy.Max: max,
    sympy.Ge: operator.ge,
    sympy.Gt: operator.gt,
    sympy.Lt: operator.lt,
    sympy.Eq: operator.eq,
}


def _exact(expression: Any, numbers: dict[str, int]) -> Any:
    """The expression's value in whole numbers and fractions; SymPy's own compiler would make floats."""
    if expression.is_Symbol:
        return Fraction(numbers[expression.name])
    if expression.is_Rational:
        return Fraction(int(expression.p), int(expression.q))
    return _OPERATIONS[expression.func](*(_exact(part, numbers) for part in expression.args))


def _flat(expression: Any) -> Any:
    """The same expression with sums of sums and products of products written in one, in their order."""
    if not expression.args:
        return expression
    parts = [_flat(part) for part in expression.args]
    if expression.is_Add or expression.is_Mul:
        kind = sympy.Add if expression.is_Add else sympy.Mul
        parts = [inner for part in parts for inner in (part.args if part.func is kind else (part,))]
        return kind(*parts, evaluate=False)
    return expression.func(*parts, evaluate=False)


def _formulas() -> list[tuple[Any, ...]]:
    """Name, left side, right side with its terms in the book's order, code, chapter, conditions."""
    N, F, S, P, D, R, C_in, C_out, G, M, H, W, U, n, b, L, r, j, o = _SYMBOLS.values()
    size, weights, macs = r"N_\text{out}", r"\text{weights}", r"\text{MACs}"
    parameters, connections = r"\text{parameters}", r"\text{connections}"
    floor, ceiling = sympy.floor, sympy.ceiling
    grouped = (sympy.Eq(C_in % G, 0), sympy.Eq(C_out % G, 0))
    both = sympy.Max((ceiling(N / S) - 1) * S + F - N, 0)
    image, picture = "(1, H, W, C_in)", "(1, N, N, C_in)"
    return [
        # Sizes
        ("output size", size, floor((N + 2 * P - F) / S) + 1,
         "output_size(N, F, stride=S, padding=P)", 6, N + 2 * P >= F),
        ("output size, valid", size, floor((N - F) / S) + 1,
         "output_size(N, F, stride=S)", 2, N >= F),
        ("output size, same", size, ceiling(N / S),
         "output_size(N, F, stride=S, padding='same')", 6),
        ("output size, full", size, N + F - 1,
         "output_size(N, F, padding='full')", 2),
        ("padding of same at stride 1", "P", (F - 1) / 2,
         "padding_amounts(N, F, padding='same')[0]", 6, sympy.Eq(F % 2, 1)),
        ("padding of same on both sides together", r"P_\text{both}", both,
         "sum(padding_amounts(N, F, stride=S, padding='same'))", 6),
        ("padding of same before", r"P_\text{before}", floor(both / 2),
         "padding_amounts(N, F, stride=S, padding='same')[0]", 6),
        ("inputs that no window reaches", r"\text{dropped}", (N + 2 * P - F) % S,
         "dropped_inputs(N, F, stride=S, padding=P)", 6, N + 2 * P >= F),
        ("effective kernel size", r"F_\text{eff}", D * (F - 1) + 1,
         "effective_kernel_size(F, D)", 9),
        ("output size, dilated", size, floor((N + 2 * P - D * (F - 1) - 1) / S) + 1,
         "output_size(N, F, stride=S, padding=P, dilation=D)", 9, N + 2 * P >= D * (F - 1) + 1),
        ("output size, transposed", size, (N - 1) * S + F - 2 * P + R,
         "transposed_size(N, F, stride=S, padding=P, output_padding=R)", 10,
         R < S, (N - 1) * S + F + R > 2 * P),
        ("output size, transposed and same", size, N * S,
         "transposed_size(N, F, stride=S, padding='same')", 10),
        # What a layer has to learn
        ("weights of a convolution layer", weights, F**2 * C_in * C_out,
         "conv_weights((F, F), C_in, C_out)", 5),
        ("parameters of a convolution layer", parameters, (F**2 * C_in + 1) * C_out,
         "conv_parameters((F, F), C_in, C_out)", 5),
        ("weights of a grouped convolution", weights, F**2 * C_in * C_out / G,
         "conv_weights((F, F), C_in, C_out, groups=G)", 9, *grouped),
        ("parameters of a depthwise convolution", parameters, (F**2 + 1) * C_in * M,
         "depthwise_parameters((F, F), C_in, M)", 9),
        ("parameters of a separable convolution", parameters, F**2 * C_in * M + (C_in * M + 1) * C_out,
         "separable_parameters((F, F), C_in, C_out, M)", 9),
        ("parameters of a locally connected layer", parameters, H * W * (F**2 * C_in + 1) * C_out,
         f"locally_connected_parameters({image}, F, C_out, padding='same')", 1),
        ("parameters of a dense layer", parameters, (n + 1) * U,
         "dense_parameters(n, U)", 1),
        ("weights of a stack against one layer that sees as much", r"\text{share}",
         L * F**2 / (L * (F - 1) + 1) ** 2,
         "Fraction(L * conv_weights((F, F), C_in, C_in), "
         "conv_weights((receptive_field([Window(F)] * L).size,) * 2, C_in, C_in))", 8),
        # What it has to compute
        ("operations of a convolution layer", macs, F**2 * C_in / G * C_out * H * W,
         f"conv_macs({image}, F, C_out, padding='same', groups=G)", 5, *grouped),
        ("operations of a separable convolution", macs, (F**2 + C_out) * C_in * H * W,
         f"separable_macs({image}, F, C_out, padding='same')", 9),
        ("cost of a separable convolution", r"\text{ratio}", 1 / C_out + 1 / F**2,
         "separable_cost((F, F), C_out)", 9),
        ("operations of a transposed convolution", macs, F**2 * C_in * C_out * N**2,
         f"transposed_macs({picture}, F, C_out)", 10),
        ("operations of a dense layer", macs, n * U,
         "dense_macs((1, n), U)", 1),
        ("comparisons of max pooling", r"\text{comparisons}", (F**2 - 1) * H * W * C_in,
         "pool_operations((1, H * F, W * F, C_in), F)", 7),
        ("connections of a convolution layer", connections, (F**2 * C_in + 1) * C_out * H * W,
         f"conv_connections({image}, F, C_out, padding='same')", 12),
        ("activation memory", r"\text{bytes}", H * W * C_out * b,
         "activation_values((1, H, W, C_out)) * b", 12),
        # What it sees
        ("receptive field, size", "r'", r + D * (F - 1) * j,
         "grown(ReceptiveField(r, j, o), Window(F, S, P, D)).size", 8),
        ("receptive field, stride", "j'", j * S,
         "grown(ReceptiveField(r, j, o), Window(F, S, P, D)).stride", 8),
        ("receptive field, offset", "o'", o - P * j,
         "grown(ReceptiveField(r, j, o), Window(F, S, P, D)).offset", 8),
        ("receptive field of equal layers", "r", L * D * (F - 1) + 1,
         "receptive_field([Window(F, dilation_rate=D)] * L).size", 8),
        ("equal layers that see so much", "L", ceiling((r - 1) / (F - 1)),
         "layers_needed(r, F)", 8, F >= 2),
    ]  # fmt: skip


def _all() -> dict[str, Formula]:
    with sympy.evaluate(False):  # as written, not as SymPy would have it
        return {
            name: Formula(name, result, _flat(right), code, chapter, tuple(map(_flat, where)))
            for name, result, right, code, chapter, *where in _formulas()
        }


#: The formula sheet, by name.
FORMULAS = _all()
