"""Hypothetical test sets: what the models of a fit would score on them, and how the leaderboard would look."""

from difficulty_model.simulation.leaderboard import Reordering, Simulation
from difficulty_model.simulation.plan import TestSetPlan
from difficulty_model.simulation.responses import simulate_responses
from difficulty_model.simulation.run import simulate

__all__ = ["Reordering", "Simulation", "TestSetPlan", "simulate", "simulate_responses"]
