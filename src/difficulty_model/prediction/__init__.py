"""Accuracies that nobody has measured: of models on a new test set, and of new models on known ones."""

from difficulty_model.prediction.choice import choose_images, images_within
from difficulty_model.prediction.models_to_run import choose_models
from difficulty_model.prediction.new_model import predict_models
from difficulty_model.prediction.new_test_set import predict_test_set
from difficulty_model.prediction.predicted import ModelPrediction, Prediction

__all__ = [
    "ModelPrediction",
    "Prediction",
    "choose_images",
    "choose_models",
    "images_within",
    "predict_models",
    "predict_test_set",
]
