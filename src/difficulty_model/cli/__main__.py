"""``python -m difficulty_model.cli`` is the command `difficulty-model`."""

from difficulty_model.cli import main

if __name__ == "__main__":
    main()
