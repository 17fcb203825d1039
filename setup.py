"""Packaging of autoencoder-zoo. The pretrained sets travel inside the wheel, as ``zoo/pretrained``."""

import pathlib
import re

from setuptools import find_packages, setup

HERE = pathlib.Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "zoo" / "__init__.py").read_text(encoding="utf-8")).group(1)

setup(
    name="autoencoder-zoo",
    version=VERSION,
    description="Pretrained autoencoders for Keras 3: load an encoder, fine-tune it with fit(), export it to a phone",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=[*find_packages(include=["zoo", "zoo.*"]), "zoo.pretrained"],
    package_dir={"zoo.pretrained": "pretrained"},
    package_data={"zoo": ["py.typed", "*.pyi", "data/*.npz"], "zoo.pretrained": ["*/*"]},
    include_package_data=False,
    entry_points={"console_scripts": ["zoo=zoo.cli:main"]},
    install_requires=[
        "tensorflow>=2.21,<2.22",  # 2.20 dies of a segmentation fault in the XLA-compiled training loop
        "keras>=3.15,<4",
        "tensorflow-datasets>=4.9.9,<5",
        "importlib_resources>=6",  # tensorflow-datasets 4.9 imports it without declaring it
        "tf2onnx>=1.17,<2",
        "onnx>=1.18,<2",
        "onnxruntime>=1.22,<2",
        "ai-edge-litert>=2.0,<3",
        "flatbuffers>=24.3.25",
        "scikit-learn>=1.6,<2",
        "matplotlib>=3.9,<4",
        "numpy>=2.0,<3",
        "msgspec>=0.19,<1",
        "scipy>=1.13,<2",
        "psutil>=6,<8",
        "pillow>=10",
        "click>=8.1,<9",
        "rich>=13.7,<16",
        "pyarrow>=15",  # Parquet
        "soundfile>=0.12,<1",  # WAV and FLAC
    ],
    extras_require={
        "test": [
            "pytest>=8,<10",
            "pytest-xdist>=3.6,<4",
            "ruff>=0.9",
            "mypy>=1.13",
            "build>=1.2,<2",
            "playwright>=1.50,<2",
            "jax>=0.4.30",
            "pandas>=2.2",
            "py-minisign>=0.21,<1",
            "librosa>=0.10,<1",  # what zoo.preprocessing.LogMel is compared with
            "tflite-micro",
        ],
        "micro": ["tflite-micro"],  # zoo.export(formats="micro"); only pre-releases exist
        "signing": ["py-minisign>=0.21,<1"],  # zoo seal --secret-key, zoo verify --public-key
        "fuzz": ["atheris>=3,<4"],  # scripts/fuzz.py
        "bench": ["torch>=2.4", "pythae>=0.1.2"],  # competitors of `zoo benchmark train`
    },
    classifiers=[
        "License :: OSI Approved :: Apache Software License",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
