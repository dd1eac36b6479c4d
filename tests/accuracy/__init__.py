"""Values of ops beside exact ones by mpmath: errors in units in the last place, and their bounds.

`make accuracy` writes what was found into ACCURACY.md. An op is held to a number of units in the
last place of its result; where terms of either sign are summed, of the sum of their sizes, since
no more than that is left of them.
"""
