"""Exports for servers."""
