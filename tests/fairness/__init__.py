"""Tests of fairness: groups, gaps, swapped words, word vectors, and what to do."""
