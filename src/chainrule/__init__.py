"""chainrule: neural networks from building blocks."""
