"""The formula sheet and the code: the same numbers, hundreds of times."""

from __future__ import annotations

import dataclasses
import inspect
import random

import pytest
import sympy

from cnnlib import receptive_field, sizes
from cnnlib.errors import SizeError
from cnnlib.formulas import FORMULAS, QUANTITIES, Formula

#: How large the numbers that are drawn may get; 12 unless told.
MOST = {"N": 60, "F": 9, "S": 5, "P": 4, "D": 4, "R": 4, "L": 5, "r": 200, "o": 50, "n": 5000, "U": 5000}
CASES = 200


def draws(formula: Formula, cases: int = CASES):
    """Numbers for all symbols of a formula that meet its conditions."""
    dice = random.Random(formula.name)
    given = 0
    while given < cases:
        numbers = {
            name: dice.randint(max(QUANTITIES[name].least, -50), MOST.get(name, 12))
            for name in formula.arguments
        }
        if "G" in numbers:  # divisors are rare among drawn numbers
            numbers["C_in"] *= numbers["G"]
            numbers["C_out"] *= numbers["G"]
        if not formula.holds(**numbers):
            continue
        given += 1
        yield numbers


@pytest.mark.parametrize("name", FORMULAS)
def test_formula_and_function_are_equal(name):
    formula = FORMULAS[name]
    seen = set()
    for numbers in draws(formula):
        value = formula.value(**numbers)
        assert value == formula.computed(**numbers), numbers
        seen.add(value)
    assert len(seen) > 4  # and say something


@pytest.mark.parametrize("name", FORMULAS)
def test_the_expression_read_by_sympy_itself_gives_the_same(name):
    """The compiled expression is the printed one."""
    formula = FORMULAS[name]
    symbols = {symbol.name: symbol for symbol in formula.expression.free_symbols}
    for numbers in draws(formula, cases=5):
        there = {symbols[n]: numbers[n] for n in symbols}
        assert formula.expression.subs(there).doit() == sympy.Rational(formula.value(**numbers))


@pytest.mark.parametrize("name", FORMULAS)
def test_a_slip_in_a_formula_would_be_seen(name):
    """Each symbol, put one too high in the expression alone, changes some value; so does a lost term."""
    formula = FORMULAS[name]
    slips = [formula.expression + 1]
    slips += [formula.expression.subs(symbol, symbol + 1) for symbol in formula.expression.free_symbols]
    for slip in slips:
        wrong = dataclasses.replace(formula, expression=slip)
        assert any(wrong.value(**numbers) != wrong.computed(**numbers) for numbers in draws(formula))


@pytest.mark.parametrize("name", [n for n in FORMULAS if "output size" in n or "dropped" in n])
def test_beyond_its_conditions_the_function_refuses_too(name):
    formula = FORMULAS[name]
    loose = dataclasses.replace(formula, where=())
    refused = 0
    for numbers in draws(loose, cases=80):
        if not formula.holds(**numbers):
            refused += 1
            with pytest.raises(SizeError):
                loose.computed(**numbers)
    assert bool(refused) == bool(formula.where)


@pytest.mark.parametrize("name", FORMULAS)
def test_each_line_of_the_sheet_is_whole(name):
    formula = FORMULAS[name]
    assert formula.name == name
    assert 1 <= formula.chapter <= 14
    for text in (formula.tex, formula.conditions):
        assert text.count("{") == text.count("}")
        assert text.count(r"\left") == text.count(r"\right")
    assert " = " in formula.tex
    assert formula._repr_latex_() == f"$\\displaystyle {formula.tex}$"
    assert all(tex in formula.tex + formula.conditions for tex in formula.meanings())
    called = compile(formula.code, name, "eval").co_names
    homes = [getattr(sizes, c, None) or getattr(receptive_field, c, None) for c in called]
    assert any(inspect.isfunction(home) for home in homes), "the code calls none of our functions"


def test_every_quantity_is_used_and_written_in_its_own_way():
    used = set().union(*(formula.symbols for formula in FORMULAS.values()))
    assert used == set(QUANTITIES)
    assert len({quantity.tex for quantity in QUANTITIES.values()}) == len(QUANTITIES)
    assert len({quantity.meaning for quantity in QUANTITIES.values()}) == len(QUANTITIES)


def test_terms_stand_as_the_book_writes_them():
    formula = FORMULAS["output size"]
    assert str(formula) == "N_out = floor((N + 2*P - F)/S) + 1"
    assert formula.tex == r"N_\text{out} = \left\lfloor{\frac{N + 2 P - F}{S}}\right\rfloor + 1"
    assert formula.conditions == r"N + 2 P \geq F"
    assert FORMULAS["receptive field, size"].tex == r"r' = r + D \left(F - 1\right) j"


def test_errors_name_the_numbers():
    formula = FORMULAS["output size"]
    with pytest.raises(SizeError, match=r"output size needs N, F, S, P, not N, F$"):
        formula.value(N=3, F=3)
    with pytest.raises(SizeError, match=r"output size needs N, F, S, P, not nothing$"):
        formula.computed()
    with pytest.raises(SizeError, match=r"S must be a whole number of at least 1, not 0"):
        formula.value(N=3, F=3, S=0, P=0)
    with pytest.raises(SizeError, match=r"N must be a whole number of at least 1, not 3.5"):
        formula.value(N=3.5, F=3, S=1, P=0)
    with pytest.raises(SizeError, match=r"is for N \+ 2\*P >= F; here N = 3, F = 6, S = 1, P = 1"):
        formula.value(N=3, F=6, S=1, P=1)
    with pytest.raises(SizeError, match="not that of a window; give the whole stack to receptive_field"):
        receptive_field.grown(receptive_field.ReceptiveField(None, 0, 0), receptive_field.Window(3))
