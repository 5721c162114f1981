"""The one door to Keras, the peer that all is compared with. Chapters 2 and 5.

Nothing else in this library imports Keras; it is loaded, with TensorFlow under it, when first used.
:mod:`~cnnlib.keras_bridge.peers` has the Keras twin of each operator, :mod:`~cnnlib.keras_bridge.agreement`
compares the two, :mod:`~cnnlib.keras_bridge.problems` draws what to compare them on,
:mod:`~cnnlib.keras_bridge.ledger` keeps the book, and :mod:`~cnnlib.keras_bridge.models` takes whole
networks and their weights across.
"""

from __future__ import annotations

from cnnlib.keras_bridge.agreement import Agreement, DisagreementError, agree
from cnnlib.keras_bridge.backend import keras
from cnnlib.keras_bridge.facts import LayerFacts, conv_facts, layer_facts, pool_facts
from cnnlib.keras_bridge.peers import PEERS, average_pool, conv, max_pool

__all__ = [
    "PEERS",
    "Agreement",
    "DisagreementError",
    "LayerFacts",
    "agree",
    "average_pool",
    "conv",
    "conv_facts",
    "keras",
    "layer_facts",
    "max_pool",
    "pool_facts",
]
