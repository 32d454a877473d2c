"""Which releases of FlashInfer exist, which of them a run covers, and what their wheels hold."""
