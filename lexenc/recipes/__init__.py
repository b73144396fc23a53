"""Recipes: the tables of a paper as data, and the steps that lead to each of their cells."""
