"""Drawings that answer: each is an object that a page or a notebook shows, and that the reader takes in hand.

An explorer is made from numbers, as a chapter's example is. It shows the same in the book, in JupyterLab and
in print: HTML with SVG and a small script, which asks nothing of any server; a picture where there is no
HTML; a sentence where there is no picture. Without JavaScript the first step stays visible.

>>> explorer = ConvolutionMicroscope([3, 1, 4, 1, 5], [1, 0, -1], padding=1)
>>> explorer
Step 1 of 5: the window covers 0, 3, 1 (padding: 1 of 3). Its weighted sum is −1, output 0.
"""

from cnnlib.explorers.filter_stack import FilterStack
from cnnlib.explorers.microscope import ConvolutionMicroscope
from cnnlib.explorers.network_looking import NetworkLooking
from cnnlib.explorers.one_window import OneWindow
from cnnlib.explorers.receptive_cone import ReceptiveCone
from cnnlib.explorers.shift_and_pool import ShiftAndPool
from cnnlib.explorers.workbench import ArchitectureWorkbench

__all__ = [
    "ArchitectureWorkbench",
    "ConvolutionMicroscope",
    "FilterStack",
    "NetworkLooking",
    "OneWindow",
    "ReceptiveCone",
    "ShiftAndPool",
]
