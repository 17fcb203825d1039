"""From a recipe to a finished pretrained model: training, checkpoints, evaluation, pictures, verification."""
