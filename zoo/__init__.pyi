"""The public names, in one table: type checkers and editors read it, and zoo/__init__.py imports each on first use."""

from zoo import data as data
from zoo import lite as lite
from zoo.autoencoder import Autoencoder as Autoencoder
from zoo.catalog.card import Card as Card
from zoo.catalog.evaluate import evaluate as evaluate
from zoo.catalog.evaluate import evaluate_series as evaluate_series
from zoo.catalog.keras_file import load_model as load_model
from zoo.catalog.load import load as load
from zoo.catalog.load import load_encoder as load_encoder
from zoo.catalog.lookup import card as card
from zoo.catalog.lookup import list_pretrained as list_pretrained
from zoo.catalog.save import save as save
from zoo.core.errors import ParityError as ParityError
from zoo.core.errors import ZooError as ZooError
from zoo.evaluation.streaming_threshold import StreamingThreshold as StreamingThreshold
from zoo.evaluation.threshold import threshold as threshold
from zoo.exporting.export import export as export
from zoo.exporting.report import ExportReport as ExportReport
from zoo.families import from_config as from_config
from zoo.families import list_families as list_families
from zoo.families.convolutional import convolutional as convolutional
from zoo.families.denoising import denoising as denoising
from zoo.families.detector import detector as detector
from zoo.families.family import family as family
from zoo.families.feed_forward import feed_forward as feed_forward
from zoo.families.patch_coder import patch_coder as patch_coder
from zoo.families.patch_detector import patch_detector as patch_detector
from zoo.families.preprocessed import preprocessed as preprocessed
from zoo.families.sparse import sparse as sparse
from zoo.families.wrap import wrap as wrap
from zoo.layers import corruption as corruption
from zoo.layers import preprocessing as preprocessing
from zoo.layers import sparsity as sparsity
from zoo.pretraining.pretrain import Pretraining as Pretraining
from zoo.pretraining.pretrain import pretrain as pretrain
from zoo.recipes.train import train as train
from zoo.recommending.recommend import recommend as recommend
from zoo.recommending.result import Recommendation as Recommendation
from zoo.transfer.classifier import classifier as classifier
from zoo.transfer.fine_tuning import fine_tune as fine_tune
from zoo.transfer.freezing import freeze as freeze
from zoo.transfer.freezing import unfreeze as unfreeze

__version__: str
__all__: list[str]
