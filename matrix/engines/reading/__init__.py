"""An engine's source files, read into the uses that they make of FlashInfer.

`file` reads one file with a `reader`, which knows where in it it stands and notes the uses. What each kind of node
stands for is said by the functions that other modules enter in `dispatch`: `expressions`, `calls`, `branches` and
so on. They pass `values` between them, with `options` where several may be meant.
"""
