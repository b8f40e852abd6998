"""Summary: a table of layers, shapes and parameters."""

import numpy as np
import pytest

import chainrule
from chainrule import Key, Parameter, Spec
from chainrule.errors import ShapeError
from chainrule.nn import Dropout, EmbeddingBag, Layer, Linear, Sequential, summary


class Classifier(Layer):
    random = True

    def __init__(self):
        generator = np.random.default_rng(0)
        self.bag = EmbeddingBag(100, 8, generator=generator)
        self.network = Sequential(Dropout(0.5), Linear(8, 2, with_bias=False, generator=generator))
        self.unused = Linear(2, 2, generator=generator)
        self.scale = Parameter.of(1.0)
        self.tied = self.bag.table

    def __call__(self, ids, offsets, key=None):
        return self.network(self.bag(ids, offsets), key) * self.scale


def test_the_table_of_a_classifier():
    ids, offsets = Spec((70,), np.dtype("int64")), Spec((17,), np.dtype("int64"))
    expected = """\
path              layer                                        output   parameters      count
                  Classifier                                   (16, 2)  scale ()            1
bag               EmbeddingBag(100 × 8, mean)                  (16, 8)  table (100, 8)    800
network           Sequential(Dropout(0.5), Linear(8 → 2, ...)  (16, 2)
network.layers.0  Dropout(0.5)                                 (16, 8)
network.layers.1  Linear(8 → 2, no bias)                       (16, 2)  weight (8, 2)      16
unused            Linear(2 → 2)                                         weight (2, 2)       4
                                                                        bias (2,)           2
total                                                                                     823"""
    assert summary(Classifier(), ids, offsets) == expected
    assert summary(Classifier(), ids, offsets, key=Key.of(seed=0)) == expected


def test_a_layer_that_is_called_several_times_lists_its_shapes():
    relu = chainrule.nn.Function(chainrule.relu)
    network = Sequential(relu, Linear(3, 2, generator=np.random.default_rng(0)), relu, relu)
    line = summary(network, Spec((5, 3))).splitlines()[2]
    assert line.split() == ["layers.0", "relu", "(5,", "3)", "(5,", "2)"]


def test_a_layer_without_parameters():
    assert summary(Dropout(0.5), Spec((5,))).splitlines()[-1].split() == ["total", "0"]


def test_a_wrong_spec_names_the_layer():
    with pytest.raises(ShapeError, match=r"^Linear\(3 → 2\): expected size 3 on axis -1, got 4"):
        summary(Linear(3, 2, generator=np.random.default_rng(0)), Spec((5, 4)))
