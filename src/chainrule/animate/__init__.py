"""See it learn: films of optimizers on a surface, and of what a network of two inputs answers while it trains."""

from chainrule.animate.regions import Regions
from chainrule.animate.surface import descent
from chainrule.drawing.film import Film

__all__ = ["Film", "Regions", "descent"]
