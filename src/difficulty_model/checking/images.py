"""What is remarkable about the images: in several test sets, right for nobody, right for everybody."""

from itertools import combinations

from difficulty_model.checking.finding import Finding
from difficulty_model.responses import Responses


def check_images(responses: Responses) -> list[Finding]:
    """Find images shared between test sets, and count those on which all models agree."""
    findings = []
    for a, b in combinations(range(len(responses.test_sets)), 2):
        shared = int((responses.member[a] & responses.member[b]).sum())
        if shared == 0:
            continue
        pair = [responses.test_sets[a], responses.test_sets[b]]
        smaller = int(min(responses.member[a].sum(), responses.member[b].sum()))
        findings.append(Finding(
            "shared-images", None, None,
            f"{pair[0]!r} and {pair[1]!r} share {shared} images, {shared / smaller:.1%} of the smaller one",
            "nothing: a shared image has one difficulty in the fit; only do not take the two test sets for "
            "independent",
            {"test_sets": pair, "images": shared, "share_of_smaller": shared / smaller},
        ))
    seen = (responses.shown > 0).any(0)
    unsolved = seen & ~(responses.right > 0).any(0)
    solved = seen & ~(responses.right < responses.shown).any(0)
    for kind, which, who, remedy in [
        ("unsolved", unsolved, "no model", "look at some of them, since their labels may be wrong; a "
         "population with unlearnable images (`fit --unlearnable`) describes them"),
        ("solved", solved, "every model", "nothing: they only bound their difficulty from above"),
    ]:
        for test_set, mask in zip(responses.test_sets, responses.member, strict=True):
            count, of = int((which & mask).sum()), int(mask.sum())
            if count:
                findings.append(Finding(
                    kind, None, test_set,
                    f"{who} gets {count} of the {of} images in {test_set!r} right ({count / of:.1%})",
                    remedy, {"images": count, "share": count / of},
                ))
    return findings
