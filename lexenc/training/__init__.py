"""The one training loop, its losses, batches and checkpoints."""
