"""The numbers of the chapters hold, and the checker that says so catches each way of being wrong."""

from __future__ import annotations

import dataclasses
import functools
import subprocess
import sys
from pathlib import Path

import pytest

import book.claims
from book.blocks import Block, read_blocks
from book.build import ROOT
from book.claims import Problem, check, check_block, evaluate, main, scope
from book.numbers import find, mask, plain

CHAPTERS = sorted((ROOT / "chapters").glob("*.md"))


def problems(page: str, folder: Path) -> list[Problem]:
    path = folder / "page.md"
    path.write_text(page, encoding="utf-8")
    return check(path)


@pytest.mark.keras
@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_every_number_of_a_chapter_is_proved(chapter: Path) -> None:
    assert "\n".join(map(str, check(chapter))) == ""


@pytest.mark.keras
@pytest.mark.parametrize("chapter", [c for c in CHAPTERS if c.name[0].isdigit()], ids=lambda path: path.stem)
def test_a_chapter_notices_when_any_number_of_it_changes(
    chapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Put a 7 after each number of two digits or more, one at a time: there must be a problem."""
    monkeypatch.setattr(book.claims, "evaluate", functools.cache(evaluate))
    missed, mutants = [], 0
    for block in read_blocks(chapter):
        text = plain(block.text)
        for number in find(mask(text)):
            if number.exact or sum(map(str.isdigit, number.text)) < 2:
                continue
            end = number.start + len(number.text)
            mistyped = text[:end] + "7" + text[end:]
            mutants += 1
            if not check_block(dataclasses.replace(block, text=mistyped)):
                missed.append(f"{block.path}:{block.line}: {number.text}")
    assert missed == []
    assert mutants > 30


RIGHT = [
    "% claim: output_size(6, 2)\nIt has 5 places.",
    "% claim: output_size(6, 2)\nIt has five places.",
    "% claim: output_size(6, 2) == 5\n$O = 5$.",
    "% claim: conv_parameters((5, 5), 3, 10)\nThat makes 760 parameters.",
    "% claim: output_shape((1, 1920, 1080, 3), 5, 1)\nIt is `(1, 1916, 1076, 1)`.",
    "% claim: output_size(6, 2) < output_size(6, 2, padding='same')\nFewer.",
    "% claim: np.allclose(convolve([2, 3], [1, 1]), [2, 5, 3])\nEqual.",
    "% claim: padding_amounts(6, 3, 2, 'same')\nIt pads 0 before and 1 after.".replace(
        "before and 1 after", "and 1"
    ),
    "% claim: output_size(32,\n%    5)\nIt leaves 28.",
    "% given: 32, 5\nTake 32 pixels and a kernel of 5.",
    "% claim: output_size(32, 5)\nFrom 32 pixels, 28 remain.",
    "Take `strides=2` and $S = 2$ and a 3×3 kernel.",
    "In 1989, LeCun; VGG-16; chapter 12; {cite}`lecun1989`.",
    "- % is no comment here: 5 %\n",
]


@pytest.mark.parametrize("page", RIGHT)
def test_right_pages_pass(page: str, tmp_path: Path) -> None:
    assert problems(page, tmp_path) == []


WRONG = [
    ("% claim: output_size(6, 2)\nIt has 6 places.", "is 5, which is not written"),
    ("% claim: output_size(6, 2)\n\nIt has 5 places.", "is 5, which is not written"),
    ("% claim: output_size(6, 2) == 6\nIt has 5 places.", "is 5, but 6 is 6"),
    ("% claim: output_size(6, 2) == output_size(6, 3)\nIt has 5 places.", "is 5, but output_size(6, 3) is 4"),
    ("% claim: output_size(6, 2) > 6\nMore.", "it is False"),
    ("% claim: output_size(6, 2\nIt has 5 places.", "SyntaxError"),
    ("% claim: output_sise(6, 2)\nIt has 5 places.", "NameError"),
    ("% claim: output_size(2, 6)\nIt has 5 places.", "SizeError: kernel 6 does not fit into input 2"),
    ("% claim: print\nIt has 5 places.", "TypeError"),
    ("It has 55 places.", "the number 55 is neither claimed nor given"),
    ("So $O = 5$ places.", "the result 5 is neither claimed nor given"),
    ("It gives 5 places.", "the result 5 is neither claimed nor given"),
    ("6×6 → 5×5", "the result 5 is neither claimed nor given"),
    ("$6 \\to 5$", "the result 5 is neither claimed nor given"),
    ("It leaves **5** places.", "the result 5 is neither claimed nor given"),
    ("% given: 32\nFrom 32 pixels, 28 remain.", "the number 28 is neither claimed nor given"),
    # a claim's own arguments do not excuse a result
    ("% claim: output_size(32, 5)\nIt leaves 32, no, 28.", "the result 32 is neither claimed nor given"),
    ("| a |\n|---|\n| 12 |", "the number 12 is neither claimed nor given"),
    ("$$\nO = 29\n$$", "the result 29 is neither claimed nor given"),
    ("```{code-cell} python\n---\nmystnb:\n  figure:\n    caption: 44 places\n---\nx\n```", "the number 44"),
]


@pytest.mark.parametrize(("page", "message"), WRONG)
def test_wrong_pages_are_caught(page: str, message: str, tmp_path: Path) -> None:
    found = problems(page, tmp_path)
    assert found
    assert message in str(found[0])


@pytest.mark.keras
def test_a_claim_that_keras_contradicts_is_caught(tmp_path: Path) -> None:
    page = "% claim: output_size(6, 2) == conv_facts((1, 6, 1), 1, {}).output_shape[1]\nIt has 5 places."
    assert problems(page.format(2), tmp_path) == []
    assert "is 5, but" in str(problems(page.format(3), tmp_path)[0])


def test_a_problem_says_where_it_is(tmp_path: Path) -> None:
    problem = problems("# Title\n\nLine one,\nand 55 in line two.\n", tmp_path)[0]
    assert problem.line == 4
    assert str(problem).startswith(f"{tmp_path / 'page.md'}:4: ")
    assert "| and 55 in line two." in str(problem)


def test_keras_is_loaded_only_by_claims_that_need_it(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("% claim: output_size(6, 2)\nIt has 5 places.\n")
    code = (
        "import sys; from pathlib import Path; from book.claims import check; "
        f"assert check(Path({str(page)!r})) == []; sys.exit('keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_the_scope_holds_what_the_chapters_speak_of() -> None:
    import cnnlib

    assert set(cnnlib.__all__) <= set(scope())
    assert {"np", "math", "filters", "output_size", "dropped_inputs", "conv_facts", "agree"} <= set(scope())


def test_the_command_line_tells_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("% claim: output_size(6, 2)\nIt has 5 places.\n")
    assert main([str(page)]) == 0
    assert "1 claims hold" in capsys.readouterr().out
    page.write_text("It has 55 places.\n")
    assert main([str(page)]) == 1
    assert "the number 55" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main([str(tmp_path / "none.md")])


def test_a_number_with_a_unit_in_words_is_one_number() -> None:
    assert [number.value for number in find("2.06 million and 3 thousand")] == [2060000.0, 3000.0]


def test_a_block_without_numbers_has_no_problem(tmp_path: Path) -> None:
    assert check_block(Block(tmp_path, 1, "No number here.")) == []
