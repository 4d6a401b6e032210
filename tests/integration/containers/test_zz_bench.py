import os, subprocess, sys
import pytest

pytestmark = pytest.mark.docker


def test_bench(platform):
    d = getattr(platform, "data_dir", None) or getattr(platform, "directory", None)
    out = subprocess.run(
        [sys.executable, "-m", "benchmarks.sdk", "--times", "7", "--data-dir", str(d)],
        capture_output=True,
        text=True,
    )
    open("/tmp/w/sdk2-scratch/bench.out", "w").write(out.stdout + out.stderr)
