"""The command line: the stable contract for batch users. Knows neither Qt nor VTK."""
