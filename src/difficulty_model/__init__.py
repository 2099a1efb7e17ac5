"""Why do classifiers lose accuracy on a new test set? Image difficulties, model skills, and the law they imply."""
