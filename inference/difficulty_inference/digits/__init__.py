"""The embedded example: classifiers of handwritten digits, from the images to the file of responses."""
