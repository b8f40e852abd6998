"""Why a model of texts answers as it does: which words moved it, what its attention and its filters look at."""

from chainrule.explanation.attended import attention
from chainrule.explanation.best_ngrams import FilterList, filters
from chainrule.explanation.contributions import explain
from chainrule.explanation.explanation import Explanation, save_explanations

__all__ = ["Explanation", "FilterList", "attention", "explain", "filters", "save_explanations"]
