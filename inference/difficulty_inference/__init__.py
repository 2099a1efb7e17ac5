"""From images and classifiers to responses: the step that needs torch; a file is its only contact."""
