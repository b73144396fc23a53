"""Cross-lingual lexical and sentence encoders: build them, map them, blend them, prove them."""

__version__ = "0.1.0"
