"""Estimators for scikit-learn: learners on raw texts, arrays and data frames, in pipelines and searches.

This needs the extra: pip install 'chainrule[sklearn]'.
"""

from chainrule.sklearn.estimators import ChainruleClassifier, ChainruleRegressor

__all__ = ["ChainruleClassifier", "ChainruleRegressor"]
