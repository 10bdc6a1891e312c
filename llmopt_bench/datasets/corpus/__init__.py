"""The corpus: functions of real software, made on the user's machine by a recipe.

The library holds what is needed to make the corpus and to see that it is the right one: which
source packages, how they are compiled, and a fingerprint of every function. Nobody's sources.
"""
