"""The same fit on the CPU and on another device: agreement of the posteriors, and time.

``python benchmarks/devices.py responses.nc --other cuda`` fits twice by the command line, once per device, whole
processes measured, and compares posterior means of every unknown in units of their Monte Carlo error.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from difficulty_model import Fit, load_fit
from difficulty_model.specification import unknowns


def fitted(responses: Path, made: Path, *, platform: str) -> tuple[Fit, float]:
    """Return the fit on a platform of JAX, and the seconds that its process took."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "difficulty_model.cli", "fit", responses, "-o", made],
        env=os.environ | {"JAX_PLATFORMS": platform}, check=True, stdout=subprocess.DEVNULL,
    )
    return load_fit(made), time.perf_counter() - began


def distances(one: Fit, other: Fit) -> np.ndarray:
    """Return differences of posterior means in units of their standard error, if every draw counted as one."""
    found = []
    for path in unknowns(one.specification):
        a, b = (f.posterior[path].values.reshape(-1, *f.posterior[path].shape[2:]) for f in (one, other))
        error = np.sqrt((a.var(0) + b.var(0)) / len(a))
        found.append(((a.mean(0) - b.mean(0))[error > 0] / error[error > 0]).ravel())
    return np.concatenate(found)


def main() -> None:
    """Print times and agreement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("responses", type=Path)
    parser.add_argument("--other", default="cuda", help="platform of JAX to compare with the CPU")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cpu, cpu_seconds = fitted(asked.responses, Path(folder) / "cpu.nc", platform="cpu")
        other, other_seconds = fitted(asked.responses, Path(folder) / "other.nc", platform=asked.other)
    apart = distances(cpu, other)
    print(f"cpu {cpu_seconds:.0f} s, {asked.other} {other_seconds:.0f} s, ratio {cpu_seconds / other_seconds:.1f}")
    print(f"{len(apart)} unknowns: differences of posterior means in standard errors: root mean square "
          f"{np.sqrt(np.square(apart).mean()):.2f} (independent chains: about 1), largest {np.abs(apart).max():.2f}")
    difference = np.abs(cpu.difficulty["mean"] - other.difficulty["mean"]).max().item()
    print(f"largest difference of an image's posterior mean difficulty: {difference:.4f} probit units")


if __name__ == "__main__":
    main()
