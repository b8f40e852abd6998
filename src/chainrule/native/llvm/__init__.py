"""From kernels to instructions, through LLVM."""
