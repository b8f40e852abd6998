"""The address spells the setup, and nothing else gets in."""

import dataclasses
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.errors import ChainruleError, ConfigurationError, SettingError
from chainrule.nn import ACTIVATIONS, INITIALIZERS
from chainrule.optim import OPTIMIZERS
from chainrule.playground.setup import DATA, INPUTS, Setup, parsed, step_of

STEADY = [name for name, kind in OPTIMIZERS.items() if not kind.searches]
SETUPS = st.builds(
    Setup,
    data=st.sampled_from(list(DATA)),
    points=st.integers(20, 500),
    noise=st.floats(0, 1.9),
    train_share=st.floats(0.01, 0.99),
    inputs=st.lists(st.sampled_from(INPUTS), min_size=1, unique=True).map(tuple),
    hidden=st.lists(st.integers(1, 8), max_size=4).map(tuple),
    activation=st.sampled_from([*ACTIVATIONS, "leaky_relu:slope=0.5"]),
    initializer=st.none() | st.sampled_from(list(INITIALIZERS)),
    optimizer=st.sampled_from([*STEADY, "sgd:momentum=0.9,nesterov=true"]),
    learning_rate=st.floats(1e-9, 1e9),
    l1=st.floats(0, 10),
    batch_size=st.none() | st.integers(1, 500),
    seed=st.integers(0, 2**63 - 1),
    engine=st.sampled_from(["native", "eager"]),
)


@given(SETUPS, st.integers(0, 10_000))
def test_an_address_is_read_as_what_it_spells(setup, step):
    address = setup.address(step=step, unit="1.1")
    assert Setup.of_address(address) == setup
    assert step_of(address) == step
    assert {x.name for x in dataclasses.fields(Setup)} <= parsed(
        address
    ).keys()  # so that other defaults change nothing


@given(st.text(max_size=60))
def test_what_is_no_address_is_refused_by_name(text):
    with suppress(ChainruleError):
        setup = Setup.of_address(text)
        assert Setup.of_address(setup.address()) == setup


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("hidden=9", "hidden must be whole numbers of 1 or more and below 9"),
        ("hidden=1,1,1,1,1", "hidden must have up to 4 items, got 5"),
        ("points=501", "points must be a whole number of 20 or more and below 501"),
        ("points=1e400", "points must be a whole number"),
        ("noise=nan", "noise must be a number"),
        ("inputs=x,x", "inputs must be one or more, each once"),
        ("inputs=z", "inputs must be"),
        ("activation=maxout:pieces=999999999", "activation must read up to 4 numbers"),
        ("activation=tan", "did you mean 'tanh'?"),
        ("optimizer=lbfgs", "optimizer must take steps of one size"),
        ("hiden=3", "playground has no setting 'hiden'; did you mean 'hidden'?"),
        ("seed=1&seed=2", "expected 'seed' once"),
        ("seed", "expected name=value"),
        ("data=%ff", "expected name=value"),
        ("data=" + "m" * 2000, "expected up to 1,500 letters"),
    ],
)
def test_messages_say_what_is_expected(query, message):
    with pytest.raises(ConfigurationError, match=r"playground|address") as caught:
        Setup.of_address(query)
    assert message in str(caught.value)


@pytest.mark.parametrize("step", ["-1", "10001", "1.5", "٣", "", "9" * 99])
def test_steps_that_are_none(step):
    with pytest.raises(SettingError, match="step must be a whole number from 0 to 10000"):
        step_of(f"step={step}")


def test_a_form_has_a_field_for_each_item_of_a_list():
    setup = Setup.of_address("inputs=x&inputs=xy&hidden=3&hidden=&hidden=2&hidden=")
    assert (setup.inputs, setup.hidden) == (("x", "xy"), (3, 2))
    assert Setup.of_address("hidden=&hidden=").hidden == ()
