"""The picture of a window as an array."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkRenderingCore import vtkRenderWindow, vtkWindowToImageFilter


def grab(window: vtkRenderWindow) -> NDArray[np.uint8]:
    """Return the last picture ``(H, W, 3)`` of a window as it is, first row on top."""
    reader = vtkWindowToImageFilter()
    reader.SetInput(window)
    reader.ReadFrontBufferOff()
    reader.ShouldRerenderOff()
    reader.Update()
    output = reader.GetOutput()
    width, height, _ = output.GetDimensions()
    flat = vtk_to_numpy(output.GetPointData().GetScalars())
    picture: NDArray[np.uint8] = flat.reshape(height, width, -1)[::-1, :, :3].copy()
    return picture
