"""The pictures of the benchmarks."""


def samples(path, points):
    """Write the time per epoch against the number of samples, both logarithmic, with a line of constant cost.

    Args:
        path: file to write.
        points: list of dictionaries, as `zoo.benchmark.curve.measure` returns it.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axis = figure.subplots()
    for name in dict.fromkeys(name for point in points for name in point["seconds"]):
        own = [(point["samples"], point["seconds"][name]) for point in points if name in point["seconds"]]
        counts, medians = [count for count, _ in own], [seconds["median"] for _, seconds in own]
        below = [seconds["median"] - seconds["minimum"] for _, seconds in own]
        above = [seconds["maximum"] - seconds["median"] for _, seconds in own]
        axis.errorbar(counts, medians, yerr=(below, above), marker="o", capsize=3, label=name)
        if name == "zoo":
            line = [medians[-1] * count / counts[-1] for count in counts]
            axis.plot(counts, line, linestyle=":", color="grey", label="same time per sample as zoo's largest")
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("samples")
    axis.set_ylabel("seconds per epoch")
    axis.set_title("784-16-784, batches of 256")
    axis.grid(alpha=0.3)
    axis.legend()
    figure.savefig(path, dpi=120)


def latency(path, results):
    """Write the latency of one sample by runtime, a row of points for each model, on a logarithmic axis.

    Args:
        path: file to write.
        results: of the export benchmark; drawn are the medians of p50 with the smallest number of threads.
    """
    from matplotlib.figure import Figure

    threads, names = str(results["threads"][0]), list(results["models"])
    figure = Figure(figsize=(9, 1.8 + 0.24 * len(names)), layout="constrained")
    axis = figure.subplots()
    for marker, runtime in zip("oos^vv*", next(iter(results["models"].values()))["runtimes"], strict=True):
        rows = [results["models"][name]["runtimes"][runtime]["threads"][threads] for name in names]
        values = [1e6 * row["latency"]["p50"]["median"] for row in rows]
        axis.plot(values, range(len(names)), marker, label=runtime, alpha=0.8)
    axis.set_yticks(range(len(names)), names)
    axis.invert_yaxis()
    axis.set_xscale("log")
    axis.set_xlabel(f"latency of one sample in µs (p50, threads: {threads})")
    axis.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=4)
    figure.savefig(path, dpi=120)
