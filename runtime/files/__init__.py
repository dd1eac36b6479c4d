"""Programs in files: safetensors with the graph as text, and no pickle.

A file is written of, and read as, a record: the declared graph, the options, values, metadata, and
a run's state in a checkpoint. Each array has a checksum: one that was changed is named, and is not
loaded. A program is made of the record in `loading`, above. Tables and images that a net is trained
on are read in `runtime/data`.
"""
