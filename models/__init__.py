"""Pyro programs, inference and the posterior."""
