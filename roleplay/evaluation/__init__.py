"""What is measured of a character: form, role, identity, facts, wealth of words, forgetting.

``form`` judges one reply, ``roles`` asks which speaker a model takes a line for, ``measures`` puts
a whole agent to the test.
"""
