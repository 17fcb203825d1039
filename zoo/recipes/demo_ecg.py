"""The demo of signals: a pretrained detector of heart beats learns a new patient, and runs as a device would run it."""

import json
import time

import numpy as np

import zoo

DETECTOR = "mitbih-feed-forward-16"
_FITTED = 200  # beats of the patient that the distance is fitted on; the threshold is of the other ones of the start
_QUANTILE = 0.98
_CHUNK = 18  # values that a converter hands over at a time: a tenth of a second


def run(output, *, as_json=False, detector=DETECTOR):
    """Run the demo: print one table, write ``demo.png``, ``results.json`` and the exported detector to `output`.

    Args:
        output: pathlib.Path of a directory.
        as_json: print the results as JSON instead of the table.
        detector: name of the pretrained model.

    Returns:
        dict, the results.
    """
    from rich.console import Console

    from zoo.core import files
    from zoo.evaluation.detectors import DETECTORS
    from zoo.evaluation.samples import of_classes

    console = Console(stderr=as_json)
    started = time.monotonic()
    files.check_writable(output)
    first, later = zoo.data.load("ecg_patient", "train"), zoo.data.load("ecg_patient", "test")
    model = zoo.load(detector)
    anomalous = later.labels != later.normal_class
    console.print(
        f"A patient whom {detector} has never seen (MIT-BIH, record 214): {len(first)} beats of the first four minutes,"
        f" then {len(later)} beats, {anomalous.sum()} of them abnormal.",
        soft_wrap=True,
    )
    normal = of_classes(first, [first.normal_class])
    fitted, held_out = normal.part(0, _FITTED), normal.part(_FITTED, len(normal))
    scores = {"as it comes: other people's beats": model.score(later)}
    model.fit_score(fitted)
    model.threshold = zoo.threshold(model, held_out, _QUANTILE)
    console.print(
        f"Fitted on the patient's first {_FITTED} normal beats. Threshold: the {_QUANTILE:.0%} quantile of the"
        f" {len(held_out)} normal beats after these, {model.threshold:.3g}; no abnormal beat was needed.",
        soft_wrap=True,
    )
    ours = f"fitted on {_FITTED} beats of the patient"
    scores[ours] = model.score(later)
    components = int(np.prod(model.latent_shape))
    pca = DETECTORS["pca"](model.target(fitted), components)
    scores[f"PCA-{components} of these beats, alone"] = pca(model.target(later))

    report = zoo.export(
        model, output / "detector", "tflite", quantization="int8", raw_input=True, calibration=normal, samples=later
    )
    lite = zoo.lite.load(output / "detector" / "model.tflite")
    scores["the same as int8 file, in LiteRT"] = lite.score(later.samples)
    alarms = _streamed(lite, later.samples.ravel())
    found, false = alarms[anomalous], alarms[~anomalous]
    results = {
        "detector": detector,
        "auroc": {name: _auroc(values, anomalous) for name, values in scores.items()},
        "threshold": model.threshold,
        "stream": {
            "found": int(found.sum()),
            "abnormal": int(anomalous.sum()),
            "false_alarms": int(false.sum()),
            "normal": int((~anomalous).sum()),
            "as_in_one_batch": bool((alarms == lite.is_anomaly(later.samples)).all()),
        },
        "file_bytes": report.files["tflite"].size_bytes,
        "seconds": time.monotonic() - started,
    }
    with files.staged(output) as staging:
        _picture(staging / "demo.png", model, later, scores[ours], anomalous)
        (staging / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=2)) if as_json else _print(results, output)
    return results


def _streamed(lite, signal):
    """Whether each beat raises an alarm, from a stream that receives the values as a converter gives them."""
    stream = zoo.lite.Stream(lite)
    windows = (stream.push(signal[i : i + _CHUNK]) for i in range(0, len(signal), _CHUNK))
    return np.array([window.alarm for several in windows for window in several])


def _auroc(scores, anomalous):
    from zoo.evaluation.anomaly import auroc

    return auroc(scores[~anomalous], scores[anomalous])


def _print(results, output):
    from zoo.core.tables import print_table

    print_table([{"": name, "AUROC": f"{value:.3f}"} for name, value in results["auroc"].items()])
    stream = results["stream"]
    print(
        f"Streamed through the int8 file of {results['file_bytes']:,} bytes, {_CHUNK} values at a time:"
        f" {stream['found']} of {stream['abnormal']} abnormal beats found,"
        f" {stream['false_alarms']} false alarms in {stream['normal']} normal beats."
    )
    print(f"{results['seconds']:.0f} s in all. File: {output}/detector/model.tflite; picture: {output}/demo.png")
    print("Beats: MIT-BIH Arrhythmia Database, Moody and Mark 2001, PhysioNet, ODC-By 1.0. Not a medical device.")


def _picture(path, model, beats, scores, anomalous):
    """The scores over time, and beats with what the model makes of them."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5), layout="constrained")
    over_time, *examples = figure.subplot_mosaic([["s"] * 4, list("abcd")]).values()
    for chosen, label, color in ((~anomalous, "normal", "tab:blue"), (anomalous, "abnormal", "tab:red")):
        over_time.semilogy(np.flatnonzero(chosen), scores[chosen], ".", color=color, label=label)
    over_time.axhline(model.threshold, color="black", ls="--", lw=1, label="threshold")
    over_time.set_xlabel("beat")
    over_time.set_ylabel("score")
    over_time.legend(loc="upper right")
    shown = [*np.flatnonzero(~anomalous)[:2], *np.flatnonzero(anomalous)[:2]]
    targets, restored = model.target(beats.subset(shown)), model.reconstruct(beats.subset(shown))
    seconds = np.arange(targets.shape[1]) / beats.sampling_rate
    for axis, number, target, output in zip(examples, shown, targets, restored, strict=True):
        axis.plot(seconds, target, color="black", lw=1, label="beat")
        axis.plot(seconds, output, color="tab:blue", lw=1, label="reconstruction")
        title = "abnormal" if anomalous[number] else "normal"
        axis.set_title(f"{title}, score {scores[number]:.3g}", fontsize=9)
        axis.set_xlabel("s")
    examples[0].set_ylabel(beats.unit)
    examples[0].legend(fontsize=7)
    figure.savefig(path, dpi=100)
