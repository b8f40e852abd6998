"""Going through texts token by token: steps give what whole texts give, for rows in any order."""

import numpy as np
import pytest

import chainrule
from chainrule.data.layout import NEXT_TOKEN, ROW, TOKEN, Sizes
from chainrule.engines import engine_named
from chainrule.errors import ConfigurationError, IndexRangeError
from chainrule.models import LEARNERS

SMALL = {
    "cnn": {"dim": 6, "filters": 3, "widths": (1, 2, 4)},
    "rnn": {"dim": 6, "size": 4},
    "gru": {"dim": 6, "size": 4, "layers": 2},
    "lstm": {"dim": 6, "size": 4, "layers": 2},
    "transformer": {"dim": 6, "model_size": 8, "heads": 2, "inner_size": 5},
    "transformer, learned": {"dim": 6, "model_size": 8, "positions": "learned", "most_positions": 7},
    "transformer, rotary": {"dim": 6, "model_size": 8, "positions": "rotary", "norm_first": False},
}
IDS = np.random.default_rng(0).integers(0, 9, (3, 7))


def network(name, answers=NEXT_TOKEN):
    return LEARNERS[name.partition(",")[0]](**SMALL[name], character_filters=0).network(
        Sizes(outputs=5, entries=9), answers, np.random.default_rng(1)
    )


def whole(made, ids):
    texts, steps = ids.shape
    return made(ids.reshape(-1), np.arange(texts + 1) * steps).numpy().reshape(texts, steps, -1)


@pytest.mark.parametrize("engine", ["native", "eager"])
@pytest.mark.parametrize("name", SMALL)
def test_steps_give_what_whole_texts_give(name, engine):
    made = network(name)

    def step(ids, *states):
        outputs, after = made.step(ids, states)
        return [outputs, *after]

    run, states, found = engine_named(engine).compile(step, ragged=True), made.start(len(IDS)), []
    for ids in IDS.T:
        outputs, *states = run(ids, *states)
        found.append(outputs.numpy())
    np.testing.assert_allclose(np.stack(found, 1), whole(made, IDS), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", SMALL)
def test_rows_of_states_are_texts(name):
    """After half of the texts, rows are taken in another order, one of them twice, as a search does with beams."""
    made, rows = network(name), np.array([2, 0, 2])
    states = made.start(len(IDS))
    for ids in IDS[:, :4].T:
        _, states = made.step(ids, states)
    outputs, _ = made.step(IDS[:, 4], [state.numpy()[rows] for state in states])
    together = np.concatenate([IDS[rows, :4], IDS[:, 4:5]], 1)
    np.testing.assert_allclose(outputs.numpy(), whole(made, together)[:, -1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("engine", ["native", "eager"])
def test_there_is_more_room_for_those_that_keep_all(engine):
    made = network("transformer, rotary")

    def step(ids, *states):
        outputs, after = made.step(ids, states)
        return [outputs, *after]

    run, states = engine_named(engine).compile(step, ragged=True), made.start(len(IDS), 4)
    for ids in IDS[:, :4].T:
        _, *states = run(ids, *states)
    with pytest.raises(IndexRangeError, match="index 4 is out of range"):
        run(IDS[:, 4], *states)
    outputs, *_ = run(IDS[:, 4], *made.with_room([state.numpy() for state in states], 8))
    np.testing.assert_allclose(outputs.numpy(), whole(made, IDS)[:, 4], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", SMALL)
def test_outputs_of_the_next_token_know_no_later_one(name):
    made, later = network(name), IDS.copy()
    later[:, 4:] = (later[:, 4:] + 1) % 9
    assert (whole(made, later)[:, :4] == whole(made, IDS)[:, :4]).all()
    assert (whole(made, later)[:, 4:] != whole(made, IDS)[:, 4:]).any(axis=(0, 2)).all()
    x = chainrule.tensor(np.random.default_rng(2).normal(size=(7, 6)))
    y = made.encoder(x, chainrule.tensor(np.array([0, 7])))
    gradient = chainrule.grad((y[:4] * y[:4]).sum(), x).numpy()
    assert (gradient[4:] == 0).all()
    assert (gradient[:4] != 0).any(axis=1).all()


@pytest.mark.parametrize(("name", "answers"), [("lstm", ROW), ("cnn", TOKEN), ("transformer", TOKEN)])
def test_networks_that_see_later_tokens_have_no_steps(name, answers):
    with pytest.raises(ConfigurationError, match="token by token"):
        network(name, answers).start(2)
