"""Parameter groups: names that fit no parameter, and gradients of other parameters."""

import pytest

from chainrule import Parameter
from chainrule.errors import ConfigurationError, ShapeError
from chainrule.optim import SGD, Groups


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["w"], "groups: no name covers parameter 'v'; give it an optimizer, or None to freeze it; the name ''"),
        (["", "u"], "groups: no parameter is called 'u', or below it; there are w, v"),
    ],
)
def test_names_that_fit_no_parameter_and_parameters_without_a_name(names, message):
    named = {"w": Parameter.of([1.0]), "v": Parameter.of([1.0])}
    with pytest.raises(ConfigurationError, match=message):
        Groups(dict.fromkeys(names, SGD(0.1)), named)


def test_gradients_of_other_parameters_are_refused():
    named = {"w": Parameter.of([1.0]), "wide": Parameter.of([1.0])}
    groups = Groups({"w": SGD(0.1), "wide": None}, named)
    assert groups.parameters == [named["w"]]
    with pytest.raises(ShapeError, match=r"expected a gradient for each of 1 parameters, got 2; take them of groups"):
        groups.step([named["w"], named["wide"]])
