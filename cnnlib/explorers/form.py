"""Settings that a reader changes: the form, what may be typed, and the words of what is refused.

``form.js`` reads them, ``sizes.js`` says what does not fit.
"""

from __future__ import annotations

import html
from collections.abc import Mapping

from cnnlib.explorers.base import attributes, button, region

#: Numbers lie between minus this and this, so that they fit their cells.
LARGEST = 10_000.0
#: Words that explorers with settings share; the refusals are those of the library.
FORM_WORDS = {
    "label_reset": "Reset",
    "label_link": "Link to this step",
    "label_settings": "Change the example",
    "label_row": "row",
    "label_column": "column",
    "label_place": "place",
    "label_stride": "stride",
    "label_dilation": "dilation",
    "label_padding": "padding",
    "where": "axis {axis}",
    "whole": "{name} must be a whole number of at least {least}, not {value}",
    "unfit": "{where}: kernel {k}{spread} does not fit into input {n}{padded}; "
    "pad by at least {lacking} on each side{smaller}",
    "unfit_spread": " spread over {f} by dilation {d}",
    "unfit_padded": " with padding {before} + {after}",
    "unfit_smaller": " or use a kernel of at most {largest}",
    "ragged": "{name} is ragged: its rows differ in length; make them equally long",
    "empty": "{name} is empty; give at least one number",
    "no_number": "{name} must be a number of at least {least} and below {below}, not {value}",
    "size": "size",
    "rows": "rows",
    "columns": "columns",
    "fact": "{axis}: ⌊({n} + {before} + {after} − {f}) / {s}⌋ + 1 = {out}, "
    "from N = {n}, padding {before} + {after}, F = {f}, S = {s}. Dropped at the end: {dropped}.",
    "spread": "F is {k} weights at distance {d}: {d}·({k} − 1) + 1 = {f}.",
    "too_many": "axis {axis}: {cells} cells are more than can be drawn here; use at most {most}",
    "at_most": "{name} is {value}; use at most {most}",
}


def check(name: str, label: str, on: bool) -> str:
    """A box that is ticked or not, with its label."""
    box = f"<input type=checkbox{attributes(data_c=name)}{' checked' * on}>"
    return f"<label class=cx-checkbox><span>{html.escape(label)}</span> {box}</label>"


def form(words: Mapping[str, str], steps: str, settings: str) -> str:
    """The controls, hidden until a script runs: those of a place, then the settings."""
    ends = f'{button("reset", words["label_reset"])}<a data-c=link href="#">{words["label_link"]}</a>'
    more = (
        f"<details><summary>{words['label_settings']}</summary>"
        f"<div class=cx-fields>{settings}</div></details>"
    )
    return (
        f"<form class=cx-controls hidden><div class=cx-steps>{steps}{ends}</div>"
        f"{more if settings else ''}</form>"
    )


def explored(parts: Mapping[str, str], controls: str, help: str) -> str:
    """The parts of an explorer one below the other: drawing, sum, sentence, error, facts, controls."""
    return (
        region("panels", parts["panels"], tabindex="0", role="group", aria_label=help)
        + region("sum", parts["sum"], "p")
        + region("say", parts["say"], "p", role="status", aria_live="polite")
        + region("error", "", "p", role="alert", hidden="")
        + region("facts", parts["facts"])
        + controls
    )
