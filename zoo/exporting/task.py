"""What an exported file is worth for its task, compared with the Keras model that it came from."""

import numpy as np

from zoo.evaluation import features as latents
from zoo.evaluation.metrics import METRICS
from zoo.evaluation.reconstruction import mean_squared_error


def metrics(outputs, references, run, targets=None, labels=None, anomalies=None, threshold=None):
    """Task metrics of a model, or of a file, on real samples.

    mse (reconstructions), knn_accuracy (k = 7; every other sample as reference for the rest, labelled samples
    only), accuracy (classifiers, with labels) or agreement (without: share of the samples of which the class is
    Keras'), anomaly_auroc (with anomalies), anomaly_rate (share of the samples above a threshold).

    Args:
        outputs: dict of signature name to outputs.
        references: the same as Keras computes it.
        run: function of a signature's name and further samples to outputs.
        targets: what an autoencoder is to reconstruct, float32.
        labels: int labels (samples,), or None.
        anomalies: samples that count as anomalies, or None.
        threshold: anomaly threshold, or None.

    Returns:
        dict of metric name to float.
    """
    results = {}
    if "reconstruct" in outputs:
        results["mse"] = mean_squared_error(targets, outputs["reconstruct"])
    if "encode" in outputs and labels is not None:
        results.update(_neighbours(outputs["encode"], labels))
    if "score" in outputs and anomalies is not None:
        from zoo.evaluation.anomaly import auroc

        results["anomaly_auroc"] = auroc(outputs["score"], run("score", anomalies))
    if "score" in outputs and threshold is not None:
        results["anomaly_rate"] = float(np.mean(outputs["score"] > threshold))
    if "classify" in outputs:
        predicted, expected = outputs["classify"].argmax(axis=1), references["classify"].argmax(axis=1)
        name, truth = ("agreement", expected) if labels is None else ("accuracy", labels)
        results[name] = float(np.mean(predicted == truth))
    return results


def _neighbours(latent, labels):
    from zoo.evaluation.representation import NEIGHBOURS, knn_accuracy

    if len(latent) < 2 * NEIGHBOURS:
        return {}
    latent = latents.read(latent)
    # Alternating, because datasets of folders are sorted by class.
    return {"knn_accuracy": knn_accuracy(latent[::2], labels[::2], latent[1::2], labels[1::2])}


def degradations(file, measured):
    """Sentences on the metrics of a quantised file that are clearly worse than Keras'.

    Args:
        file: what to call the file.
        measured: dict of metric name to {"before", "after"}.
    """
    found = []
    for name, values in measured.items():
        before, after = values["before"], values["after"]
        if METRICS[name].is_clearly_worse(after, before):
            verb = "rises" if after > before else "falls"
            found.append(f"{file} quantises badly: {name} {verb} from {before:.5g} to {after:.5g}.")
    return tuple(found)
