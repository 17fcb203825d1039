import os
import pathlib

import pytest

from zoo.core import reading
from zoo.core.errors import DataError

KERNEL_LOG = pathlib.Path("/proc/kmsg")


@pytest.mark.skipif(not os.access(KERNEL_LOG, os.R_OK), reason="only root may read it, on Linux")
def test_a_file_that_keeps_its_readers_waiting():
    """It calls itself a regular file of 0 bytes. Whoever reads it waits for the next message of the kernel."""
    for _ in range(1000):  # what is there already
        with pytest.raises(DataError) as error:
            reading.read_bytes(KERNEL_LOG, limit=10)
        if "nothing to be read yet" in str(error.value):
            return
    pytest.fail("it never had to wait")
