"""Reports: a folder of results as one page that people read."""
