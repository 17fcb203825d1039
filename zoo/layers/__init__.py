"""What the families are made of: corruption, sparsity, tied weights."""
