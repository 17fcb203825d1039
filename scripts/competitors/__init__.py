"""What zoo is compared with in training, each where it is installed: ``pip install autoencoder-zoo[bench]``."""

from competitors.pythae_trainer import Pythae
from competitors.pytorch import CompiledLoop, FusedLoop, Loop

COMPETITORS = (Loop, FusedLoop, CompiledLoop, Pythae)
