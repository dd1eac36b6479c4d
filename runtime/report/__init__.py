"""All that is known of a program, on one page that needs nothing else, and as text to compare.

`data` gathers it as plain values: `stages` and `lineage` say what each pass did, `nodes` what each
node is, `memory` where it lies, `values` what it holds for one batch, `measured` what runs and
checks gave. `page` makes the file of it, of what stands in the folder `page`, and `text` its twin.
"""
