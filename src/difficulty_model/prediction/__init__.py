"""Accuracies that nobody has measured: of a fit's models on a new test set."""

from difficulty_model.prediction.new_test_set import predict_test_set
from difficulty_model.prediction.predicted import Prediction

__all__ = ["Prediction", "predict_test_set"]
