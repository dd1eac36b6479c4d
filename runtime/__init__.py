"""Everything that runs: interpreter, plans, programs, training, checks, files, command line.

Each name loads its module when it is first used: compiling a net needs no data set.
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .bisection.bisection import Bisection
    from .certificate.certificate import Certificate
    from .certificate.same import check_same
    from .checking.contract import OpReport, check_op
    from .checking.gradcheck import GradcheckReport, gradcheck
    from .data.digits import digits
    from .estimators.door import MLPClassifier, MLPRegressor
    from .importing.onnx.from_onnx import from_onnx
    from .interpreter import Interpretation, interpret
    from .loading import load
    from .loggers.files import CSVLogger, JSONLinesLogger
    from .loggers.logger import Logger
    from .loggers.mlflow import MLflowLogger
    from .loggers.tensorboard import TensorBoardLogger
    from .planning.plan import Plan
    from .profiling.cost import Cost
    from .profiling.report import Profile
    from .program import Program, compile
    from .ranks.launch import launch
    from .training.callback import Callback
    from .training.fit import fit
    from .training.following import EarlyStopping
    from .training.history import History, Row
    from .training.measure import Measurement, measure
    from .training.replay import Replay, replay
    from .training.sampling import Sampler
    from .tuning.pruning import Pruning
    from .tuning.tune import tune
    from .tuning.tuning import Tuning

__all__ = [
    "Bisection",
    "CSVLogger",
    "Callback",
    "Certificate",
    "Cost",
    "EarlyStopping",
    "GradcheckReport",
    "History",
    "Interpretation",
    "JSONLinesLogger",
    "Logger",
    "MLPClassifier",
    "MLPRegressor",
    "MLflowLogger",
    "Measurement",
    "OpReport",
    "Plan",
    "Profile",
    "Program",
    "Pruning",
    "Replay",
    "Row",
    "Sampler",
    "TensorBoardLogger",
    "Tuning",
    "check_op",
    "check_same",
    "compile",
    "digits",
    "fit",
    "from_onnx",
    "gradcheck",
    "interpret",
    "launch",
    "load",
    "measure",
    "replay",
    "tune",
]

_MODULES: Final = {
    "bisection.bisection": ("Bisection",),
    "certificate.certificate": ("Certificate",),
    "certificate.same": ("check_same",),
    "checking.contract": ("OpReport", "check_op"),
    "checking.gradcheck": ("GradcheckReport", "gradcheck"),
    "data.digits": ("digits",),
    "importing.onnx.from_onnx": ("from_onnx",),
    "estimators.door": ("MLPClassifier", "MLPRegressor"),
    "interpreter": ("Interpretation", "interpret"),
    "loading": ("load",),
    "loggers.files": ("CSVLogger", "JSONLinesLogger"),
    "loggers.logger": ("Logger",),
    "loggers.mlflow": ("MLflowLogger",),
    "loggers.tensorboard": ("TensorBoardLogger",),
    "planning.plan": ("Plan",),
    "profiling.cost": ("Cost",),
    "profiling.report": ("Profile",),
    "program": ("Program", "compile"),
    "ranks.launch": ("launch",),
    "training.callback": ("Callback",),
    "training.fit": ("fit",),
    "training.following": ("EarlyStopping",),
    "training.history": ("History", "Row"),
    "training.measure": ("Measurement", "measure"),
    "training.replay": ("Replay", "replay"),
    "training.sampling": ("Sampler",),
    "tuning.pruning": ("Pruning",),
    "tuning.tune": ("tune",),
    "tuning.tuning": ("Tuning",),
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        from importlib import import_module

        for module, names in _MODULES.items():
            if name in names:
                globals()[name] = getattr(import_module(f".{module}", __name__), name)
                return globals()[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
