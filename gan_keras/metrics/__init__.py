"""Measures of image quality and of distributions of images."""
