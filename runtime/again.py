"""The variants of a graph that is compiled already, on values of their own."""

from __future__ import annotations

from collections.abc import Mapping

from ..graph import cached_property
from .execution.executable import Executable
from .execution.feeds import FeedReader
from .state import StateArrays
from .variants import Variants


class Again(Variants):
    """What `first` was compiled to, for a program of its own: the same graphs, and the plans and
    certificates of every program that shares them, whichever made them."""

    def __init__(self, first: Variants, metadata: Mapping[str, str]) -> None:
        # Not what was made again itself: whose values it would hold for as long as it is there.
        if isinstance(first, Again):
            first = first._first
        self._first: Variants = first
        self.declared = first.declared
        self.options = first.options
        self.metadata = metadata
        self.inference = first.inference
        self.training = first.training
        self.compiled = first.compiled
        self.sources = first.sources
        self.values = StateArrays(first.compiled, first.sources, first.options.seed)
        self.ranked = None

    @cached_property
    def executable(self) -> Executable:
        """The training step, or inference where there is no loss."""
        return self._again(self._first.executable)

    @cached_property
    def evaluation(self) -> Executable:
        """All outputs of inference, the loss of the data among them."""
        return self._again(self._first.evaluation)

    @cached_property
    def prediction(self) -> Executable:
        """All outputs of inference but the loss; RunError where there is none."""
        return self._again(self._first.prediction)

    @cached_property
    def gradients(self) -> Executable:
        """The loss of training and its gradients, without what clips or uses them."""
        return self._again(self._first.gradients)

    @cached_property
    def loss(self) -> Executable:
        """The loss of training alone."""
        return self._again(self._first.loss)

    def _again(self, executable: Executable) -> Executable:
        reader = FeedReader(executable.graph, self.declared, self.metadata)
        return executable.again(self.values, reader)
