"""What messages repeat of values."""

import pytest

from chainrule.errors import SHOWN, shortened


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("good", "'good'"),
        (None, "None"),
        ("x" * 78, f"'{'x' * 78}'"),
        ("x" * 79, f"'{'x' * 75}...'"),
        (list(range(1000)), f"{str(list(range(1000)))[:77]}..."),
        ([10**5000], "list of too many digits"),
        ("\x1b[2J\n\x00", r"'\x1b[2J\n\x00'"),
    ],
)
def test_a_value_is_shown_in_at_most_eighty_characters(value, shown):
    assert shortened(value) == shown
    assert len(shown) <= SHOWN == 80
