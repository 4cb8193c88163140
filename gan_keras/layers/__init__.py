"""Blocks that several networks use."""
