"""Whole models in the user's words, and the learners that make them."""

from chainrule.models.bag_of_words import BagOfWords
from chainrule.models.classifier import TextClassifier
from chainrule.models.feed_forward import FeedForward
from chainrule.models.folder import LEARNERS
from chainrule.models.learner import Learner, TextNetwork

__all__ = ["LEARNERS", "BagOfWords", "FeedForward", "Learner", "TextClassifier", "TextNetwork"]
