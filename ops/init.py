"""The initializers, as users name them: `vg.init.normal(0.01)`."""

# ruff: noqa: N813 - classes under the names that they have in text
from .initializers import Constant as constant
from .initializers import HeNormal as he_normal
from .initializers import Normal as normal
from .initializers import Ones as ones
from .initializers import XavierNormal as xavier_normal
from .initializers import Zeros as zeros

__all__ = ["constant", "he_normal", "normal", "ones", "xavier_normal", "zeros"]
