"""Every chapter has the form that readers learn to rely on, and each rule catches what breaks it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from book.blocks import cut
from book.build import ROOT

CHAPTERS = sorted((ROOT / "chapters").glob("[0-9][0-9]-*.md"))
BIBLIOGRAPHY = frozenset(
    re.findall(r"^@\w+\{([\w:-]+),", (ROOT / "book/references.bib").read_text(encoding="utf-8"), re.MULTILINE)
)

OBJECTIVES, NEEDED, PREDICT = "What you will be able to do", "What you need first", "Predict, then look"
SLIP, FORMULAS = "Where the source notes slip: ", "Formula box"
CLASSES = {OBJECTIVES: "note objectives", NEEDED: "seealso", PREDICT: "tip", FORMULAS: "important formulas"}
ENDING = ["Summary", "In the source notes", "Exercises", "Further reading"]
LEVELS = {"●○○": "easy", "●●○": "medium", "●●●": "hard"}
#: Characters that fit into a window of 1280 pixels without scrolling, on the page and in a solution.
WIDEST_CODE, WIDEST_IN_SOLUTION = 74, 69
WORDS_A_MINUTE = 200

EXERCISE = re.compile(r"\*\*[^*]+[.?!]\*\* \*Difficulty: (?P<circles>[●○]{3}) (?P<word>\w+)\.\*$")
READING = re.compile(
    r"Reading time: about (\d+) minutes at 200 words a minute, and (\d+) more for the exercises\.$"
)
COMPUTED = re.compile(r"\{(?:glue(?::\w+)?|eval)\}|\{\{.*?\}\}|\{(?:sub-ref|code-eval|nb-eval)\}")
CITED = re.compile(r"\{cite(?::\w+)?\}`([^`]+)`")


@dataclass
class Part:
    """A heading, a directive or a paragraph, in the order of the page."""

    line: int
    kind: str  # "#", "##", … the name of a directive, or "text"
    title: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    body: list[str] = field(default_factory=list)
    fence: str = ""

    @property
    def code(self) -> str:
        return "\n".join(self.body)


def read(source: str) -> tuple[dict[str, Any], list[Part]]:
    """The front matter and the parts of a chapter; comments and link targets are left out."""
    _, head, page = source.split("---\n", 2)
    offset = source[: len(source) - len(page)].count("\n")
    return yaml.safe_load(head), list(_parts(page.splitlines(), offset))


def _parts(lines: list[str], offset: int) -> Iterator[Part]:
    number = 0
    while number < len(lines):
        line, start = lines[number], offset + number + 1
        number += 1
        if fence := re.match(r"(?P<mark>`{3,}|:{3,})(?:\{(?P<name>[\w-]+)\}\s*(?P<title>.*)|\w*)$", line):
            body: list[str] = []
            while lines[number].strip() != fence["mark"]:
                body.append(lines[number])
                number += 1
            number += 1
            options, body = _options(body)
            yield Part(start, fence["name"] or "code", fence["title"] or "", options, body, fence["mark"])
        elif heading := re.match(r"(#+) (.*)$", line):
            yield Part(start, heading[1], heading[2])
        elif line.strip() and not line.startswith("%") and not re.match(r"\([\w:.-]+\)=$", line):
            body = [line]
            while number < len(lines) and lines[number].strip() and not re.match(r"[`:]{3}", lines[number]):
                body.append(lines[number])
                number += 1
            yield Part(start, "text", body=body)


def _options(body: list[str]) -> tuple[dict[str, Any], list[str]]:
    if body[:1] == ["---"]:
        end = body.index("---", 1)
        return yaml.safe_load("\n".join(body[1:end])), body[end + 1 :]
    options = {}
    while body and (found := re.match(r":([\w-]+):\s*(.*)$", body[0])):
        options[found[1]] = yaml.safe_load(found[2])
        body = body[1:]
    return options, body


def faults(source: str, name: str, bibliography: frozenset[str] = BIBLIOGRAPHY) -> list[str]:
    """What is not as it should be in a chapter whose file is called ``name``."""
    front, parts = read(source)
    checks = (_head, _opening, _predictions, _admonitions, _figures, _ending, _exercises, _code)
    found = [fault for check in checks for fault in check(parts, name)]
    found += _description(front) + _reading_time(source, parts) + _text(source, parts, bibliography)
    label = name[3:].removesuffix(".md")
    if f"\n({label})=\n# " not in source:
        found.append(f"the title has no label ({label})=")
    return found


def _description(front: dict[str, Any]) -> list[str]:
    text = front.get("myst", {}).get("html_meta", {}).get("description", "")
    return [] if 50 <= len(text) <= 155 else [f"the description has {len(text)} characters, not 50 to 155"]


def _head(parts: list[Part], name: str) -> Iterator[str]:
    titles = [part.title for part in parts if part.kind == "#"]
    if len(titles) != 1 or titles[0][0].isdigit():
        yield f"there must be one title, without the number that the site puts before it, not {titles}"
    for part in parts:
        if re.match(r"##+$", part.kind) and re.match(r"\d", part.title):
            yield f"line {part.line}: a section carries a number"


def _opening(parts: list[Part], name: str) -> Iterator[str]:
    first, second, third = [part for part in parts if part.kind != "#"][:3]
    if first.title != OBJECTIVES:
        yield "the chapter does not open with its objectives"
    elif sum(bool(re.match(r"- \*\*[A-Z]\w+", line)) for line in first.body) < 4:
        yield "there are fewer than 4 objectives that begin with a verb in bold"
    if second.title != NEEDED:
        yield "the objectives are not followed by what one needs first"
    elif not READING.match(second.body[-1]):
        yield "what one needs first does not end with the reading time"
    if third.kind != "code-cell" or third.options.get("tags") != ["hide-input"]:
        yield "there is no folded setup cell after it"
    elif not all(call in third.code for call in ("import numpy as np", "style.use()", "keras();")):
        yield "the setup cell does not import NumPy, set the style and load Keras"


def _predictions(parts: list[Part], name: str) -> Iterator[str]:
    places = [place for place, part in enumerate(parts) if part.title == PREDICT]
    if len(places) < 3:
        yield f"there are {len(places)} predictions, not at least 3"
    for place in places:
        if parts[place + 1].kind != "code-cell":
            yield f"line {parts[place].line}: no cell answers the prediction"


def _admonitions(parts: list[Part], name: str) -> Iterator[str]:
    shown = [part for part in parts if part.kind == "admonition"]
    for part in shown:
        wanted = CLASSES.get(part.title, "warning source-slip" if part.title.startswith(SLIP) else "note")
        if part.options.get("class") != wanted or part.fence != ":::":
            yield f"line {part.line}: this admonition needs the class {wanted!r} and a fence of three colons"
    slips = [part.title for part in shown if part.title.startswith(SLIP)]
    if len(slips) != len(set(slips)):
        yield "two boxes on slips have the same title"


def _figures(parts: list[Part], name: str) -> Iterator[str]:
    names = []
    for part in parts:
        notes = part.options.get("mystnb", {})
        if part.kind != "code-cell" or not (notes or re.search(r"^plots\.", part.code, re.MULTILINE)):
            continue
        figure, image = notes.get("figure", {}), notes.get("image", {})
        names.append(figure.get("name"))
        caption, alt = str(figure.get("caption", "")).strip(), str(image.get("alt", "")).strip()
        if not (names[-1] and caption):
            yield f"line {part.line}: a figure without name or caption"
        if len(alt) < 40 or " ".join(alt.split()) == " ".join(caption.split()):
            yield f"line {part.line}: a figure needs an alternative text of its own, of 40 characters or more"
        if "hide-input" not in part.options.get("tags", []):
            yield f"line {part.line}: the code of a figure is not folded"
    if len(names) < 3 or len(names) != len(set(names)):
        yield f"there must be at least 3 figures with different names, not {names}"


def _ending(parts: list[Part], name: str) -> Iterator[str]:
    sections = [part.title for part in parts if part.kind == "##"]
    if sections[-4:] != ENDING:
        yield f"the chapter must end with {ENDING}, not {sections[-4:]}"
        return
    place = {part.title: number for number, part in enumerate(parts)}
    if not place["Summary"] < place.get(FORMULAS, -1) < place["In the source notes"]:
        yield "there is no formula box between summary and source notes"
        return
    rows = [line for line in parts[place[FORMULAS]].body if line.startswith("|")]
    if rows[:1] != ["| what | formula | in `cnnlib` |"] or len(rows) < 6:
        yield "the formula box must be a table of what, formula and function"
    for row in rows[2:]:
        if "`" not in row.rstrip("| ").rsplit("|", 1)[1]:
            yield f"a formula without the function that computes it: {row}"


def _exercises(parts: list[Part], name: str) -> Iterator[str]:
    label = f"ex-{name[3:].removesuffix('.md')}"
    gates = [(place, part) for place, part in enumerate(parts) if part.kind == "exercise-start"]
    if len(gates) < 6:
        yield f"there are {len(gates)} exercises, not at least 6"
    levels = set()
    for number, (place, part) in enumerate(gates, start=1):
        here = f"exercise {number}"
        if part.options.get("label") != f"{label}-{number}" or part.title:
            yield f"{here}: it needs the label {label}-{number} and no title"
        said = EXERCISE.match(parts[place + 1].body[0]) if parts[place + 1].body else None
        if not said or LEVELS.get(said["circles"]) != said["word"]:
            yield f"{here}: it does not begin with a short name and its difficulty"
        else:
            levels.add(said["word"])
        kinds = [p.kind for p in parts[place:]]
        if "exercise-end" not in kinds or "dropdown" not in kinds[: kinds.index("exercise-end")]:
            yield f"{here}: no hint"
            continue
        after = parts[place + kinds.index("exercise-end") + 1]
        options = {"class": "dropdown"}
        if (after.kind, after.title, after.options) != ("solution-start", f"{label}-{number}", options):
            yield f"{here}: no folded solution follows"
    if gates and levels != set(LEVELS.values()):
        yield f"the exercises are only {sorted(levels)}"


def _code(parts: list[Part], name: str) -> Iterator[str]:
    cells = [part for part in parts if part.kind == "code-cell"]
    if not any("agree(" in cell.code for cell in cells) or not any(
        "conv_facts(" in cell.code for cell in cells
    ):
        yield "nothing is compared with Keras, neither values nor shapes"
    widest = WIDEST_CODE
    for part in parts:
        if part.kind in ("solution-start", "solution-end"):
            widest = WIDEST_IN_SOLUTION if part.kind == "solution-start" else WIDEST_CODE
        longest = max(map(len, part.body), default=0)
        if part.kind in ("code-cell", "code") and longest > widest:
            yield f"line {part.line}: a line of code has {longest} characters, more than {widest}"


def _reading_time(source: str, parts: list[Part]) -> list[str]:
    end = next((p.line for p in parts if (p.kind, p.title) == ("##", "Exercises")), 10**9)
    words = sum(len(re.findall(r"[\w’'-]+", block.text)) for block in cut(source) if block.line < end)
    needed = next((part for part in parts if part.title == NEEDED), None)
    said = READING.match(needed.body[-1]) if needed and needed.body else None
    if said and abs(int(said[1]) - words / WORDS_A_MINUTE) > 2.5:
        return [f"{words} words take {words / WORDS_A_MINUTE:.0f} minutes, not {said[1]}"]
    return []


def _text(source: str, parts: list[Part], bibliography: frozenset[str]) -> list[str]:
    found = []
    cited = {key.strip() for keys in CITED.findall(source) for key in keys.split(",")}
    if unknown := cited - bibliography:
        found.append(f"cited, but not in the bibliography: {sorted(unknown)}")
    if len(cited) < 4:
        found.append(f"only {len(cited)} works are cited")
    prose = "\n".join(block.text for block in cut(source))
    if computed := COMPUTED.findall(prose):
        found.append(f"computed text, which no translation keeps: {computed}")
    if marks := re.findall(r"\b(?:TODO|FIXME|XXX|TBD)\b|lorem ipsum", source, re.IGNORECASE):
        found.append(f"not finished: {marks}")
    if "{index}`" in source or sum(part.kind == "index" for part in parts) < 5:
        found.append("index entries must be directives, and at least 5 of them")
    return found


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_has_the_form_of_the_book(chapter: Path) -> None:
    assert faults(chapter.read_text(encoding="utf-8"), chapter.name) == []


def test_the_contents_number_the_chapters_as_their_files_do() -> None:
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    numbered = [entry["file"] for part in toc["parts"] if part.get("numbered") for entry in part["chapters"]]
    assert numbered == [chapter.stem for chapter in CHAPTERS]
    assert [int(name[:2]) for name in numbered] == list(range(1, len(CHAPTERS) + 1))


GOOD = ROOT / "chapters/02-one-dimension.md"
#: What is replaced in a good chapter, by what, and a part of the fault that must be found.
BREAKS = {
    "long description": ('description: "', 'description: "' + "word " * 40, "description has"),
    "no description": ("    description:", "    keywords:", "description has 0"),
    "two titles": ("\n## Summary", "\n# Summary of it all\n\n## Summary", "one title"),
    "number by hand": ("\n# Convolution", "\n# 2 · Convolution", "one title"),
    "no label": ("(one-dimension)=\n", "", "no label"),
    "numbered section": ("## The same question", "## 2.1 The same question", "carries a number"),
    "no objectives": (OBJECTIVES, "Aims", "does not open with its objectives"),
    "few objectives": (re.compile(r"- \*\*(Compute|Draw|Tell)\*\*"), "- You", "fewer than 4 objectives"),
    "nothing needed": (NEEDED, "Before you start", "not followed by what one needs"),
    "no reading time": ("Reading time: about", "It takes about", "reading time"),
    "hasty reader": (re.compile(r"about \d+ minutes at"), "about 5 minutes at", "words take"),
    "open setup": (":tags: [hide-input]\n", "", "no folded setup cell"),
    "no style": ("style.use()", "pass", "does not import NumPy"),
    "no predictions": (PREDICT, "Think", "0 predictions"),
    "unanswered": (
        re.compile(rf"(?<=\{{admonition\}} {PREDICT}\n)((?:(?!:::).*\n)*:::\n)"), r"\1\nSo it is.\n",
        "no cell answers",
    ),
    "other class": (":class: tip", ":class: hint", "needs the class 'tip'"),
    "slip without topic": (re.compile(f"{SLIP}.*"), SLIP.strip(": "), "needs the class 'note'"),
    "slips alike": (re.compile(f"{SLIP}.*"), SLIP + "again", "same title"),
    "no caption": ("    caption: |", "    legend: |", "without name or caption"),
    "no figure name": (re.compile(r"    name: fig-.*\n"), "", "without name or caption"),
    "short alt": (re.compile(r"    alt: .*"), "    alt: A picture.", "alternative text of its own"),
    "no alt": (re.compile(r"    alt: .*\n"), "", "alternative text of its own"),
    "open figure": ("---\ntags: [hide-input]\nmystnb", "---\nmystnb", "not folded"),
    "figure names alike": (re.compile(r"    name: fig-.*"), "    name: fig-same", "different names"),
    "no summary": ("## Summary", "## In short", "must end with"),
    "no further reading": ("## Further reading", "## Books", "must end with"),
    "no formula box": (FORMULAS, "Formulae", "no formula box"),
    "formula without function": ("| `correlate`, `conv` |", "| |", "without the function"),
    "few exercises": (
        re.compile(r"```\{exercise-start\}\n:label: ex-[\w-]+-[2-7]\n```\n"), "", "there are 1 exercises",
    ),
    "exercise with title": ("{exercise-start}", "{exercise-start} A title", "no title"),
    "exercise misnumbered": (":label: ex-one-dimension-4", ":label: ex-one-dimension-9", "needs the label"),
    "no difficulty": (" *Difficulty: ●○○ easy.*", "", "short name and its difficulty"),
    "wrong circles": ("●○○ easy", "●●○ easy", "short name and its difficulty"),
    "one level": (re.compile(r"●[●○]{2} \w+\.\*"), "●○○ easy.*", "the exercises are only"),
    "no hint": (":::{dropdown} Hint", ":::{note}", "no hint"),
    "open solution": (
        "```{solution-start} ex-one-dimension-1\n:class: dropdown", "```{solution-start} ex-one-dimension-1",
        "no folded solution",
    ),
    "no solution": (
        re.compile(r"```\{solution-start\} ex-one-dimension-3\n:class: dropdown\n```\n"), "",
        "no folded solution",
    ),
    "no comparison": (re.compile(r"\bagree\("), "trust(", "nothing is compared"),
    "no shapes compared": (re.compile(r"\bconv_facts\("), "shapes(", "nothing is compared"),
    "long code": ("x = np.array([3,", "x = " + " " * 60 + "np.array([3,", "more than 74"),
    "long code in a solution": ("spike = [", "spike = " + " " * 53 + "[", "more than 69"),
    "unknown work": ("{cite}`waibel1989`", "{cite}`nobody2099`", "not in the bibliography: ['nobody2099']"),
    "no works": (CITED, "", "only 0 works"),
    "glue": ("\n## Summary", "\nIt has {glue}`places` places.\n\n## Summary", "computed text"),
    "substitution": ("\n## Summary", "\nIt has {{ places }} places.\n\n## Summary", "computed text"),
    "unfinished": ("\n## Summary", "\nTODO: say more.\n\n## Summary", "not finished"),
    "index role": ("\n## Summary", "\nThe {index}`floor` rounds.\n\n## Summary", "must be directives"),
}  # fmt: skip


@pytest.mark.parametrize("name", BREAKS)
def test_each_rule_catches_a_chapter_that_breaks_it(name: str) -> None:
    old, new, expected = BREAKS[name]
    source = GOOD.read_text(encoding="utf-8")
    broken = old.sub(new, source) if isinstance(old, re.Pattern) else source.replace(old, new)
    assert broken != source, "the good chapter does not have what was to be broken"
    assert [fault for fault in faults(broken, GOOD.name) if expected in fault]


def test_every_slip_of_the_sources_has_a_box_and_stands_among_the_errata() -> None:
    boxes = [
        number for path in CHAPTERS for number in re.findall(r"^:name: slip-(\d+)$", path.read_text(), re.M)
    ]
    assert sorted(map(int, boxes)) == list(range(1, 18))
    errata = (ROOT / "chapters/errata.md").read_text(encoding="utf-8")
    for path in CHAPTERS:
        for number in re.findall(r"^:name: slip-(\d+)$", path.read_text(), re.M):
            assert f"{{ref}}`Shown in chapter {int(path.name[:2])} <slip-{number}>`" in errata, number
