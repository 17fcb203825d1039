import os
import subprocess
import sys

import pytest

_FORKED = """
import os, sys
import zoo
def forked(action):
    child = os.fork()
    if child == 0:
        try:
            print("done", action())
        except zoo.ZooError as error:
            print(type(error).__name__, error)
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(child, 0)
def load():
    return zoo.load("mnist-feed-forward-8", verify=True).latent_shape
if sys.argv[1] == "before":
    forked(load)
else:
    model, x = zoo.load("mnist-feed-forward-8"), zoo.data.samples_like((28, 28, 1), 2)
    model.reconstruct(x)
    for action in (load, lambda: model.encode(x), lambda: model.reconstruction_error(x), lambda: model.fit(x)):
        forked(action)
    print("parent", model.encode(x).shape)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_forked_process_computes_or_says_why_it_cannot(moment):
    done = subprocess.run(
        [sys.executable, "-c", _FORKED, moment], check=True, capture_output=True, text=True, timeout=120
    )
    lines = done.stdout.splitlines()
    if moment == "before":
        assert lines == ["done (8,)"]
        return
    assert lines[-1] == "parent (2, 8)" and len(lines) == 5
    for line in lines[:-1]:
        assert line.startswith("ConfigError This process was forked from one in which TensorFlow had already computed")
