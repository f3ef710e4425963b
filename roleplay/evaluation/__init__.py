"""What is measured of a character: form, role, identity, facts, wealth of words, and what was forgotten.

``form`` judges one reply, ``roles`` asks which speaker a model takes a line for, ``measures`` puts a whole player to the test.
"""

from roleplay.evaluation.form import check_form, holds_fact, names_itself, share

__all__ = ["check_form", "holds_fact", "names_itself", "share"]
