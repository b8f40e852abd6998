"""Learners (networks with their settings), and the model that one becomes with a task and a table."""

from chainrule.models.bag_of_words import BagOfWords
from chainrule.models.convolutional_network import ConvolutionalNetwork
from chainrule.models.feed_forward import FeedForward
from chainrule.models.learner import DEFAULT_LEARNERS, LEARNERS, SUITED_LEARNERS, Learner, Network
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
