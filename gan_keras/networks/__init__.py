"""Functional network builders: a network is a shape, an algorithm is how it learns."""
