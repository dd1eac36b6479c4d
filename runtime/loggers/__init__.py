"""Where the numbers of a run go while it lasts: files, TensorBoard, MLflow.

A logger is told plain values by three verbs, `begin`, `log` and `end`, and knows nothing of
programs or of training. What calls them, and what becomes of one that fails, is in
`training/logged.py`; figures and reports, which are made of a run that is over, are elsewhere.
"""
