"""Compiled execution: graphs become loops, and loops become machine code through LLVM."""
