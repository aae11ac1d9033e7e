"""Averages of series and matrices of losses between them."""
