"""Data: digits, photographs, degradations, and the ranges of pixels."""
