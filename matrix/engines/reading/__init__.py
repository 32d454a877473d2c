"""An engine's source files, read into the uses that they make of FlashInfer."""
