"""Word alignment: which words of a sentence and its translation belong together."""
