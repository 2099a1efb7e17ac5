"""From images and classifiers to responses: the step that needs torch. The file it writes is its only contact."""
