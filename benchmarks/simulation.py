"""Time and memory of simulated test sets: one process that loads a fit and simulates 1,000 of 10,000 images each.

Run as ``python benchmarks/simulation.py fit.nc``.
"""

import resource
import sys
import time

from difficulty_model import TestSetPlan, load_fit, simulate


def main() -> None:
    """Print seconds, the first time with compilation and then without, and the peak memory of this process."""
    fitted = load_fit(sys.argv[1])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    plan = TestSetPlan(10_000, {fitted.responses.test_sets[-1]: 1.0})
    seconds = []
    for seed in range(2):
        began = time.perf_counter()
        simulate(fitted, plan, sets=1000, random_seed=seed, progress=False)
        seconds.append(time.perf_counter() - began)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"1000 test sets x 10000 images x {len(fitted.responses.models)} models: {seconds[0]:.1f} s, then "
          f"{seconds[1]:.1f} s; peak {after / 2**20:.2f} GiB, {before / 2**20:.2f} of which before")


if __name__ == "__main__":
    main()
