"""What a computation is: tensors, blocks, traces and autodiff."""
