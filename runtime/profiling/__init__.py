"""What a step costs, is predicted to take, and took: kernel by kernel.

`cost` counts operations and bytes, `machine` measures rates, `prediction` puts them together, and
`profile` times the kernels of an executable; `report` is what the user sees.
"""
