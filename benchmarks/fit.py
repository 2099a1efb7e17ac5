"""Speed and memory of the fit, beside the joint model that samples every image.

Each fit is one process of the command `difficulty-model fit`, imports and compilation counted. Effective draws are
those of the worst of all skills and populations. Run as ``python benchmarks/fit.py --help`` says.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import norm

from difficulty_model import Responses, check_responses, fix_responses, load_fit
from difficulty_model.readers import read_imagenetv2


@dataclass(frozen=True)
class Run:
    """One fit as a whole process: wall seconds, peak memory in bytes, effective draws of the worst parameter."""

    seconds: float
    memory: float
    ess: float


def simulated(models: int, images: int, *, seed: int) -> Responses:
    """Return a world like ImageNet's: two test sets, five images in six in the first."""
    rng = np.random.default_rng(seed)
    new = rng.random(images) < 1 / 6
    difficulty = rng.normal(0.75 * new, np.where(new, 2.2, 2.05))
    right = rng.random((models, images)) < norm.cdf(rng.normal(1.2, 0.6, models)[:, None] - difficulty)
    return Responses.from_arrays(
        right, models=[f"m{j}" for j in range(models)], images=[f"i{i}" for i in range(images)],
        member={"original": ~new, "new": new},
    )


def released(folder: Path, models: int, images: int | None, *, seed: int) -> Responses:
    """Return models and images of the ImageNetV2 release, its faults mended."""
    sets = ["imagenet-validation-original", "imagenetv2-b-33"]
    responses = read_imagenetv2(folder / "imagenetv2", test_sets=sets)
    responses = fix_responses(responses, check_responses(responses))
    rng = np.random.default_rng(seed)
    dataset = responses.dataset.isel(model=np.sort(rng.choice(len(responses.models), models, replace=False)))
    if images is not None:
        dataset = dataset.isel(image=np.sort(rng.choice(len(responses.images), images, replace=False)))
    return Responses(dataset)


def run(responses: Responses, folder: Path, options: list[str], *, method: str, draws: int, chains: int) -> Run:
    """Fit by the command line, and measure the process."""
    given, made = folder / "responses.nc", folder / "fit.nc"
    responses.save(given)
    command = [sys.executable, "-m", "difficulty_model.cli", "fit", given, "-o", made, "--method", method,
               "--draws", str(draws), "--chains", str(chains), *options]
    began = time.perf_counter()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    if status:
        raise SystemExit((folder / "log").read_text())
    found = load_fit(made).diagnostics
    return Run(seconds, usage.ru_maxrss * 1024, found["ess_bulk"])


def main() -> None:
    """Print one row per fit, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the released predictions; simulated worlds if not given")
    parser.add_argument("--sizes", type=int, nargs="*", default=[2000, 10000], help="numbers of images")
    parser.add_argument("--whole", action="store_true", help="also all 67 models on all 60,000 images, and with slopes")
    parser.add_argument("--joint-draws", type=int, default=200, help="draws of the joint model, after 500 of warm-up")
    asked = parser.parse_args()
    print(f"{'images':>7} {'method':>13} {'seconds':>8} {'GiB':>5} {'ESS':>7} {'ESS/s':>8}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def row(responses: Responses, method: str, *options: str, draws: int, chains: int) -> float:
            found = run(responses, folder, list(options), method=method, draws=draws, chains=chains)
            print(f"{len(responses.images):>7} {' '.join([method, *options]):>13} {found.seconds:>8.1f} "
                  f"{found.memory / 2**30:>5.2f} {found.ess:>7.0f} {found.ess / found.seconds:>8.3f}", flush=True)
            return found.ess / found.seconds

        for images in asked.sizes:
            responses = released(asked.data, 66, images, seed=0) if asked.data else simulated(66, images, seed=0)
            marginal = row(responses, "nuts", draws=250, chains=4)
            joint = row(responses, "joint", draws=asked.joint_draws, chains=1)
            print(f"{images:>7}  ratio {marginal / joint:.0f}")
        if asked.whole:
            whole = released(asked.data, 67, None, seed=0) if asked.data else simulated(67, 60000, seed=0)
            plain = row(whole, "nuts", draws=200, chains=2)
            slopes = row(whole, "nuts", "--slopes", draws=200, chains=2)
            print(f"{len(whole.images):>7}  ratio {slopes / plain:.2f}")


if __name__ == "__main__":
    main()
