"""The classifiers under test, from nearly guessing to nearly perfect: a table."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import AdaBoostClassifier, ExtraTreesClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from difficulty_inference.training import Images, Labels, Predict, Train, convolutional, network, perceptron


@dataclass(frozen=True)
class Classifier:
    """A classifier under test.

    Attributes
    ----------
    name : str
        What it is: kind, size where it has one, and number of training images.
    training_images : int
        How many images it is trained on.
    train : Train
        Its training.
    """

    name: str
    training_images: int
    train: Train


@dataclass(frozen=True)
class Kind:
    """One kind of classifier, trained on several numbers of images."""

    name: str
    train: Train
    training_images: tuple[int, ...]


def scikit(make: Callable[[int], Any]) -> Train:
    """Return the training of a scikit-learn classifier, which `make` makes from a seed."""

    def train(images: Images, labels: Labels, seed: int) -> Predict:
        return make(seed).fit(images, labels).predict

    return train


KINDS = (
    Kind("gaussian-bayes", scikit(lambda _: GaussianNB(var_smoothing=0.05)), (40, 100, 500)),
    Kind("bernoulli-bayes", scikit(lambda _: BernoulliNB(binarize=0.5)), (60, 500)),
    Kind("discriminant", scikit(lambda _: LinearDiscriminantAnalysis("lsqr", shrinkage=0.1)), (60, 500)),
    Kind("ridge", scikit(lambda _: RidgeClassifier()), (40, 150, 500)),
    Kind("logistic", scikit(lambda _: LogisticRegression(max_iter=1000)), (40, 100, 500)),
    Kind("knn1", scikit(lambda _: KNeighborsClassifier(1)), (30, 60, 150, 500)),
    Kind("knn9", scikit(lambda _: KNeighborsClassifier(9)), (60, 200)),
    Kind("tree-d3", scikit(lambda seed: DecisionTreeClassifier(max_depth=3, random_state=seed)), (300,)),
    Kind("tree-d4", scikit(lambda seed: DecisionTreeClassifier(max_depth=4, random_state=seed)), (150,)),
    Kind("tree", scikit(lambda seed: DecisionTreeClassifier(random_state=seed)), (50, 150, 500)),
    Kind("forest-t5", scikit(lambda seed: RandomForestClassifier(5, random_state=seed)), (100, 500)),
    Kind("forest-t100", scikit(lambda seed: RandomForestClassifier(100, random_state=seed)), (80, 500)),
    Kind("extra-trees-t20", scikit(lambda seed: ExtraTreesClassifier(20, random_state=seed)), (200,)),
    Kind("boosted-stumps-t50", scikit(lambda seed: AdaBoostClassifier(random_state=seed)), (500,)),
    Kind("svm-linear", scikit(lambda _: SVC(kernel="linear")), (50, 300)),
    Kind("svm-cubic", scikit(lambda _: SVC(kernel="poly", degree=3)), (100, 500)),
    Kind("svm-rbf", scikit(lambda _: SVC(C=5)), (40, 200, 500)),
    Kind("mlp-w4-d1", network(partial(perceptron, width=4, depth=1), epochs=60), (500,)),
    Kind("mlp-w8-d3", network(partial(perceptron, width=8, depth=3), epochs=60), (300,)),
    Kind("mlp-w16-d1", network(partial(perceptron, width=16, depth=1), epochs=60), (100, 500)),
    Kind("mlp-w64-d2", network(partial(perceptron, width=64, depth=2), epochs=60), (50, 200, 500)),
    Kind("mlp-w256-d1", network(partial(perceptron, width=256, depth=1), epochs=60), (500,)),
    Kind("cnn-w4-d1", network(partial(convolutional, width=4, depth=1), epochs=40), (150, 500)),
    Kind("cnn-w8-d2", network(partial(convolutional, width=8, depth=2), epochs=40), (60, 300)),
    Kind("cnn-w16-d2", network(partial(convolutional, width=16, depth=2), epochs=40), (40, 500)),
    Kind("cnn-w32-d3", network(partial(convolutional, width=32, depth=3), epochs=40), (150, 500)),
)

ZOO = tuple(
    Classifier(f"{kind.name}-n{images}", images, kind.train)
    for kind in KINDS
    for images in kind.training_images
)
"""All classifiers, in the order of the columns of the responses file."""
