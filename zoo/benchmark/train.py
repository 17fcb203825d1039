"""The training benchmark: every competitor trains the same networks on the same samples, in turns."""

import datetime
import functools
import sys
import time

import keras

import zoo
from zoo.benchmark import competitors, curve, environment, memory, models, report
from zoo.benchmark.basics import spread
from zoo.benchmark.remote import Remote
from zoo.core import files
from zoo.core.errors import unknown_name
from zoo.core.terminal import progress
from zoo.data.source import Source

_MUCH = 0.1  # cores busy with other processes that are worth a warning
_REST = 0.2  # seconds before each measured epoch: idle threads of the one before still spin for a while
_FIRST_STEPS = 3  # repeats of the time to the first step: each of them compiles


def run(output, names=(), *, others=(), repeats=5, samples=None, curve_and_memory=True, command=""):
    """Measure, and write ``benchmark.json``, ``training.md`` and ``samples.png`` to `output`.

    Args:
        output: pathlib.Path of a directory.
        names: names of `zoo.benchmark.models.NETWORKS`; all of them if empty.
        others: further classes of `zoo.benchmark.competitors.Competitor`.
        repeats: measured epochs of each competitor.
        samples: samples per epoch at most; None is each network's own number.
        curve_and_memory: also measure the time against the number of samples, and the peak memory.
        command: command line to state in the results.

    Returns:
        dict, the results.

    Raises:
        UnknownNameError: an unknown name.
        OutputError: `output` cannot be written.
    """
    for name in names:
        if name not in models.NETWORKS:
            raise unknown_name("benchmark model", name, models.NETWORKS)
    with files.staged(output):
        pass  # an unwritable directory is found now
    chosen = [network for network in models.NETWORKS.values() if not names or network.name in names]
    candidates = {competitor: competitor.missing() for competitor in (*competitors.EVERY, *others)}
    able = [competitor for competitor, reason in candidates.items() if reason is None]
    for competitor, reason in candidates.items():
        if reason:
            _report(f"{competitor.name}: skipped, {reason}")
    pool = environment.samples(_report)
    results = {
        "benchmark": "train",
        "zoo": zoo.__version__,
        "command": command,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": environment.machine(),
        "dataset": pool.name,
        "repeats": repeats,
        "batch_size": competitors.BATCH_SIZE,
        "learning_rate": competitors.LEARNING_RATE,
        "skipped": {competitor.name: reason for competitor, reason in candidates.items() if reason},
        "models": {},
        "first_step": {},
    }
    for network in chosen:
        count = min(network.samples, len(pool), samples or len(pool))
        results["models"][network.name] = _measure_network(network, able, _head(pool, network.shape, count), repeats)
    for network in chosen:
        results["first_step"][network.name] = _first_step(network, pool)
    if any(network.noise for network in chosen):
        count = min(models.NETWORKS["denoising"].samples, len(pool), samples or len(pool))
        results["corruptions"] = _corruptions(_head(pool, (28, 28, 1), count), repeats)
    if curve_and_memory:
        results["curve"] = curve.measure(pool, repeats, samples, _report)
        _report("peak memory")
        results["memory"] = memory.measure(min(memory.SAMPLES, samples or memory.SAMPLES))
    report.write(results, output)
    return results


def interleaved(epochs, samples, repeats, title):
    """Samples per second of each of `epochs`, one measured epoch each in turns.

    Args:
        epochs: dictionary of functions without arguments that train one epoch and return its loss.
        samples: samples per epoch.
        repeats: rounds; each starts with another function, so that none has always the same one before it.
        title: of the progress bar.

    Returns:
        dict by the same keys: (list of samples per second, last loss).
    """
    rates, losses = {name: [] for name in epochs}, {}
    order = list(epochs)
    with progress(repeats * len(order), title, "epochs") as advance:
        for repeat in range(repeats):
            shift = repeat % len(order)
            for name in order[shift:] + order[:shift]:
                time.sleep(_REST)
                clock = time.perf_counter()
                losses[name] = epochs[name]()
                rates[name].append(samples / (time.perf_counter() - clock))
                advance()
    return {name: (rates[name], losses[name]) for name in epochs}


def _measure_network(network, able, source, repeats):
    """Results of one network: every competitor's rate, and how many times zoo is as fast."""
    running, described = {}, {}
    for competitor in able:
        _report(f"{network.name}: {competitor.name} starts")
        running[competitor.name] = Remote(_warm, competitor, network.name, source)
        described[competitor.name] = running[competitor.name].call("described")
    epochs = {name: functools.partial(trained.call, "epoch") for name, trained in running.items()}
    others = environment.OtherProcesses()
    measured = interleaved(epochs, len(source), repeats, network.name)
    busy = others.busy_cores()
    rows = {
        name: {
            "samples_per_second": spread(rates),
            "loss": loss,
            **described[name],
        }
        for name, (rates, loss) in measured.items()
    }
    report.add_ratios(rows, "samples_per_second", "ratio")
    _report(f"{network.name}: " + ", ".join(f"{n} {r['samples_per_second']['median']:,.0f}/s" for n, r in rows.items()))
    if busy and busy > _MUCH:
        _report(f"{network.name}: other processes kept {busy:.1f} cores busy meanwhile, so do not trust these numbers")
    for competitor in running.values():
        competitor.close()
    return {
        "samples": len(source),
        "shape": list(network.shape),
        "noise": network.noise,
        "parameters": rows[competitors.Zoo.name]["parameters"],
        "others_busy_cores": busy,
        "competitors": rows,
    }


def _warm(competitor, network, source):
    """A competitor that has compiled, for a process of its own."""
    keras.utils.set_random_seed(0)
    running = competitor(models.NETWORKS[network], source, source.pixels())
    for _ in range(running.warm_up):
        running.epoch()
    return running


def _first_step(network, pool):
    """Seconds from nothing to the first optimizer step: build, compile, train one batch of a fresh model."""
    source = _head(pool, network.shape, competitors.BATCH_SIZE)
    pixels = source.pixels()
    seconds = {competitor: [] for competitor in (competitors.Zoo, competitors.KerasXLA)}
    for _ in range(_FIRST_STEPS):
        for competitor in seconds:
            clock = time.perf_counter()
            competitor(network, source, pixels).epoch()
            seconds[competitor].append(time.perf_counter() - clock)
    results = {competitor.name: spread(values) for competitor, values in seconds.items()}
    _report(f"{network.name}, first step: " + ", ".join(f"{n} {s['median']:.2f} s" for n, s in results.items()))
    ours, theirs = (results[competitor.name]["median"] for competitor in seconds)
    return {"seconds": results, "ratio": theirs / ours}


def _corruptions(source, repeats):
    """Rate of zoo's dense network with each corruption, and how it compares with the same network without."""
    epochs = {}
    for name, corruption in {"none": None, **models.corruptions()}.items():
        model = zoo.feed_forward(source.shape, models.LATENT)
        model = zoo.denoising(model, corruption) if corruption else model
        model.compile(keras.optimizers.Adam(competitors.LEARNING_RATE), jit_compile="auto")
        epochs[name] = lambda model=model: model.fit(source, batch_size=competitors.BATCH_SIZE, verbose=0)
        epochs[name]()
    measured = interleaved(epochs, len(source), repeats, "corruptions")
    rates = {name: spread(values) for name, (values, _) in measured.items()}
    clean = rates["none"]["median"]
    return {n: {"samples_per_second": r, "ratio_to_clean": r["median"] / clean} for n, r in rates.items()}


def _head(pool, shape, count):
    """The first `count` samples of the pool, brought to `shape`, which may lack axes but no elements."""
    images = pool.samples[:count]
    return Source(images.reshape(len(images), *shape), name=pool.name, split=pool.split)


def _report(line):
    print(line, file=sys.stderr, flush=True)
