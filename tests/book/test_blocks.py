"""A chapter is cut into the text that readers see, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from book.blocks import Block, cut, read_blocks

PAGE = """---
kernelspec:
  name: python3
---

(label-17)=
# 18 · Title

% claim: 1 + 1
First line, 21,
second line.

- item
- item

::::{admonition} Title 22
:class: tip-23

% given: 24
Inside.

```python
x = 25
```
::::

```{code-cell} python
:tags: [hide-input-26]
y = 27
```

% given: 28
```{code-cell} python
---
mystnb:
  figure:
    caption: |
      Caption.
  image:
    alt: Alternative.
---
z = 29
```

```{exercise}
:label: ex-30

Exercise.
```

$$
x = 31
$$
"""


def test_a_page_is_cut_into_its_blocks() -> None:
    blocks = list(cut(PAGE))
    assert [block.text for block in blocks] == [
        "First line, 21,\nsecond line.",
        "- item\n- item",
        "Inside.",
        "Caption.\nAlternative.",
        "Exercise.",
        "$$\nx = 31\n$$",
    ]


def test_comments_belong_to_the_block_right_below() -> None:
    comments = {block.text.split("\n")[0]: block.comments for block in cut(PAGE)}
    assert comments["First line, 21,"] == [(9, "claim: 1 + 1")]
    assert [comment for _, comment in comments["Inside."]] == ["given: 24"]
    assert [comment for _, comment in comments["Caption."]] == ["given: 28"]
    assert comments["Exercise."] == []


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    lines = PAGE.splitlines()
    for block in cut(PAGE):
        first = block.text.split("\n")[0]
        if first != "Caption.":  # a caption is found at its cell
            assert lines[block.line - 1] == first


@pytest.mark.parametrize("between", ["", "# Heading", "```\ncode\n```"])
def test_a_comment_that_is_cut_off_claims_nothing_below(between: str) -> None:
    blocks = list(cut(f"% claim: 4\n{between}\n\nFour is 4.\n"))
    assert [block.comments for block in blocks if block.text == "Four is 4."] == [[]]


def test_a_comment_above_a_blank_line_is_not_lost() -> None:
    assert next(cut("% claim: 4\n\nFour is 4.\n")) == Block(Path("chapter.md"), 2, "", [(1, "claim: 4")])


def test_every_chapter_is_cut_and_leaves_no_markup_of_cells(chapters: list[Path]) -> None:
    for chapter in chapters:
        for block in read_blocks(chapter):
            assert "{code-cell}" not in block.text, f"{chapter}:{block.line}"
            assert not block.text.startswith("#"), f"{chapter}:{block.line}"
