"""Errors of every class, made and raised; another process imports this alone, and not all of the package."""

import inspect
from typing import get_type_hints


def make(kind):
    """An error of a class; of what its constructor asks for, texts and numbers that differ."""
    owner = next(base for base in kind.__mro__ if "__init__" in vars(base))
    if not owner.__module__.startswith("chainrule."):
        return kind("reviews.csv, line 3: expected a label, got none; add one")
    words = iter(["ffnn", "dim", "must be a whole number of 1 or more, got 0", "more", "and more"])
    parameters = list(inspect.signature(kind).parameters.values())
    held = {str: lambda: next(words), int: lambda: 3, float: lambda: 0.5}
    hints = get_type_hints(kind.__init__)
    return kind(*(held[hints[x.name]]() for x in parameters if x.default is x.empty))


def raised(kind):
    """An error as `except` sees it: from another, with a note, and with an attribute of whoever raised it."""
    error = make(kind)
    error.__cause__ = OSError(13, "Permission denied")
    error.add_note("while reading")
    error.told = ["more"]
    return error


def fail(kind):
    raise raised(kind)
