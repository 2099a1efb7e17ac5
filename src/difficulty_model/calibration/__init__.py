"""Calibration of the software itself: of worlds drawn from priors, posteriors hold the truth as often as they say."""

from difficulty_model.calibration.report import Calibration
from difficulty_model.calibration.run import calibrate
from difficulty_model.calibration.worlds import World, draw_world, narrowed

__all__ = ["Calibration", "World", "calibrate", "draw_world", "narrowed"]
