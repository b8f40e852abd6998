"""Learners (networks with their settings), and the model that one becomes with a task and a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.lazy import loader
from chainrule.models.learner import DEFAULT_LEARNERS, LEARNERS, SUITED_LEARNERS, Learner, Network

if TYPE_CHECKING:
    from chainrule.models.bag_of_words import BagOfWords
    from chainrule.models.convolutional_network import ConvolutionalNetwork
    from chainrule.models.feed_forward import FeedForward
    from chainrule.models.linear import LinearModel
    from chainrule.models.model import Model, evaluate
    from chainrule.models.multilayer_perceptron import MultilayerPerceptron
    from chainrule.models.pretrained_transformer import PretrainedTransformer
    from chainrule.models.recurrent_network import GatedRecurrentNetwork, LongShortTermMemory, RecurrentNetwork
    from chainrule.models.sampling import Sampling
    from chainrule.models.sequence_to_sequence import SequenceToSequence
    from chainrule.models.transformer import Transformer

__all__ = [
    "DEFAULT_LEARNERS", "LEARNERS", "SUITED_LEARNERS", "BagOfWords", "ConvolutionalNetwork", "FeedForward",
    "GatedRecurrentNetwork", "Learner", "LinearModel", "LongShortTermMemory", "Model", "MultilayerPerceptron",
    "Network", "PretrainedTransformer", "RecurrentNetwork", "Sampling", "SequenceToSequence", "Transformer", "evaluate",
]  # fmt: skip

__getattr__ = loader(
    __name__,
    {
        "bag_of_words": ("BagOfWords",),
        "convolutional_network": ("ConvolutionalNetwork",),
        "feed_forward": ("FeedForward",),
        "linear": ("LinearModel",),
        "model": ("Model", "evaluate"),
        "multilayer_perceptron": ("MultilayerPerceptron",),
        "pretrained_transformer": ("PretrainedTransformer",),
        "recurrent_network": ("GatedRecurrentNetwork", "LongShortTermMemory", "RecurrentNetwork"),
        "sampling": ("Sampling",),
        "sequence_to_sequence": ("SequenceToSequence",),
        "transformer": ("Transformer",),
    },
)
