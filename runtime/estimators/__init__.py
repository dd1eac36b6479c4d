"""Estimators of scikit-learn that are programs inside: `vg.MLPClassifier`, `vg.MLPRegressor`.

What scikit-learn's own two mean by their parameters belongs here: which graph they are, how it is
trained epoch by epoch, and what is left of it as fitted attributes. Nothing here computes what a
net computes; that is a graph (`net.py`), compiled and run as any other.
"""
