"""Words of texts, their subwords, and the links between the words of translations."""
