"""What an exported file knows about itself: kind, signatures, range of its samples, anomaly threshold.

It is one JSON text, kept where each format keeps such things: a metadata entry of a .tflite file, a metadata property
of an .onnx file, a file in the extra assets of a SavedModel.
"""

import json
import pathlib

KEY = "zoo"
SAVED_MODEL_FILE = pathlib.Path("assets.extra") / "zoo.json"


def text_of(target, threshold):
    """The metadata of an `ExportTarget` as JSON text."""
    return json.dumps(
        {
            "model": target.kind,
            "default": target.default.name,
            "signatures": {
                s.name: {"input": s.input_name, "output": s.output_name} for s in target.signatures.values()
            },
            "unit_range": target.unit_range,
            "threshold": threshold,
        }
    )


def parsed(text):
    """The metadata of a file as a dictionary; empty for a file that the zoo did not write."""
    return json.loads(text) if text else {}


def of_tflite(content):
    """The metadata text in the bytes of a .tflite file, or None. Needs no TensorFlow."""
    from ai_edge_litert.schema_py_generated import Model

    model = Model.GetRootAs(content, 0)
    for index in range(model.MetadataLength()):
        entry = model.Metadata(index)
        if entry.Name() == KEY.encode():
            return model.Buffers(entry.Buffer()).DataAsNumpy().tobytes().decode()
    return None
