"""Plans that a language model writes: for shapes that no rule covers, or for all of them.

shape ─► readable shape ─► model ─► Plan ─► judge ─► proof ─► kept
         (names, types; never a value)        └─ once more, with what was wrong ─┘
"""
