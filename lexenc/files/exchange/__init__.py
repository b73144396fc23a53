"""Translation memories, XLIFF files and termbases: read as pairs, written from pairs, both as streams."""
