"""Diagnostics: what is wrong with a training, in a sentence each; a file an illness and its kin."""

from chainrule.train.diagnostics import answers, fitting, gradients, labels, learning, units
from chainrule.train.diagnostics.contract import ILLNESSES, Course, Diagnostic, Finding, findings, illness

__all__ = ["ILLNESSES", "Course", "Diagnostic", "Finding", "findings", "illness"]
_ = answers, fitting, gradients, labels, learning, units  # they register what they find
