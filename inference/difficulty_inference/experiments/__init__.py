"""The experiments of the paper that need images, and most of them training: one per module, with a file of results.

`new_data` trains on part of the new test set, `folds` cross-validates, `hyperparameters` retunes, `discriminator` tries
to tell the two test sets apart, `neighbours` finds the nearest training images.
"""
