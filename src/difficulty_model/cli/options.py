"""The options that make a specification, shared by the commands that need one."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from difficulty_model.specification import Specification


class CurveShape(StrEnum):
    """How skill and difficulty make the probability of being right."""

    PROBIT = "probit"
    LOGISTIC = "logistic"


class Lapses(StrEnum):
    """Whether models miss easy images now and then."""

    NONE = "none"
    SHARED = "shared"
    PER_MODEL = "per-model"


class Shape(StrEnum):
    """Of the distribution of difficulty in a test set."""

    NORMAL = "normal"
    TWO_NORMALS = "two-normals"
    SKEW_NORMAL = "skew-normal"
    STUDENT_T = "student-t"
    FLEXIBLE = "flexible"


CurveOption = Annotated[CurveShape, typer.Option("--curve", help="probit, or logistic: less sure far from the skill.")]
Slopes = Annotated[bool, typer.Option("--slopes", help="A slope of the curve per model.")]
LapsesOption = Annotated[Lapses, typer.Option("--lapses", help="Rate at which models miss the easiest images.")]
Guess = Annotated[float, typer.Option("--guess", help="Rate at which models guess the hardest: 1/number of classes.")]
Population = Annotated[Shape, typer.Option("--population", help="Shape of the distribution of difficulty.")]
Unmissable = Annotated[bool, typer.Option("--unmissable", help="Beside it a share of images that all get right.")]
Unlearnable = Annotated[bool, typer.Option("--unlearnable", help="Beside it a share of images that none gets right.")]
Classes = Annotated[bool, typer.Option("--classes", help="Effects of the images' classes on difficulty.")]
Discriminations = Annotated[
    bool, typer.Option("--discriminations", help="Images that differ in how well they tell models apart; slow.")
]
SkillLoss = Annotated[bool, typer.Option("--skill-loss", help="Skills that are lost in all test sets but the first.")]


def specification_of(
    curve: CurveShape,
    lapses: Lapses,
    guess: float,
    population: Shape,
    *,
    slopes: bool,
    unmissable: bool,
    unlearnable: bool,
    discriminations: bool,
    classes: bool,
    covariates: list[str],
    skill_loss: bool,
    families: bool,
) -> "Specification":
    """Return the specification that the options describe; covariates by name."""
    from difficulty_model import family
    from difficulty_model.specification import Specification

    curves = {CurveShape.PROBIT: family.probit, CurveShape.LOGISTIC: family.logistic}
    shapes = {
        Shape.NORMAL: family.normal, Shape.TWO_NORMALS: family.two_normals, Shape.SKEW_NORMAL: family.skew_normal,
        Shape.STUDENT_T: family.student_t, Shape.FLEXIBLE: family.flexible,
    }
    of_models, of_images = curves[curve](), shapes[population]()
    if slopes:
        of_models = family.slopes(of_models)
    if lapses is not Lapses.NONE:
        of_models = family.with_lapses(of_models, per_model=lapses is Lapses.PER_MODEL, guess=guess)
    elif guess:
        of_models = family.with_guesses(of_models, guess)
    if covariates:
        of_images = family.regressed(of_images, covariates)
    if classes:
        of_images = family.in_classes(of_images)
    if discriminations:
        of_images = family.discriminating(of_images)
    if unmissable:
        of_images = family.with_unmissable(of_images)
    if unlearnable:
        of_images = family.with_unlearnable(of_images)
    skills = family.losing() if skill_loss else family.independent()
    return Specification(family.in_families(skills) if families else skills, of_models, of_images)
