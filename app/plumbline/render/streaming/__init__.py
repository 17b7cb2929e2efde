"""Cities larger than memory in the canvas: what of a tree of tiles is read, kept and drawn.

`view`, `tree`, `scheduler`, `loader`, `cache` and `pace` know neither Qt nor VTK; `content` makes
arrays in loader threads; `layer` and `layers` hold the actors, on the thread of the plotter.
"""
