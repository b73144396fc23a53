"""Language models that predict senses of words instead of words.

Source: Liu et al. 2022, "Towards Multi-Sense Cross-Lingual Alignment of Contextual Embeddings".
"""
