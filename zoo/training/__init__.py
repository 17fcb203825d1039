"""Training: XLA compilation, what `fit` accepts, recipes, fine-tuning."""
