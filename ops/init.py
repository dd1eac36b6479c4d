"""The initializers, as users name them: `vg.init.normal(0.01)`."""

# ruff: noqa: N813 - classes under the names that they have in text
from ..graph import FromArray as array
from .initializers import ConstantInitializer as constant
from .initializers import HeNormal as he_normal
from .initializers import HeUniform as he_uniform
from .initializers import LecunNormal as lecun_normal
from .initializers import Normal as normal
from .initializers import Ones as ones
from .initializers import Uniform as uniform
from .initializers import XavierNormal as xavier_normal
from .initializers import XavierUniform as xavier_uniform
from .initializers import Zeros as zeros

__all__ = [
    "array",
    "constant",
    "he_normal",
    "he_uniform",
    "lecun_normal",
    "normal",
    "ones",
    "uniform",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]
