"""Graphs as pictures, and expressions as graphs."""
