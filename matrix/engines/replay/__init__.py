"""An engine's own code, called as the engine calls it, up to the moment a FlashInfer kernel would start.

`recipe` says where an engine is installed (host side); everything else here runs in that environment, on the
standard library, torch and FlashInfer alone. One module `matrix.engines.<engine>.replay` knows how to call an
engine; nothing in this folder names one.
"""
