"""Our data classes against Python's own."""

import copy
import dataclasses
import inspect
import pickle
import threading
from typing import ClassVar

import pytest

import chainrule
from chainrule.dataclasses import dataclass
from chainrule.settings import setting

KINDS = (dataclasses.dataclass, dataclass)


def classes(kind):
    """A frozen class, one derived from it, one that is not frozen, and one that takes fields by name alone."""

    @kind(frozen=True)
    class Base:
        """Two numbers."""

        title: ClassVar[str] = "base"
        first: int
        second: float = dataclasses.field(default=2.0, repr=False)

    @kind(frozen=True, repr=False)
    class Derived(Base):
        """More of them, and a word."""

        second: float = 3.0
        many: list = dataclasses.field(default_factory=list, compare=False)
        word: str = setting("a", "a word", keyword=True)
        total: float = dataclasses.field(init=False, default=0.0)

        def __post_init__(self):
            object.__setattr__(self, "total", self.first + self.second)

        def __repr__(self):
            return f"derived of {self.first}"

    @kind
    class Free:
        """What may change."""

        value: int
        held: dict = dataclasses.field(init=False)
        seen: list = dataclasses.field(init=False, default_factory=list)

    @kind(eq=False, kw_only=True)
    class Named:
        """Fields that are given by name."""

        size: int
        rate: float = 0.5

    return Base, Derived, Free, Named


def said(call):
    """What a call raises, as text."""
    try:
        return call()
    except Exception as error:  # noqa: BLE001  (any that Python raises)
        return type(error), str(error)


CALLS = {
    "positions": lambda base, derived, free, named: [vars(derived(1, 2)), vars(base(1)), vars(free(1))],
    "names": lambda base, derived, free, named: [vars(named(size=3)), vars(derived(word="b", many=[2], first=0))],
    "shown": lambda base, derived, free, named: [repr(base(1)), repr(derived(1)), repr(named(size=2))],
    "itself": lambda base, derived, free, named: repr(holding_itself(free)),
    "equal": lambda base, derived, free, named: [
        base(1) == base(1), base(1) == base(2), derived(1, many=[3]) == derived(1), base(1) == derived(1),
        free(1) == free(1), base(1) == 1, named(size=1) == named(size=1), hash(base(1)) == hash(base(1)),
        hash(base(5, 2.0)), hash(derived(1)),
    ],
    "unhashable": lambda base, derived, free, named: hash(free(1)),
    "missing": lambda base, derived, free, named: base(),
    "missing name": lambda base, derived, free, named: named(rate=1.0),
    "too many": lambda base, derived, free, named: base(1, 2, 3),
    "by position": lambda base, derived, free, named: named(1),
    "unknown": lambda base, derived, free, named: derived(1, colour=3),
    "twice": lambda base, derived, free, named: derived(1, first=3),
    "assigned": lambda base, derived, free, named: setattr(base(1), "first", 2),
    "assigned another": lambda base, derived, free, named: setattr(base(1), "third", 2),
    "deleted": lambda base, derived, free, named: delattr(derived(1), "first"),
    "replaced": lambda base, derived, free, named: vars(dataclasses.replace(derived(1), word="c", first=3)),
    "replaced unknown": lambda base, derived, free, named: dataclasses.replace(base(1), third=3),
    "as dict": lambda base, derived, free, named: dataclasses.asdict(derived(1)),
    "fields": lambda base, derived, free, named: [
        (x.name, x.type, x.default, x.kw_only, x.init, x.compare, dict(x.metadata).keys())
        for cls in (base, derived, free, named) for x in dataclasses.fields(cls)
    ],
    "defaults": lambda base, derived, free, named: [
        base.second, derived.word, derived.second, hasattr(derived, "many"), hasattr(free, "seen"), base.title,
    ],
    "matched": lambda base, derived, free, named: [x.__match_args__ for x in (base, derived, free, named)],
    "copied": lambda base, derived, free, named: [copy.copy(base(1)) == base(1), copy.deepcopy(derived(1)).total],
    "made elsewhere": lambda base, derived, free, named: base.__new__(base).second,
}  # fmt: skip


def holding_itself(free):
    """An object that is among its own fields."""
    made = free(1)
    made.held = made
    return made


@pytest.mark.parametrize("name", CALLS)
def test_as_pythons_own(name):
    theirs, ours = (said(lambda kind=kind: CALLS[name](*classes(kind))) for kind in KINDS)
    assert theirs == ours


def test_signatures_are_pythons():
    for theirs, ours in zip(classes(KINDS[0]), classes(KINDS[1]), strict=True):
        expected, found = (inspect.signature(cls).parameters.values() for cls in (theirs, ours))
        for a, b in zip(expected, found, strict=True):
            assert (a.name, a.kind, a.annotation) == (b.name, b.kind, b.annotation)
            assert (a.default is a.empty) == (b.default is b.empty)


@pytest.mark.parametrize("kind", KINDS)
def test_users_derive_with_pythons_own(kind):
    base = classes(dataclass)[0]

    @kind(frozen=True)
    class Mine(base):
        third: int = 3

    mine = Mine(1, 2.0)
    assert (mine.first, mine.second, mine.third) == (1, 2.0, 3)
    assert mine == Mine(1)
    assert hash(mine) == hash(Mine(1))
    with pytest.raises(dataclasses.FrozenInstanceError):
        mine.third = 4
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'first'"):
        Mine()


def test_a_class_derived_without_a_decorator():
    class Plain(classes(dataclass)[0]):
        pass

    assert Plain(1) == Plain(1, 2.0)
    assert repr(Plain(1)).endswith("Plain(first=1)")
    plain = Plain(1)
    plain.further = 2  # as of Python's: no field is called so
    with pytest.raises(dataclasses.FrozenInstanceError):
        plain.first = 2


def test_a_mutable_default_is_refused():
    with pytest.raises(ValueError, match="mutable default"):

        @dataclass
        class Wrong:
            many: list = []  # noqa: RUF012  (that is what is wrong)


def test_pickled_settings_are_equal():
    settings = chainrule.Training(epochs=3)
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_threads_that_make_the_first_objects():
    base, made, ready = classes(dataclass)[0], [], threading.Barrier(8)

    def make():
        ready.wait()
        made.append(base(1))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [base(1)] * 8
