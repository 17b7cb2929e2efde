"""The parts of `bootstrap.py`. Standard library only: nothing is installed yet when they run."""
