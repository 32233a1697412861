"""NumPy array types by dtype, for all packages; shapes stand in the docstrings of those who use them."""

import numpy as np
from numpy.typing import NDArray

AnyArray = NDArray[np.generic]  # of any dtype: a batch of float32 values or int8 codes, a table
Bools = NDArray[np.bool_]  # masks
Codes = NDArray[np.int8]  # a model's quantized inputs, outputs and weights
Int32s = NDArray[np.int32]  # biases
Int64s = NDArray[np.int64]  # accumulators and exact integer arithmetic
UInt64s = NDArray[np.uint64]  # random bits
Indices = NDArray[np.intp]  # positions in another array
Float32s = NDArray[np.float32]  # real inputs and outputs as boards and interpreters have them
Float64s = NDArray[np.float64]  # reference values, metrics and points of figures
