"""Training and evaluation: what `fit` accepts, and how its steps are run."""
