"""Explanation: the words of a text with what each contributed, as text, as a picture and as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from chainrule.dataclasses import dataclass
from chainrule.drawing.page import escaped, page, scoped
from chainrule.drawing.picture import Picture
from chainrule.drawing.plot import LINE_HEIGHT, MARGIN, WIDTH, draw_text, draw_title, finished, new_picture
from chainrule.drawing.words import Word, draw_heat_map, draw_words, signed, words_html, words_sheet
from chainrule.errors import ConfigurationError
from chainrule.files import write_file
from chainrule.graph.spec import Array
from chainrule.shown import one_line
from chainrule.tasks import Decision
from chainrule.tasks.task import Answer

#: Tokens beside a heat map, at most: of more it is not readable.
MOST_DRAWN = 40
#: Letters of the bar of the largest contribution in a terminal.
BAR = 24
SCOPE = ".chainrule-explanation"


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """Which words of a text moved a decision; `print` shows it, and notebooks draw it.

    Attributes:
        text: that was answered.
        words: its tokens.
        known: whether the model knows each.
        answer: the answer of the model, with its probabilities.
        decision: what is explained: one label against another, or a number.
        place: of the word whose tag is explained; None where the text has one answer.
        contributions: of each word to the score, shape (words,).
        score: of the decision: the sum of the contributions, and `rest`.
        steps: at how many points gradients were taken; see `explain`.
        attention: what tokens look at, by the name of the layer: shape (heads, words, words), where each row sums to 1;
            and under "pooling" how much each token counts, shape (words,). Empty where there is none.
    """

    text: str
    words: tuple[str, ...]
    known: tuple[bool, ...]
    answer: Answer
    decision: Decision
    place: int | None
    contributions: Array
    score: float
    steps: int
    attention: Mapping[str, Array]

    @property
    def rest(self) -> float:
        """What no word contributed; see `explain`."""
        return self.score - float(self.contributions.sum())

    @property
    def question(self) -> str:
        """What is explained, in words."""
        against = self.decision.against
        word = "" if self.place is None else f"{one_line(self.words[self.place])}: "
        return word + one_line(self.decision.answer, 60) + (f" against {one_line(against, 60)}" if against else "")

    def __repr__(self) -> str:
        return f"Explanation({self.question}, {len(self.words)} words)"

    def __str__(self) -> str:
        """A line a word, with its contribution as a number and as a bar of + or -."""
        words = self._words()
        width = max((len(word.shown) for word in words), default=0)
        digits = max((len(word.number) for word in words), default=0)
        lines = [
            f"{word.number:>{digits}}  {word.shown:<{width}}  "
            + ("-" if word.share < 0 else "+") * round(BAR * abs(word.share))
            for word in words
        ]
        return "\n".join(x.rstrip() for x in [f"{self.question}: {self.answer.line()}", *lines, *self._sums()])

    @property
    def svg(self) -> Picture:
        """The words with their contributions; and what each layer looks at, as the mean over its heads."""
        root = new_picture(self.question, words_sheet())
        y = draw_words(root, self._words(), draw_title(root, self.question) + 8) + LINE_HEIGHT
        for line in self._sums():
            draw_text(root, line, MARGIN, y, "number")
            y += LINE_HEIGHT
        widest = WIDTH
        if any(found.ndim > 1 for found in self.attention.values()):
            y = draw_title(root, ATTENTION, y)
        for name, found in self.attention.items():
            if found.ndim == 1:
                draw_text(root, POOLING, MARGIN, y + LINE_HEIGHT, "panel")
                y = draw_words(root, self._pooled(found), y + LINE_HEIGHT + 8)
            else:
                title = f"{name}, mean of {len(found)} heads{self._cut}"
                y, width = self._draw_map(root, found.mean(axis=0), title, y)
                widest = max(widest, width)
        return finished(root, y + MARGIN / 2, widest)

    def attention_svg(self, layer: str, head: int | None = None) -> Picture:
        """What a layer looks at, as a heat map: each row is a token that looks, each column one that is looked at.

        Args:
            layer: its name in `attention`, such as "layer 1".
            head: of its heads, from 0; None for their mean.

        Raises:
            ConfigurationError: when there is none of that name or number.
        """
        return self._map(layer, head, words_sheet())

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        """A part of a page: the words, and the heat maps of all heads, in folds that open without scripts."""
        parts = [
            f"<h2>{escaped(self.question)}</h2>",
            f"<p>The model says: {escaped(' '.join(self.answer.line().split(chr(9))))}</p>",
            f'<p class="words">{words_html(self._words()) or "no words"}</p>',
            f"<p>{'<br>'.join(map(escaped, self._sums()))}</p>",
            *[f"<p>{ATTENTION}</p>"] * any(found.ndim > 1 for found in self.attention.values()),
        ]
        for name, found in self.attention.items():
            if found.ndim == 1:
                parts.append(f'<h3>{POOLING}</h3><p class="words">{words_html(self._pooled(found))}</p>')
                continue
            maps = "".join(f'<div class="map">{self._map(name, head, "")}</div>' for head in range(len(found)))
            parts.append(f'<div class="map">{self._map(name, None, "")}</div>')
            parts.append(f"<details><summary>each of its {len(found)} heads</summary>{maps}</details>")
        sheet = scoped(words_sheet() + SHEET, SCOPE)
        body = "\n".join(parts)
        return f'<section class="{SCOPE[1:]}" style="{ROOM}">\n<style>{sheet}</style>\n{body}\n</section>\n'

    def save(self, path: str | Path) -> Path:
        """Write it, whole or not at all, and return the path; see `save_explanations`."""
        return save_explanations([self], path)

    def _words(self) -> list[Word]:
        return [Word(*each) for each in zip(self.words, self._numbers(), self._shares(), self.known, strict=True)]

    def _shares(self) -> list[float]:
        largest = float(abs(self.contributions).max(initial=0)) or 1.0
        return [float(x) / largest for x in self.contributions]

    def _numbers(self) -> list[str]:
        return [signed(x, self._largest) for x in self.contributions.tolist()]

    @property
    def _largest(self) -> float:
        """What tells how many digits are shown."""
        return max(float(abs(self.contributions).max(initial=0)), abs(self.score))

    def _sums(self) -> list[str]:
        """What the sum of the words, the rest and the score are; and what a question mark is, where there is one."""
        sums = {
            "the words together": float(self.contributions.sum()),
            "the rest: what unknown words get" if self.steps else "the rest, which no word has": self.rest,
            f"the score: {self.decision.meaning}": self.score,
        }
        unknown = [] if all(self.known) else ["? is a word that the model does not know"]
        return [*(f"{signed(x, self._largest)} {name}" for name, x in sums.items()), *unknown]

    def _pooled(self, shares: Array) -> list[Word]:
        return [
            Word(word, f"{100 * share:.0f} %", share, known)
            for word, share, known in zip(self.words, shares.tolist(), self.known, strict=True)
        ]

    @property
    def _cut(self) -> str:
        """What is said of a text whose attention is not drawn as a whole."""
        return f", of the first {MOST_DRAWN} of {len(self.words)} tokens" if len(self.words) > MOST_DRAWN else ""

    def _map(self, layer: str, head: int | None, sheet: str) -> Picture:
        found = self.attention.get(layer)
        if found is None or found.ndim == 1 or not (head is None or 0 <= head < len(found)):
            listed = ", ".join(f"{x} with {len(y)} heads" for x, y in self.attention.items() if y.ndim > 1) or "none"
            raise ConfigurationError(f"attention: expected a layer, and one of its heads from 0; there are: {listed}")
        what = f"mean of {len(found)} heads" if head is None else f"head {head + 1}"
        title = f"{layer}, {what}{self._cut}"
        root = new_picture(title, sheet)
        height, width = self._draw_map(root, found.mean(axis=0) if head is None else found[head], title, 0.0)
        return finished(root, height, max(width, WIDTH / 2))

    def _draw_map(self, root: object, values: Array, title: str, top: float) -> tuple[float, float]:
        names = [Word(*each).shown for each in zip(self.words, self.words, self._shares(), self.known, strict=True)]
        names, values = names[:MOST_DRAWN], values[:MOST_DRAWN, :MOST_DRAWN]
        return draw_heat_map(root, values, names, names, title, top)  # type: ignore[arg-type]


def save_explanations(explanations: Sequence[Explanation], path: str | Path) -> Path:
    """Write explanations as one page, or one of them as a picture, and return the path.

    Args:
        explanations: one or more.
        path: a name that ends in .html, for a page that needs nothing else, or in .svg.

    Raises:
        ConfigurationError: for a name of another kind of file, or several explanations in a picture.
        StorageError: when the folder does not exist, the path is one, or it cannot be written.
    """
    require_page(path, len(explanations))
    if Path(path).suffix.lower() == ".svg":
        write_file(path, explanations[0].svg + "\n")
    else:
        body = "".join(x._repr_html_() for x in explanations)
        write_file(path, page("; ".join(x.question for x in explanations), body))
    return Path(path)


def require_page(path: str | Path, count: int) -> None:
    """Refuse a name of another kind of file, or a picture of several texts.

    Raises:
        ConfigurationError: naming the kinds there are.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (".html", ".svg"):
        raise ConfigurationError(f"{path}: expected a name that ends in .html (a page) or .svg (a picture)")
    if suffix == ".svg" and count != 1:
        raise ConfigurationError(f"{path}: a picture is of one text, got {count}; give one text, or a name in .html")


ROOM = "max-width:760px;margin:0 auto;padding:0 14px 14px;font:15px sans-serif"
ATTENTION = "Attention: each row is a token that looks, and says in percent how much it looks at each other."
POOLING = "attention pooling: how much each token counts"
SHEET = """
.map{overflow-x:auto}h2{font-size:18px}h3{font-size:15px;margin-bottom:4px}
"""
