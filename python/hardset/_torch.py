"""The sequence of images as a `torch.utils.data.Dataset`, for those who ask `isinstance`."""

from __future__ import annotations

from ._images import Images
from ._optional import need

# Made at run time, because torch is not a dependency. It has a module and a name, so it can be pickled.
TorchImages: type[Images] = type(
    "TorchImages",
    (Images, need("torch.utils.data", extra="export").Dataset),
    {"__module__": __name__, "__doc__": Images.__doc__},
)
