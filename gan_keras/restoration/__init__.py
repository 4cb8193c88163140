"""Applying a trained enhancer to files of any size."""
