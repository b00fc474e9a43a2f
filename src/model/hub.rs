//! Checkpoints of the Hugging Face Hub, in its standard cache.
