"""Formats of files of word vectors, one a file; each reads a part at a time what is wanted of it."""
