"""Pure modules: tensors in, tensors out."""
