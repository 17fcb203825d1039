"""What the families are made of: corruption, preprocessing, sparsity, tied weights."""
