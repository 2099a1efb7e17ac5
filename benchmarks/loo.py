"""Time and memory of leaving images out: one process that loads a fit and runs `loo` on it.

Run as ``python benchmarks/loo.py fit.nc``.
"""

import resource
import sys
import time

from difficulty_model import load_fit, loo


def main() -> None:
    """Print images, draws, seconds, and the peak memory of this process before and after."""
    fitted = load_fit(sys.argv[1])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    found = loo(fitted, progress=False)
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{found.images.sizes['image']} images x {found.draws} draws: {seconds:.0f} s, peak {after / 2**20:.2f} GiB, "
          f"{before / 2**20:.2f} of which before; elpd {found.elpd:.0f} ± {found.se:.0f}")


if __name__ == "__main__":
    main()
