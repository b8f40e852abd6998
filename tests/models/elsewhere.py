"""What other processes do with models; they import this alone, and not all of the package."""

import os

from tests import samples


def predict(model, texts, engine):
    return os.getpid(), model.predict_probabilities(texts, engine=engine), model.predict(texts, engine=engine)


def train(name, train, valid):
    return os.getpid(), samples.fit(name, train, valid, seed=1)
