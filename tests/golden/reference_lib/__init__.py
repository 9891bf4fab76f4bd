"""The byte formats of White City, written down a second time, from the design's text alone."""
