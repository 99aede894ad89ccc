"""Analysis of saved runs."""
