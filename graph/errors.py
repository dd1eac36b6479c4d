"""The errors that verigrad raises; all of them are VerigradError."""


class VerigradError(Exception):
    """Every error of ours: what was found, what was expected, and how to mend it."""


class GraphError(VerigradError):
    """A graph, a type or a text of one that cannot be."""


class PassError(VerigradError):
    """A pass or a pipeline that cannot run, or that broke what it promised."""


class RunError(VerigradError):
    """Feeds, data, files or settings that a run cannot work with."""


class NonFiniteError(RunError):
    """The loss or a gradient of a step was not finite; the state is as before the step."""
