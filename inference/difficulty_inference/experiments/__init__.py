"""The experiments of the paper that need training: one per module, each with a small file of results.

`new_data` trains on part of the new test set, `folds` cross-validates, `hyperparameters` retunes, `discriminator` tries
to tell the two test sets apart.
"""
