"""Losses: pure maths on tensors, no models."""
