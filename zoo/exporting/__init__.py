"""Export to SavedModel, TFLite and ONNX; every file is run in its own runtime and compared before it is kept.

The package is not called `export`, because importing it would then hide the function `zoo.export`.
"""
